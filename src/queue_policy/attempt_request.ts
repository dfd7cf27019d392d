/**
 * What a worker says when an attempt ends well or is given back, checked before any effect.
 */
import {
  checkArray,
  checkInteger,
  checkLeaseDuration,
  checkPercent,
  checkText,
} from "../domain/check.ts";
import { checkDelay } from "../domain/errors.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { toJsonText } from "../domain/json.ts";
import { type Lease, type LeaseLike, type NewTask, TASK_LIMITS } from "../domain/task.ts";
import { toLease } from "../domain/to_lease.ts";
import type { CompleteOptions, FailOptions, ReleaseOptions } from "../queue/task_queue.ts";
import { PAYLOAD_LIMIT_BYTES, type PreparedTask, prepareTask } from "./new_task.ts";

/** A checked completion. */
export interface Completion {
  readonly lease: Lease;
  /** A JSON text. */
  readonly result: string;
  /** The tasks that are stored in the same commit. */
  readonly tasks: readonly PreparedTask[];
}

const COMPLETE_OPTIONS = optionNames<CompleteOptions>({ enqueue: true });
const FAIL_OPTIONS = optionNames<FailOptions>({ retryPolicy: true, maxAttempts: true });
const RELEASE_OPTIONS = optionNames<ReleaseOptions>({ delayMs: true });
const RENEW_OPTIONS = optionNames<RenewOptions>({ leaseDurationMs: true });

/** How to renew a lease. */
export interface RenewOptions {
  readonly leaseDurationMs?: number;
}

/** How long a renewed lease lasts. @throws TypeError, RangeError */
export function prepareRenewal(options: RenewOptions): number {
  checkOptions(options, RENEW_OPTIONS, "renew");
  return checkLeaseDuration(options.leaseDurationMs);
}

/** A checked report of progress. */
export interface ProgressReport {
  readonly lease: Lease;
  readonly percent: number;
  readonly message: string | null;
}

/** Checks a report of progress. @throws TypeError, RangeError */
export function prepareProgress(
  lease: LeaseLike,
  percent: number,
  message: string | undefined,
): ProgressReport {
  return {
    lease: toLease(lease),
    percent: checkPercent(percent),
    message: message === undefined || message === null
      ? null
      : checkText(message, "message of progress"),
  };
}

/** `options`, which have nothing unknown. @throws TypeError */
export function checkFailOptions(options: FailOptions): FailOptions {
  checkOptions(options, FAIL_OPTIONS, "fail");
  return options;
}

/** Checks a completion. @throws TypeError, RangeError */
export function prepareCompletion(
  lease: LeaseLike,
  result: unknown,
  options: CompleteOptions,
  payloadMaxBytes: number,
): Completion {
  const held = toLease(lease);
  checkOptions(options, COMPLETE_OPTIONS, "complete");
  const enqueue = checkArray(options.enqueue ?? [], "enqueue of complete", "tasks");
  checkCount(enqueue.length);
  return {
    lease: held,
    result: toJsonText(result, "result", TASK_LIMITS.resultMaxBytes),
    tasks: enqueue.map((task) => prepareTask(task, payloadMaxBytes)),
  };
}

/** A task that a handler enqueues: its run id is known at once. */
export type FollowingTask = NewTask & { readonly runId: string };

/**
 * The `count`-th task that a handler enqueues, checked, with a run id and its payload as it is now. How large the payload may be
 * is the queue's to say.
 *
 * @throws TypeError, RangeError
 */
export function followingTask(task: NewTask, count: number): FollowingTask {
  checkCount(count);
  const { runId, payload } = prepareTask(task, PAYLOAD_LIMIT_BYTES);
  return { ...task, payload: JSON.parse(payload), runId: runId ?? crypto.randomUUID() };
}

function checkCount(count: number): void {
  const { enqueuedByTaskMax } = TASK_LIMITS;
  checkInteger(count, "number of tasks to enqueue with a completion", 0, enqueuedByTaskMax);
}

/** How long a task that is given back is not due. @throws RangeError */
export function checkReleaseDelay(options: ReleaseOptions): number {
  checkOptions(options, RELEASE_OPTIONS, "release");
  return checkDelay(options.delayMs ?? 0, "release a task for");
}
