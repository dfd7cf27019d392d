/**
 * Opening a queue in a new process, and the memory that its tasks take there.
 */
import { type Bench, type Part, sizeName } from "../bench.ts";
import { startProgram } from "../children.ts";
import type { Figure } from "../figures.ts";
import { queueOf, unfoldedQueueOf } from "../fixtures.ts";
import type { Opened } from "../programs/open.ts";
import { REACH_WORK } from "../reach_work.ts";

/** Smaller queues say nothing. */
const SIZE_MIN = 100_000;
const MEMORY_SIZE = 100_000;

/** The part `open`. */
export const OPEN_PART: Part = {
  name: "open",
  about: "opening in a new process, and memory per 100k tasks",
  run: async (bench) => {
    const figures: Figure[] = [];
    for (const size of bench.scale.sizes.filter((size) => size >= SIZE_MIN)) {
      const name = sizeName(size);
      const folded = await queueOf(bench, size);
      figures.push(await openings(bench, REACH_WORK.open(name), folded));
      const unfolded = await unfoldedQueueOf(bench, size);
      figures.push(await openings(bench, REACH_WORK.openUnfolded(name), unfolded));
    }
    return [...figures, await memory(bench)];
  },
};

async function openings(bench: Bench, work: string, path: string): Promise<Figure> {
  bench.say(work);
  const samples: number[] = [];
  for (let round = 0; round < bench.scale.rounds; round++) {
    samples.push((await openOnce(path)).openMs);
  }
  return figureOf(work, samples, "ms");
}

async function memory(bench: Bench): Promise<Figure> {
  const path = await queueOf(bench, MEMORY_SIZE);
  const samples: number[] = [];
  for (let round = 0; round < bench.scale.rounds; round++) {
    const { residentBytes: [before, after] } = await openOnce(path, "warm");
    samples.push((after - before) / 2 ** 20);
  }
  return figureOf(REACH_WORK.memory, samples, "MiB resident");
}

async function openOnce(path: string, ...more: readonly string[]): Promise<Opened> {
  const child = startProgram("open", path, ...more);
  const opened = await child.hear<Opened>();
  await child.end();
  return opened;
}

function figureOf(work: string, samples: readonly number[], unit: string): Figure {
  const contender = "Holdfast, full";
  return { group: "open", work, contender, survives: "power cut", samples, unit };
}
