/**
 * Worker processes that share one queue: what three do together, and one alone.
 */
import { join } from "node:path";
import { openQueue } from "../../src/mod.ts";
import type { Bench, Part } from "../bench.ts";
import { Child } from "../children.ts";
import type { Figure } from "../figures.ts";
import { fill } from "../fixtures.ts";
import type { Drained } from "../programs/worker.ts";
import { wallMs } from "../programs/talk.ts";
import { REACH_WORK } from "../reach_work.ts";

const CONCURRENCY_EACH = 32;
const COUNTS = [1, 3] as const;
/** How long a handler computes: one that does nothing, and two that do something. */
const WORK_MS = [0, 0.25, 2] as const;

/** The part `processes`. */
export const PROCESSES_PART: Part = {
  name: "processes",
  about: "3 worker processes beside 1",
  run: async (bench) => {
    const figures: Figure[] = [];
    for (const workMs of WORK_MS) {
      bench.say(`worker processes, handlers of ${workMs} ms`);
      figures.push(...await inTurns(bench, workMs));
    }
    return figures;
  },
};

async function inTurns(bench: Bench, workMs: number): Promise<Figure[]> {
  const perSecond = COUNTS.map((): number[] => []);
  for (let round = 0; round < bench.scale.rounds; round++) {
    for (const [i, count] of COUNTS.entries()) {
      perSecond[i]!.push(await drain(bench, { count, workMs }));
    }
  }
  const more = workMs === 0 ? "" : `, handlers compute for ${workMs} ms`;
  return COUNTS.map((count, i) => ({
    group: "processes",
    work: `${REACH_WORK.processes(count)}${more}`,
    contender: "Holdfast, full",
    survives: "power cut",
    perSecond: perSecond[i]!,
  }));
}

/** Tasks per second, from the word "go" until the last task of all processes has ended. */
async function drain(
  bench: Bench,
  { count, workMs }: { readonly count: number; readonly workMs: number },
): Promise<number> {
  const path = join(bench.folder("processes"), "queue.db");
  const tasks = workMs === 0 ? bench.scale.sharedTasks : bench.scale.sharedTasks / 4;
  const queue = await openQueue({ path });
  await fill(queue, tasks);
  await queue.close();
  const args = [path, "full", String(CONCURRENCY_EACH), String(workMs)];
  const children = Array.from({ length: count }, () => new Child("worker", ...args));
  for (const child of children) await child.hear<"ready">();
  const startedAtMs = wallMs();
  await Promise.all(children.map((child) => child.tell("go\ndrain")));
  const ends = await Promise.all(children.map((child) => child.hear<Drained>()));
  for (const child of children) await child.end();
  const done = ends.reduce((sum, { completed }) => sum + completed, 0);
  if (done !== tasks) throw new Error(`${tasks} tasks were enqueued, ${done} were done`);
  return tasks / (Math.max(...ends.map(({ lastAtMs }) => lastAtMs)) - startedAtMs) * 1000;
}
