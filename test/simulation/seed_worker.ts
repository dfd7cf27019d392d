/**
 * Runs seeds in a thread of its own: gets a seed, answers with its outcome.
 */
import { scriptOf } from "./script.ts";
import { type Outcome, simulate } from "./simulation.ts";

/** The outcome of a seed. */
export interface SeedOutcome extends Outcome {
  readonly seed: number;
}

interface WorkerScope {
  onmessage: (event: MessageEvent<number>) => void;
  postMessage(message: SeedOutcome): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.onmessage = async ({ data: seed }): Promise<void> => {
  scope.postMessage({ seed, ...await simulate(scriptOf(seed)) });
};
