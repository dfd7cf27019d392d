/**
 * What a worker says when an attempt ends well or is given back, checked before any effect.
 */
import { checkInteger } from "../domain/check.ts";
import { RETRY_AFTER_MAX_MS } from "../domain/errors.ts";
import { toJsonText } from "../domain/json.ts";
import { type Lease, type LeaseLike, TASK_LIMITS, toLease } from "../domain/task.ts";
import type { CompleteOptions, ReleaseOptions } from "../queue/task_queue.ts";
import { type PreparedTask, prepareTask } from "./new_task.ts";

/** A checked completion. */
export interface Completion {
  readonly lease: Lease;
  /** A JSON text. */
  readonly result: string;
  /** The tasks that are stored in the same commit. */
  readonly tasks: readonly PreparedTask[];
}

/** Checks a completion. @throws TypeError, RangeError */
export function prepareCompletion(
  lease: LeaseLike,
  result: unknown,
  { enqueue = [], payloadMaxBytes }: CompleteOptions & { readonly payloadMaxBytes: number },
): Completion {
  checkInteger(
    enqueue.length,
    "number of tasks to enqueue with a completion",
    0,
    TASK_LIMITS.enqueuedByTaskMax,
  );
  return {
    lease: toLease(lease),
    result: toJsonText(result, "result", TASK_LIMITS.resultMaxBytes),
    tasks: enqueue.map((task) => prepareTask(task, payloadMaxBytes)),
  };
}

/** How long a task that is given back is not due. @throws RangeError */
export function checkReleaseDelay({ delayMs = 0 }: ReleaseOptions): number {
  if (delayMs >= 0 && delayMs <= RETRY_AFTER_MAX_MS) return delayMs;
  throw new RangeError(
    `Cannot release a task for ${delayMs} ms: a number from 0 to ${RETRY_AFTER_MAX_MS} is needed`,
  );
}
