/**
 * The bounds of a worker's settings: what a worker may ask for is what a queue takes in its heartbeat.
 */

/** The bounds of a worker's settings, in the units of their names; those of its leases are in `TaskLimits`. */
export interface WorkerLimits {
  /** Task types that one worker can have handlers for. */
  readonly typesMax: number;
  /** The most tasks at the same time that can be asked for, of a worker or of one type. */
  readonly concurrencyMax: number;
  /** The longest polling interval that can be asked for, in milliseconds. */
  readonly pollIntervalMaxMs: number;
  /** Characters of what a worker says of its version, and of what it runs on. */
  readonly versionMaxLength: number;
}

/** The bounds that apply. */
export const WORKER_LIMITS: WorkerLimits = Object.freeze({
  typesMax: 1000,
  concurrencyMax: 1000,
  pollIntervalMaxMs: 60_000,
  versionMaxLength: 100,
});
