/**
 * Transitions: what can happen to a task, as `transitions()` gives it and the table `task_logs` keeps it.
 */

/**
 * What happened.
 *
 * - `enqueued`: it was stored. `imported`: it came from another queue. `leased`: a worker took it. `completed`: its handler returned.
 * - `retried`: an attempt failed and another follows. `failed`: none follows. `rescued`: its worker fell silent, and it
 *   was queued again.
 * - `released`: its worker gave it back, to be due at once or after `delayMs`. `cancelled`, `requeued`: a person cancelled it, queued it again.
 * - `expired`: it had not started by its `expiresAt`, and was cancelled by itself.
 * - `edited`: a person changed it while it waited; `changes` says what.
 */
export type TransitionKind = typeof TRANSITION_KINDS[number];

/** Everything that can happen to a task. */
export const TRANSITION_KINDS = [
  "enqueued",
  "imported",
  "leased",
  "completed",
  "retried",
  "failed",
  "released",
  "rescued",
  "cancelled",
  "requeued",
  "expired",
  "edited",
] as const;

/** What a field of a task was, and what it is since. Instants are ISO 8601 strings. */
export interface FieldChange {
  /** Before. */
  readonly from: string | number | null;
  /** Since then. */
  readonly to: string | number | null;
}

/** One step of a task's life. */
export interface TaskTransition {
  /** The id of the task. */
  readonly taskId: number;
  /** When it happened. */
  readonly at: Date;
  /** `warn` for what went wrong and is mended, `error` for a task that failed for good. */
  readonly level: "info" | "warn" | "error";
  /** What happened. */
  readonly kind: TransitionKind;
  /** The worker that took it or lost it. */
  readonly worker: string | null;
  /** Which attempt began or ended. */
  readonly attempt: number | null;
  /** How many attempts the handler allowed when the attempt failed, where that is less than the task does. */
  readonly handlerMaxAttempts: number | null;
  /** Why the attempt failed; at most 500 characters. */
  readonly error: string | null;
  /** How long the next attempt had to wait, in milliseconds. */
  readonly delayMs: number | null;
  /** Who did it by hand; `null` when nobody said, or nobody did. */
  readonly by: string | null;
  /** What is different since (`edited`), by the fields' written names; `null` for nothing. */
  readonly changes: Readonly<Record<string, FieldChange>> | null;
  /** The run whose completion stored it (`enqueued`). */
  readonly causedBy: string | null;
  /** How many tasks its completion stored (`completed`); `null` for none. */
  readonly enqueuedCount: number | null;
  /** The runs of the first 20 of them. */
  readonly enqueuedRuns: readonly string[];
  /** How long it waited since it was due (`leased`), or ran (what ends an attempt), in milliseconds. */
  readonly durationMs: number | null;
}

/** A step in the history of all tasks. */
export interface HistoryEntry extends TaskTransition {
  /** Names this step: give it as `after` to go on with the next. An opaque string, unique in this queue. */
  readonly cursor: string;
  /** The run id of the task. */
  readonly runId: string;
  /** The type of the task. */
  readonly type: string;
}

/** Which part of the history to read. */
export interface HistoryRequest {
  /** Only steps after the one with this cursor; default none at all: then the page only says where the history ends. */
  readonly after?: string;
  /** How many at most, 1–1000; default 100. */
  readonly limit?: number;
}

/** A part of the history of all tasks. */
export interface HistoryPage {
  /** The steps, in order. Those of pruned tasks are gone. */
  readonly entries: readonly HistoryEntry[];
  /** Give this as `after` to go on; never beyond the last step there is. */
  readonly cursor: string;
}
