/**
 * Checkpoints: how long one takes, and how long the event loop stands still meanwhile at the longest.
 */
import { setImmediate } from "node:timers";
import { openEmbeddedQueue } from "../../src/mod.ts";
import { type Bench, type Part, sizeName } from "../bench.ts";
import type { Figure } from "../figures.ts";
import { fill, queueOf } from "../fixtures.ts";
import { REACH_WORK } from "../reach_work.ts";

const SIZE_MIN = 100_000;
/** So that there is something to fold. */
const NEW_TASKS = 100;

/** The part `checkpoint`. */
export const CHECKPOINT_PART: Part = {
  name: "checkpoint",
  about: "its duration, and the longest event-loop stall meanwhile",
  run: async (bench) => {
    const figures: Figure[] = [];
    for (const size of bench.scale.sizes.filter((size) => size >= SIZE_MIN)) {
      figures.push(...await checkpoints(bench, size));
    }
    return figures;
  },
};

async function checkpoints(bench: Bench, size: number): Promise<Figure[]> {
  const name = sizeName(size);
  const queue = await openEmbeddedQueue({ path: await queueOf(bench, size) });
  bench.say(REACH_WORK.checkpoint(name));
  const durations: number[] = [];
  const stalls: number[] = [];
  try {
    for (let round = 0; round < bench.scale.rounds; round++) {
      await fill(queue, NEW_TASKS);
      const stall = new StallWatch();
      const startedAt = performance.now();
      await queue.checkpoint();
      durations.push(performance.now() - startedAt);
      stalls.push(await stall.stop());
    }
  } finally {
    await queue.close();
  }
  const of = {
    group: "checkpoint",
    contender: "Holdfast, full",
    survives: "power cut",
    unit: "ms",
  };
  return [
    { ...of, work: REACH_WORK.checkpoint(name), samples: durations },
    { ...of, work: REACH_WORK.stall(name), samples: stalls },
  ] as Figure[];
}

/** Notes how long the event loop does not come round. */
class StallWatch {
  #longestMs = 0;
  #lastAt = performance.now();
  #isOver = false;
  readonly #over = Promise.withResolvers<void>();

  constructor() {
    setImmediate(() => this.#tick());
  }

  /** The longest time between two rounds so far, in milliseconds. */
  async stop(): Promise<number> {
    this.#isOver = true;
    await this.#over.promise;
    return this.#longestMs;
  }

  #tick(): void {
    const now = performance.now();
    this.#longestMs = Math.max(this.#longestMs, now - this.#lastAt);
    this.#lastAt = now;
    if (this.#isOver) this.#over.resolve();
    else setImmediate(() => this.#tick());
  }
}
