/**
 * What a worker costs that has nothing to do: the CPU time of its process, all threads together, which it tells itself.
 */
import { join } from "node:path";
import type { Bench, Part } from "../bench.ts";
import { type Child, startProgram } from "../children.ts";
import type { Figure } from "../figures.ts";
import { REACH_WORK } from "../reach_work.ts";

/** Before it counts: starting up is over. */
const SETTLE_MS = 3000;
/** The part `idle`. */
export const IDLE_PART: Part = {
  name: "idle",
  about: "CPU time of a worker that waits",
  run: async (bench) => [await idleCpu(bench)],
};

async function idleCpu(bench: Bench): Promise<Figure> {
  const child = startProgram("worker", join(bench.folder("idle"), "queue.db"), "full", "8", "0");
  await child.hear<"ready">();
  await child.tell("go");
  await pause(SETTLE_MS);
  const before = await cpuMs(child);
  const startedAt = performance.now();
  await pause(bench.scale.idleSeconds * 1000);
  const usedMs = await cpuMs(child) - before;
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

async function cpuMs(child: Child): Promise<number> {
  await child.tell("cpu");
  return await child.hear<number>();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
