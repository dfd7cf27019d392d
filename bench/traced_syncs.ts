/**
 * Counting the fsyncs of those who do not count them themselves: the same work once more, in a process whose system calls
 * strace writes down. Where there is no strace they stay unknown.
 */
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { commandOf } from "./children.ts";
import type { Figure } from "./figures.ts";

/** The folders that a traced program makes right before and right after the work, so that the trace shows where it is. */
export const MARKS = Object.freeze(["work begins", "work ends"]);

/** The figures, with the fsyncs that were unknown. */
export async function withTracedSyncs(
  bench: Bench,
  figures: readonly Figure[],
): Promise<Figure[]> {
  if (!await hasStrace()) {
    bench.say("there is no strace here, so only our own fsyncs are counted");
    return [...figures];
  }
  const traced: Figure[] = [];
  for (const figure of figures) {
    const isUnknown = figure.syncsPerTask === null;
    traced.push(isUnknown ? { ...figure, syncsPerTask: await traceSyncs(bench, figure) } : figure);
  }
  return traced;
}

async function traceSyncs(
  bench: Bench,
  { group, work, contender }: Figure,
): Promise<number> {
  bench.say(`counting the fsyncs of ${contender}: ${work}`);
  const folder = bench.folder("trace");
  const trace = join(folder, "trace");
  const program = commandOf("traced", [JSON.stringify({ group, work, contender, folder })]);
  const options = ["-f", "-qq", "-o", trace, "-e", "trace=fsync,fdatasync,mkdir,mkdirat"];
  const { code, stdout, stderr } = await new Deno.Command("strace", {
    args: [...options, ...program],
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`Cannot trace ${contender}: ${decoder.decode(stderr)}`);
  const tasks = Number(decoder.decode(stdout));
  return countBetweenMarks(await Deno.readTextFile(trace)) / tasks;
}

/** How many fsyncs begin between the marks. */
export function countBetweenMarks(trace: string): number {
  const lines = trace.split("\n");
  const [begin, end] = MARKS.map((mark) => lines.findIndex((line) => line.includes(mark)));
  if (begin === -1 || end === -1) throw new Error("The trace does not show where the work is");
  return lines.slice(begin, end).filter((line) => /\bf(data)?sync\(/.test(line)).length;
}

async function hasStrace(): Promise<boolean> {
  try {
    return (await new Deno.Command("strace", { args: ["-V"] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
