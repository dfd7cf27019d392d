/**
 * How much memory the tasks of a queue may take in a process.
 */

/** How far the database may fill its memory; the marks are shares of `memoryMaxBytes`. */
export const MEMORY_LIMITS: {
  readonly memoryMaxBytesMin: number;
  readonly memoryMaxBytesMax: number;
  readonly highWaterShare: number;
} = Object.freeze({
  memoryMaxBytesMin: 1024 * 1024,
  /** Two thirds of what fits: the rest is for the largest operation's rollback journal, and for less dense pages elsewhere. */
  memoryMaxBytesMax: 1280 * 1024 * 1024,
  /** Nothing is added above it. What is here grows by up to a half until it ends: of what fits, that is three quarters. */
  highWaterShare: 0.75,
});
