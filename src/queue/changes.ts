/**
 * Changes by hand: what a person does to tasks that are in the queue, and who did it.
 *
 * Only a task that waits can be changed: what a worker holds belongs to the worker until its lease ends.
 */
import type { Task } from "../domain/task.ts";
import type { BulkReport, BulkRequest } from "./bulk.ts";
import type { ChangedBy } from "./limits.ts";

/** What is to be different of a queued task; at least one of these. */
export interface TaskUpdate {
  /** Its priority, 1–1000; lower runs first. */
  readonly priority?: number;
  /** Not before this instant: a `Date`, or an ISO 8601 string with a zone. One that is past makes it due now. */
  readonly runAfter?: Date | string;
  /** The same from now on, by the queue's clock, in milliseconds, 0 to a year; 0 makes it due now. Not together with `runAfter`. */
  readonly delayMs?: number;
  /** Executions allowed, 1–100, and more than there were. */
  readonly maxAttempts?: number;
  /** Its group; `null` for none. */
  readonly group?: string | null;
  /**
   * When it is cancelled by itself if it has not started: a `Date`, or an ISO 8601 string with a zone; `null` for never. Of no effect
   * on one that has started.
   */
  readonly expiresAt?: Date | string | null;
  /** All its tags, at most 10 of 1–100 characters; an empty array, or `null`, for none. */
  readonly tags?: readonly string[] | null;
}

/** Who changes a task, and what of it was seen. */
export interface UpdateOptions extends ChangedBy {
  /**
   * The task's `updatedAt`, as it was seen: when it has been changed since, nothing is. A `Date`, or an ISO 8601 string with a
   * zone; default whatever it is.
   */
  readonly expectUpdatedAt?: Date | string;
}

/** What another task is to have that takes the place of one; all the rest it has from that one, but for the idempotency key. */
export interface TaskReplacement extends TaskUpdate {
  /** Its payload, a JSON value. */
  readonly payload: unknown;
  /** Its run id; default a random UUID. */
  readonly runId?: string;
}

/** What can be changed of tasks by hand. */
export interface QueueChanges {
  /**
   * Changes a queued task in place, whether it is due, scheduled, between attempts or waiting for parents (which it goes on
   * waiting for); the task as it is then. What is so already leaves no trace; the rest is a transition `edited`, old and new.
   *
   * @throws TypeError, RangeError for a value out of its range.
   * @throws QueueError `task_not_found`; `task_not_queued`: a worker holds it, or it is final; `task_changed`: not as expected.
   */
  update(id: number, changes: TaskUpdate, options?: UpdateOptions): Promise<Task>;
  /**
   * Stores another task with another payload in place of one that no worker holds, in one transaction; the new one. It has the
   * old one's settings, parents and webhook, and fresh attempts. A queued one is cancelled (`Replaced by run …`), and tasks that
   * wait for it wait for the new one; a failed or cancelled one stays as it is, and so do its children. The old one keeps its
   * idempotency key.
   *
   * @throws TypeError, RangeError for a value out of its range, and for more than 10,000 tasks that would have to follow.
   * @throws QueueError `task_not_found`; `task_not_queued`: a worker holds it, or it has completed; `task_changed`: not as
   * expected; `run_id_conflict`.
   */
  replace(id: number, replacement: TaskReplacement, options?: UpdateOptions): Promise<Task>;
  /**
   * Deletes a task for good, with its transitions and logs, and frees its idempotency key. A queued one is cancelled first, so
   * that whoever waits for it, and its webhook, hear of it.
   *
   * @throws QueueError `task_not_found`; `task_leased`: cancel it first; `task_has_children`: tasks that are not final depend on
   * it, and may ask for its result.
   */
  remove(id: number, options?: ChangedBy): Promise<void>;
  /**
   * Does the same to all tasks that match, by their ids, in transactions of at most 500: as many as fit into `budgetMs`. The
   * answer's cursor leads to the rest. What is stored after the beginning is spared. Whoever is killed in between has done a part,
   * and the same request does the rest.
   *
   * @throws TypeError, RangeError; also for a filter without a field unless `all` is true.
   */
  bulk(request: BulkRequest): Promise<BulkReport>;
}
