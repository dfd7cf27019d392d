/**
 * Enqueueing, claiming and the whole life of a task, all contenders in turn.
 */
import { join } from "node:path";
import type { Bench, Part } from "../bench.ts";
import type { Contender } from "../contenders/contender.ts";
import { denoKv } from "../contenders/deno_kv.ts";
import { holdfast } from "../contenders/holdfast.ts";
import { inMemory } from "../contenders/in_memory.ts";
import { nodeSqlite } from "../contenders/node_sqlite.ts";
import type { Figure } from "../figures.ts";
import { measure, type Stopwatch, type Workload } from "../measure.ts";
import { BATCH, CALLERS, CONCURRENCY, REACH_WORK } from "../reach_work.ts";

/** The parts `enqueue`, `claim` and `life`. */
export const THROUGHPUT_PARTS: readonly Part[] = [
  {
    name: "enqueue",
    about: "one caller, 64 callers, batches of 1,000",
    run: (bench) =>
      inTurns(bench, "enqueue", [
        {
          name: REACH_WORK.enqueueOne,
          run: (c, watch) => callers(c, watch, [1, bench.scale.operations]),
        },
        {
          name: REACH_WORK.enqueueMany,
          run: (c, watch) => callers(c, watch, [CALLERS, bench.scale.operations / 20]),
        },
        { name: REACH_WORK.enqueueBatch, run: batches },
      ]),
  },
  {
    name: "claim",
    about: "claim + complete, one at a time and 32 at a time",
    run: (bench) =>
      inTurns(bench, "claim", [
        claiming(REACH_WORK.claimOne, 1, bench.scale.operations / 2),
        claiming(REACH_WORK.claimMany, CONCURRENCY, 960),
      ]),
  },
  {
    name: "life",
    about: "the whole life of a task whose handler does nothing, through Worker",
    run: (bench) =>
      inTurns(bench, "life", [
        {
          name: REACH_WORK.liveOne,
          run: (c, watch) => lives(c, watch, [bench.scale.operations / 2, 1]),
        },
        { name: REACH_WORK.liveMany, run: (c, watch) => lives(c, watch, [1, BATCH]) },
      ]),
  },
];

/** Everyone, each with new files. */
export async function openContenders(folder: string): Promise<Contender[]> {
  const contenders = [
    await holdfast(join(folder, "full.db"), "full"),
    await holdfast(join(folder, "relaxed.db"), "relaxed"),
    inMemory(),
  ];
  for (const synchronous of ["FULL", "NORMAL"] as const) {
    for (const hasTransitions of [false, true]) {
      const path = join(folder, `sqlite ${synchronous} ${hasTransitions}.db`);
      contenders.push(nodeSqlite(path, { synchronous, hasTransitions }));
    }
  }
  if ("openKv" in Deno) contenders.push(await denoKv(join(folder, "kv.db")));
  return contenders;
}

async function inTurns(
  bench: Bench,
  group: string,
  workloads: readonly Workload<Contender>[],
): Promise<Figure[]> {
  const subjects = await openContenders(bench.folder(group));
  const figures: Figure[] = [];
  try {
    for (const workload of workloads) {
      bench.say(workload.name);
      figures.push(...await measure(group, workload, { subjects, rounds: bench.scale.rounds }));
    }
  } finally {
    for (const subject of subjects) await subject.close();
  }
  return figures;
}

async function callers(
  contender: Contender,
  watch: Stopwatch,
  [count, each]: readonly [count: number, each: number],
): Promise<number> {
  const call = async (): Promise<void> => {
    for (let n = 0; n < each; n++) await watch.lap(() => contender.enqueue(n));
  };
  await watch.total(async () => {
    await Promise.all(Array.from({ length: count }, call));
  });
  return count * each;
}

async function batches(contender: Contender, watch: Stopwatch): Promise<number> {
  const times = 3;
  await watch.total(async () => {
    for (let n = 0; n < times; n++) await watch.lap(() => contender.enqueueBatch(BATCH));
  });
  return times * BATCH;
}

function claiming(name: string, limit: number, tasks: number): Workload<Contender> {
  return {
    name,
    suits: ({ claimAndComplete }) => claimAndComplete !== undefined,
    run: async (contender, watch) => {
      const claimAndComplete = contender.claimAndComplete!;
      await contender.enqueueBatch(BATCH);
      let done = 0;
      await watch.total(async () => {
        while (done < tasks) done += await watch.lap(() => claimAndComplete(limit));
      });
      return done;
    },
  };
}

async function lives(
  contender: Contender,
  watch: Stopwatch,
  [times, count]: readonly [times: number, count: number],
): Promise<number> {
  const working = await contender.work(count === 1 ? 1 : CONCURRENCY);
  await watch.total(async () => {
    for (let n = 0; n < times; n++) await watch.lap(() => working.live(count));
  });
  await working.stop();
  return times * count;
}
