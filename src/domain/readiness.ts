/**
 * Readiness: whether a queued task can be claimed now. Every place that stores or changes a queued task asks here.
 */

/** When a queued task may be claimed. */
export interface Awaited {
  /** The instant before which it is not claimed, in milliseconds since 1970. */
  readonly runAfterMs: number;
  /** How many of its parents are not final yet. */
  readonly waitsFor: number;
}

/** Whether a task that has never started ends by itself: its `expiresAt` has come. */
export function hasExpiredBy(expiresAtMs: number | null, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

/** Whether a queued task is due and waits for no parent. */
export function isReady({ runAfterMs, waitsFor }: Awaited, nowMs: number): boolean {
  return runAfterMs <= nowMs && waitsFor === 0;
}
