/**
 * `deno task bench:start`: what one task costs a QueuedTaskManager as its registry fills.
 *
 * Ten thousand tasks in slices of 500, durable on disk, all of them kept in the registry. `wait` leaves them queued, so
 * all stay active; `work` has this process do each task's own work. Of each slice the median of all rounds counts.
 */
import { join } from "node:path";
import { createQueuedTaskManager, createRun, type TaskWork } from "../src/mod.ts";
import { median } from "./figures.ts";

const TASKS = 10_000;
const SLICE = 500;

/** How many slices at each end are compared. */
const ENDS = 4;

const ROUNDS = 5;

interface Scenario {
  readonly name: string;
  readonly work: TaskWork | undefined;
  /** Awaited by each slice: until its tasks are on disk, or until they are done. */
  readonly until: "flush" | "waitAll";
}

const SCENARIOS: readonly Scenario[] = [
  { name: "wait", work: undefined, until: "flush" },
  { name: "work", work: () => Promise.resolve(null), until: "waitAll" },
];

async function main(): Promise<void> {
  for (const scenario of SCENARIOS) {
    const costs = await medians(scenario);
    const [first, last] = [median(costs.slice(0, ENDS)), median(costs.slice(-ENDS))];
    console.log(
      `${scenario.name}: ${TASKS} tasks in slices of ${SLICE}, ${ROUNDS} rounds, durability full; ` +
        `first ${ENDS} slices ${first.toFixed(0)} µs/task, last ${ENDS} ${
          last.toFixed(0)
        } µs/task, ` +
        `ratio ${(last / first).toFixed(2)}; all: ${
          costs.map((cost) => cost.toFixed(0)).join(" ")
        }`,
    );
  }
}

async function medians(scenario: Scenario): Promise<number[]> {
  const rounds: number[][] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await microsecondsPerTask(scenario));
  return rounds[0]!.map((_, slice) => median(rounds.map((costs) => costs[slice]!)));
}

/** Of each slice, after one slice to warm up. */
async function microsecondsPerTask({ work, until }: Scenario): Promise<number[]> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast bench " });
  const manager = await createQueuedTaskManager({ path: join(folder, "queue.db") });
  const costs: number[] = [];
  try {
    for (let slice = 0; slice <= TASKS / SLICE; slice++) {
      const beganAt = performance.now();
      for (let n = 0; n < SLICE; n++) {
        manager.startTask(createRun({ runId: `${slice}-${n}`, moduleId: "bench" }), work);
      }
      await manager[until]();
      if (slice > 0) costs.push((performance.now() - beganAt) / SLICE * 1000);
    }
  } finally {
    await manager.close({ graceMs: 0 });
    await Deno.remove(folder, { recursive: true });
  }
  return costs;
}

if (import.meta.main) await main();
