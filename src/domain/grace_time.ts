/**
 * The grace time: how long what runs may go on when its worker or manager ends.
 */

/** The grace time when nothing is said, in milliseconds. */
export const GRACE_DEFAULT_MS = 10_000;

/**
 * A grace time in milliseconds, or its default.
 *
 * @throws TypeError when it is not a number; RangeError when it is negative.
 */
export function resolveGraceMs(graceMs: number | undefined): number {
  const resolved: unknown = graceMs ?? GRACE_DEFAULT_MS;
  const problem = "as graceMs: a number of at least 0 is needed";
  if (typeof resolved !== "number") {
    throw new TypeError(`Cannot use ${JSON.stringify(resolved) ?? typeof resolved} ${problem}`);
  }
  if (resolved >= 0) return resolved;
  throw new RangeError(`Cannot use ${resolved} ${problem}`);
}
