/**
 * Bulk: one change for all tasks that match a filter, in many small transactions.
 */
import type { TaskStatus } from "../domain/task.ts";
import type { ChangedBy } from "./limits.ts";

/** What can be done to many tasks. */
export const BULK_ACTIONS = ["cancel", "retry", "remove", "reschedule", "set_priority"] as const;

/**
 * What to do.
 *
 * - `cancel`: what is queued or leased. `retry`: what has failed or was cancelled.
 * - `remove`: what is final, for good; one with a child that is not final stays.
 * - `reschedule`, `set_priority`: what is queued, as `update` does it.
 */
export type BulkAction = typeof BULK_ACTIONS[number];

/** The statuses that each action is for. */
export const BULK_STATUSES: Readonly<Record<BulkAction, readonly TaskStatus[]>> = Object.freeze({
  cancel: ["queued", "leased"],
  retry: ["failed", "cancelled"],
  remove: ["completed", "failed", "cancelled"],
  reschedule: ["queued"],
  set_priority: ["queued"],
});

/** The ranges of a bulk request. */
export const BULK_LIMITS: {
  /** How many ids one request names at most. */
  readonly idsMax: number;
  /** A dry run counts so far, and then says that there may be more. */
  readonly countMax: number;
  /** How long one request works at most, in milliseconds. */
  readonly budgetMaxMs: number;
  /** How long it works when nothing is said, in milliseconds. */
  readonly budgetDefaultMs: number;
  /** The longest text that is looked for in errors, in characters. */
  readonly errorMaxLength: number;
} = Object.freeze({
  idsMax: 10_000,
  countMax: 10_000,
  budgetMaxMs: 30_000,
  budgetDefaultMs: 2000,
  errorMaxLength: 500,
});

/** Which tasks; a task matches when all that is given is true of it. */
export interface BulkFilter {
  /** Only these statuses, of those that the action is for; default all of those. */
  readonly statuses?: readonly TaskStatus[];
  /** Only tasks of this type. */
  readonly type?: string;
  /** Only tasks of this group. */
  readonly group?: string;
  /** Only tasks with this tag. */
  readonly tag?: string;
  /** Only these, at most 10,000; those that are gone are passed over. */
  readonly ids?: readonly number[];
  /** Only those that were stored before: a `Date`, or an ISO 8601 string with a zone. */
  readonly createdBefore?: Date | string;
  /** Only those that have ended before: a `Date`, or an ISO 8601 string with a zone. */
  readonly finishedBefore?: Date | string;
  /** Only those whose last error has this text in it, in any case; 1–500 characters. */
  readonly errorContains?: string;
  /** Only those that have begun so many executions or more. */
  readonly attemptsMin?: number;
  /** Only those with this id or a lower one; default all that there are at the beginning. */
  readonly upToId?: number;
}

/** What to do, and to which tasks. */
export interface BulkRequest extends ChangedBy {
  /** What to do. */
  readonly action: BulkAction;
  /** To which tasks. */
  readonly filter: BulkFilter;
  /** Must be true for a filter without a field, which every task matches; default false. */
  readonly all?: boolean;
  /** The priority that `set_priority` gives, 1–1000, for which it is needed; default none. */
  readonly priority?: number;
  /** When `reschedule` makes them due: a `Date`, or an ISO 8601 string with a zone; default as `delayMs` says. */
  readonly runAfter?: Date | string;
  /** The same from then on, by the queue's clock, in milliseconds, 0 to a year; 0 makes them due now. Default as `runAfter` says. */
  readonly delayMs?: number;
  /** Counts what matches, up to 10,000, and changes nothing; default false. */
  readonly dryRun?: boolean;
  /** The `cursor` of the answer before, for the rest; default from the beginning. */
  readonly cursor?: string;
  /** After how long to answer with what is done so far, 0 to 30,000 ms; one transaction is always done. Default 2,000. */
  readonly budgetMs?: number;
}

/** What one request has done. */
export interface BulkReport {
  /** How many tasks matched. */
  readonly matched: number;
  /** How many of them are different now: none in a dry run, and none that were so already or must stay. */
  readonly changed: number;
  /** Up to which id tasks were looked at. */
  readonly doneUpToId: number;
  /** The highest id when it began: what is stored later is spared. */
  readonly upToId: number;
  /** Give this for the rest; `null` when there is none. */
  readonly cursor: string | null;
}
