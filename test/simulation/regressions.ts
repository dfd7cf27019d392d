/**
 * Bugs that the simulation found. Each is brought back by a mutant of `test/mutants`, and each seed here finds it again unless it
 * says otherwise: a history is another one as soon as a record's bytes or a script's chances change, so the seed that found a bug
 * first says nothing for long. When the simulation changes, look for the seeds anew: `deno task mutants --only=…`.
 */

/** A bug, and a seed that finds it. */
export interface Regression {
  readonly seed: number;
  /** What was wrong. */
  readonly found: string;
  /** What brings it back. */
  readonly mutant: string;
}

/** The bugs, oldest first. */
export const REGRESSIONS: readonly Regression[] = [
  {
    seed: 5,
    found: "a short read of a segment's header was taken for damage",
    mutant: "read a segment's header in one read",
  },
  {
    seed: 196,
    found: "close() called again resolved before the first had closed anything",
    mutant: "answer a second close() before the first",
  },
  {
    seed: 152,
    found: "records that a failed fsync had forgotten were built upon as durable",
    mutant: "build on records that a failed fsync has forgotten",
  },
  {
    seed: 2,
    found: "a segment's header that a failed fsync had forgotten, likewise",
    mutant: "build on a segment's header that a failed fsync has forgotten",
  },
  // Found by this seed first; histories have changed since, and no other has found it again: `ledger/cut.test.ts` shows it.
  {
    seed: 400654,
    found: "what a failed append left, and was cut, came back after a power cut",
    mutant: "tell a refusal before its undoing is durable",
  },
];
