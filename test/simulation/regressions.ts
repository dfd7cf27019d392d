/**
 * Scripts that found something once. Each runs in every test run.
 */

/** A seed, and what it found. */
export interface Regression {
  readonly seed: number;
  readonly found: string;
}

/** The seeds, oldest first. */
export const REGRESSIONS: readonly Regression[] = [
  { seed: 1, found: "a short read of a segment's header was taken for damage" },
  { seed: 131, found: "close() called again resolved before the first had closed anything" },
  { seed: 603, found: "records that a failed fsync had forgotten were built upon as durable" },
  { seed: 677, found: "a segment's header that a failed fsync had forgotten, likewise" },
  { seed: 400654, found: "what a failed append left, and was cut, came back after a power cut" },
];
