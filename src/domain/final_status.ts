/**
 * The final statuses: how a task can have ended.
 */

/** Every final status. */
export const FINAL_STATUSES = ["completed", "failed", "cancelled"] as const;

/** A status of a task that has ended; see `TaskStatus`. */
export type FinalStatus = typeof FINAL_STATUSES[number];
