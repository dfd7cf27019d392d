/**
 * Runs many seeds on several threads.
 */
import type { SeedOutcome } from "./seed_worker.ts";

/** Runs the seeds that `nextSeed` gives, until it gives none; tells every outcome. */
export async function runSeeds(
  nextSeed: () => number | undefined,
  options: { readonly threads: number; readonly onOutcome: (outcome: SeedOutcome) => void },
): Promise<void> {
  const threads = Array.from(
    { length: options.threads },
    () => runThread(nextSeed, options.onOutcome),
  );
  await Promise.all(threads);
}

/** The seeds from `first` on, `count` of them. */
export function seedsFrom(first: number, count: number): () => number | undefined {
  let given = 0;
  return () => given < count ? first + given++ : undefined;
}

function runThread(
  nextSeed: () => number | undefined,
  onOutcome: (outcome: SeedOutcome) => void,
): Promise<void> {
  const thread = new Worker(new URL("./seed_worker.ts", import.meta.url), { type: "module" });
  return new Promise<void>((resolve, reject) => {
    const goOn = (): void => {
      const seed = nextSeed();
      if (seed === undefined) resolve();
      else thread.postMessage(seed);
    };
    thread.onmessage = ({ data }: MessageEvent<SeedOutcome>): void => {
      onOutcome(data);
      goOn();
    };
    thread.onerror = (event): void => {
      event.preventDefault();
      reject(new Error(`The thread of a simulation failed: ${event.message}`));
    };
    goOn();
  }).finally(() => thread.terminate());
}
