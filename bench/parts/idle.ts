/**
 * What a worker costs that has nothing to do: the CPU time of its process, as Linux tells it in `/proc`.
 */
import { join } from "node:path";
import type { Bench, Part } from "../bench.ts";
import { Child } from "../children.ts";
import type { Figure } from "../figures.ts";
import { REACH_WORK } from "../reach_work.ts";

/** Before it counts: starting up is over. */
const SETTLE_MS = 3000;
/** Linux counts in hundredths of a second wherever we run. */
const TICK_MS = 10;

/** The part `idle`. */
export const IDLE_PART: Part = {
  name: "idle",
  about: "CPU time of a worker that waits",
  run: async (bench) => {
    if (Deno.build.os === "linux") return [await idleCpu(bench)];
    bench.say("the CPU time of another process is not told here: only Linux has /proc");
    return [];
  },
};

async function idleCpu(bench: Bench): Promise<Figure> {
  const child = new Child("worker", join(bench.folder("idle"), "queue.db"), "full", "8", "0");
  await child.hear<"ready">();
  await child.tell("go");
  await pause(SETTLE_MS);
  const before = cpuMs(child.pid);
  const startedAt = performance.now();
  await pause(bench.scale.idleSeconds * 1000);
  const usedMs = cpuMs(child.pid) - before;
  const elapsedMs = performance.now() - startedAt;
  await child.end();
  return {
    group: "idle",
    work: REACH_WORK.idle,
    contender: "Holdfast, full",
    survives: "power cut",
    samples: [usedMs / elapsedMs * 100],
    unit: `% of a core, over ${bench.scale.idleSeconds} s`,
  };
}

/** CPU time of a process so far; the fields after its name, which may hold spaces. */
function cpuMs(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  return (user + system) * TICK_MS;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
