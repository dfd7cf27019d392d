/**
 * Worker processes that share one queue: what one does alone, and what up to eight do together.
 */
import { join } from "node:path";
import { openQueue } from "../../src/mod.ts";
import type { Bench, Part } from "../bench.ts";
import { startProgram } from "../children.ts";
import type { Figure } from "../figures.ts";
import { fill } from "../fixtures.ts";
import { difference } from "../measure.ts";
import { cpuMsOf } from "../process_cpu.ts";
import type { Drained } from "../programs/worker.ts";
import { wallMs } from "../programs/talk.ts";
import { REACH_WORK } from "../reach_work.ts";

const CONCURRENCY_EACH = 32;
/** How many processes, by how long a handler computes. */
const COUNTS = [
  { workMs: 0, counts: [1, 2, 3, 4, 8] },
  { workMs: 0.25, counts: [1, 3] },
  { workMs: 2, counts: [1, 2, 3, 4, 8] },
] as const;

/** The part `processes`. */
export const PROCESSES_PART: Part = {
  name: "processes",
  about: "2, 3, 4 and 8 worker processes beside 1",
  run: async (bench) => {
    const figures: Figure[] = [];
    for (const { workMs, counts } of COUNTS) {
      bench.say(`worker processes, handlers of ${workMs} ms`);
      figures.push(...await inTurns(bench, workMs, counts));
    }
    return figures;
  },
};

/** Half as many rounds as others have: most of the time is that of processes that start. */
async function inTurns(
  bench: Bench,
  workMs: number,
  counts: readonly number[],
): Promise<Figure[]> {
  const drained = counts.map((): DrainedOnce[] => []);
  for (let round = 0; round < Math.ceil(bench.scale.rounds / 2); round++) {
    for (const [i, count] of counts.entries()) {
      drained[i]!.push(await drain(bench, { count, workMs }));
    }
  }
  const more = workMs === 0 ? "" : `, handlers compute for ${workMs} ms`;
  return counts.map((count, i) => ({
    group: "processes",
    work: `${REACH_WORK.processes(count)}${more}`,
    contender: "Holdfast, full",
    survives: "power cut",
    perSecond: drained[i]!.map(({ perSecond }) => perSecond),
    cpuUsPerTask: known(drained[i]!.map(({ cpuUsPerTask }) => cpuUsPerTask)),
  }));
}

interface DrainedOnce {
  /** From the word "go" until the last task of all processes has ended. */
  readonly perSecond: number;
  readonly cpuUsPerTask: number | null;
}

function known(values: readonly (number | null)[]): readonly number[] | undefined {
  const numbers = values.filter((value) => value !== null);
  return numbers.length === 0 ? undefined : numbers;
}

async function drain(
  bench: Bench,
  { count, workMs }: { readonly count: number; readonly workMs: number },
): Promise<DrainedOnce> {
  const path = join(bench.folder("processes"), "queue.db");
  const tasks = workMs === 0 ? bench.scale.sharedTasks : bench.scale.sharedTasks / 4;
  const queue = await openQueue({ path });
  await fill(queue, tasks);
  await queue.close();
  const args = [path, "full", String(CONCURRENCY_EACH), String(workMs)];
  const children = Array.from({ length: count }, () => startProgram("worker", ...args));
  for (const child of children) await child.hear<"ready">();
  const pids = children.map(({ pid }) => pid);
  const cpuBefore = await cpuMsOf(pids);
  const startedAtMs = wallMs();
  await Promise.all(children.map((child) => child.tell("go\ndrain")));
  const ends = await Promise.all(children.map((child) => child.hear<Drained>()));
  const cpuAfter = await cpuMsOf(pids);
  for (const child of children) await child.end();
  const done = ends.reduce((sum, { completed }) => sum + completed, 0);
  if (done !== tasks) throw new Error(`${tasks} tasks were enqueued, ${done} were done`);
  const tookMs = Math.max(...ends.map(({ lastAtMs }) => lastAtMs)) - startedAtMs;
  const cpuMs = difference(cpuBefore, cpuAfter);
  return {
    perSecond: tasks / tookMs * 1000,
    cpuUsPerTask: cpuMs === null ? null : cpuMs / tasks * 1000,
  };
}
