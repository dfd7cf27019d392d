/**
 * Uniqueness: what becomes of a new task when there is one of its type under the same key. It is decided when a task is enqueued,
 * from where the other one is then; nothing is released later, so nothing can be left behind.
 */

/** Every way in which a task can be unique. */
export const UNIQUE_MODES = ["throttle", "debounce", "queued", "incomplete"] as const;

/**
 * What becomes of a new task when the latest of its type under its key, the holder, is there.
 *
 * - `throttle`: it joins the holder for `windowMs` after that one was stored, whatever became of it.
 * - `debounce`: while the holder has never started, the holder takes over its payload, and is due `windowMs` from now, but no later
 *   than `maxWaitMs` after it was stored.
 * - `queued`: it joins the holder while that one has never started. `incomplete`: while it is not final.
 *
 * Else it is a task of its own, and the next holder.
 */
export type UniqueMode = typeof UNIQUE_MODES[number];

/** What makes a task unique. */
export interface Unique {
  /** The key, unique for each task type, 1–255 characters; surrounding blanks are trimmed. */
  readonly key: string;
  /** What becomes of it when there is one already. */
  readonly mode: UniqueMode;
  /** For how long, 1 ms to 366 days in milliseconds; only with `throttle` and `debounce`, which need it. */
  readonly windowMs?: number;
  /** How long a debounced task waits at most, from `windowMs` to 366 days in milliseconds; default ten times `windowMs`. */
  readonly maxWaitMs?: number;
}

/** The bounds of its fields. */
export const UNIQUE_LIMITS: { readonly keyMaxLength: number; readonly windowMaxMs: number } = Object
  .freeze({
    /** Characters of a key. */
    keyMaxLength: 255,
    /** The longest window, and the longest that a debounced task waits, in milliseconds. */
    windowMaxMs: 366 * 24 * 3_600_000,
  });

/** Every way in which a task comes out of `enqueue`. */
export const ENQUEUE_OUTCOMES = ["created", "existing", "joined", "replaced"] as const;

/** How it does: stored, found under its idempotency key, or one that stands for it under its unique key. */
export type EnqueueOutcome = typeof ENQUEUE_OUTCOMES[number];
