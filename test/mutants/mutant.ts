/**
 * What a mutant is.
 */

/** One deliberate fault. */
export interface Mutant {
  /** What it does wrong, unique. */
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The test files or folders that should notice it, tried first; then all of `SUITE`. */
  readonly tests: readonly string[];
}
