/**
 * Evidence that the clock was put back: a row that was changed in the future. Clocks of processes may differ by less.
 */

/** How far in the future a row must have been changed, in milliseconds. */
export const CLOCK_TOLERANCE_MS = 30 * 60_000;

/** Whether `atMs` was written by a clock that was far ahead of the one that now shows `nowMs`. */
export function isFromFuture(atMs: number, nowMs: number): boolean {
  return atMs - nowMs > CLOCK_TOLERANCE_MS;
}
