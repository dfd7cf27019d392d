/**
 * How many fsyncs a thousand tasks cost that are enqueued in a batch and finished by a worker, 32 at a time.
 */
import { join } from "node:path";
import type { Bench, Part } from "../bench.ts";
import { holdfast } from "../contenders/holdfast.ts";
import type { Figure } from "../figures.ts";
import { Stopwatch } from "../measure.ts";
import { BATCH, CONCURRENCY, REACH_WORK } from "../reach_work.ts";

/** The part `fsyncs`. */
export const SYNCS_PART: Part = {
  name: "fsyncs",
  about: "fsyncs of 1,000 tasks in a batch, finished at concurrency 32",
  run: async (bench) => [await countSyncs(bench)],
};

async function countSyncs(bench: Bench): Promise<Figure> {
  const contender = await holdfast(join(bench.folder("fsyncs"), "queue.db"), "full");
  const samples: number[] = [];
  try {
    for (let round = 0; round < bench.scale.rounds; round++) {
      const working = await contender.work!(CONCURRENCY);
      const watch = new Stopwatch(contender);
      await watch.total(() => working.live(BATCH));
      await working.stop();
      samples.push(watch.syncs!);
    }
  } finally {
    await contender.close();
  }
  const { name, survives } = contender;
  return {
    group: "fsyncs",
    work: REACH_WORK.fsyncs,
    contender: name,
    survives,
    samples,
    unit: "fsyncs",
  };
}
