/**
 * Claims from a long queue: one task from 1k, 100k and 1M, beside tasks that are scheduled for later, in every order. The
 * sizes take turns; each task is given back after its claim, which is not measured.
 */
import {
  CLAIM_ORDERS,
  type ClaimOrder,
  type Durability,
  openQueue,
  type TaskQueue,
} from "../../src/mod.ts";
import { type Bench, type Part, sizeName } from "../bench.ts";
import { TYPE } from "../contenders/contender.ts";
import { type Figure, percentiles } from "../figures.ts";
import { copyQueue, fill, queueOf } from "../fixtures.ts";
import { REACH_WORK } from "../reach_work.ts";

const SCHEDULED = 100_000;
const LATER = new Date(Date.now() + 365 * 86_400_000);

interface Backlog {
  readonly size: number;
  readonly path: string;
}

/** The part `backlog`. */
export const BACKLOG_PART: Part = {
  name: "backlog",
  about: `claims from long queues with ${sizeName(SCHEDULED)} scheduled, in every order`,
  run: async (bench) => {
    const backlogs: Backlog[] = [];
    for (const size of bench.scale.sizes) {
      backlogs.push({ size, path: await backlogOf(bench, size) });
    }
    const figures: Figure[] = [];
    for (const durability of ["full", "relaxed"] as const) {
      figures.push(...await claims(bench, backlogs, durability));
    }
    return figures;
  },
};

async function backlogOf(bench: Bench, size: number): Promise<string> {
  const path = await copyQueue(await queueOf(bench, size), bench.folder(`backlog ${size}`));
  bench.say(`adding ${sizeName(SCHEDULED)} scheduled tasks to ${sizeName(size)}`);
  const queue = await openQueue({ path, durability: "relaxed" });
  await fill(queue, SCHEDULED, { runAfter: LATER });
  await queue.close();
  return path;
}

async function claims(
  bench: Bench,
  backlogs: readonly Backlog[],
  durability: Durability,
): Promise<Figure[]> {
  const queues: TaskQueue[] = [];
  try {
    for (const { path } of backlogs) queues.push(await openQueue({ path, durability }));
    const figures: Figure[] = [];
    for (const order of CLAIM_ORDERS) {
      bench.say(`claims, ${order}, ${durability}`);
      const laps = await inTurns(queues, order, bench.scale.latencies);
      for (const [i, { size }] of backlogs.entries()) {
        figures.push({
          group: "backlog",
          work: `${REACH_WORK.claimAt(order)}${sizeName(size)}`,
          contender: `Holdfast, ${durability}`,
          survives: durability === "full" ? "power cut" : "killed process",
          latencyMs: percentiles(laps[i]!),
        });
      }
    }
    return figures;
  } finally {
    for (const queue of queues) await queue.close();
  }
}

/** The durations of `count` claims from each queue. */
async function inTurns(
  queues: readonly TaskQueue[],
  order: ClaimOrder,
  count: number,
): Promise<number[][]> {
  const laps = queues.map((): number[] => []);
  for (let n = 0; n < count; n++) {
    for (const [i, queue] of queues.entries()) {
      const startedAt = performance.now();
      const [task] = await queue.claim({ workerId: "bench", types: [TYPE], strategy: order });
      laps[i]!.push(performance.now() - startedAt);
      if (task === undefined) throw new Error(`Nothing was claimed, ${order}`);
      await queue.release(task);
    }
  }
  return laps;
}
