/**
 * CPU time of other processes: servers and workers that do what is measured. Linux tells it, other systems are not asked.
 */

/** `/proc` counts in hundredths of a second on every Linux. */
const TICK_MS = 10;

/** CPU time that these processes and their children have used so far, in milliseconds; `null` where that is not known. */
export async function cpuMsOf(pids: readonly number[]): Promise<number | null> {
  if (Deno.build.os !== "linux") return null;
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", "cat /proc/[0-9]*/stat 2>/dev/null"],
    stderr: "null",
  }).output();
  return ticksOf(pids, new TextDecoder().decode(stdout)) * TICK_MS;
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** Its own, and those of its children that have ended. */
  readonly ticks: number;
}

/** The ticks of `pids` and all that came of them, as the lines of `/proc/…/stat` tell. */
export function ticksOf(pids: readonly number[], lines: string): number {
  const stats = lines.split("\n").filter((line) => line !== "").map(statOf);
  const counted = new Set(pids);
  for (let known = 0; known < counted.size;) {
    known = counted.size;
    for (const { pid, parent } of stats) if (counted.has(parent)) counted.add(pid);
  }
  return stats.reduce((sum, { pid, ticks }) => counted.has(pid) ? sum + ticks : sum, 0);
}

/** A name may hold spaces and parentheses, so what follows it is counted from its end. */
function statOf(line: string): Stat {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ").map(Number);
  const times = fields.slice(11, 15);
  return {
    pid: Number.parseInt(line),
    parent: fields[1]!,
    ticks: times.reduce((sum, each) => sum + each, 0),
  };
}
