/**
 * How an attempt ends: only by the holder of the current lease, or by rescue.
 */
import { backoffDelayMs, type RetryPolicy } from "../domain/backoff.ts";
import { checkInteger } from "../domain/check.ts";
import { QueueError } from "../domain/errors.ts";
import type { Random } from "../domain/random.ts";
import { type Lease, TASK_LIMITS, type TaskStatus } from "../domain/task.ts";
import type { Failure } from "./failure.ts";

/** Who may end a task's attempt. */
export interface LeaseState {
  readonly status: TaskStatus;
  readonly leaseToken: number;
  readonly lockedBy: string | null;
}

/** Only the holder of the current lease may act. @throws QueueError `lease_lost`. */
export function checkHeld(task: LeaseState, lease: Lease, action: string): void {
  const reason = whyNotHeld(task, lease);
  if (reason === undefined) return;
  throw new QueueError("lease_lost", `Cannot ${action} task ${lease.taskId}: ${reason}`);
}

function whyNotHeld(
  { status, leaseToken, lockedBy }: LeaseState,
  lease: Lease,
): string | undefined {
  if (status !== "leased") return `it is ${status}, not leased`;
  if (leaseToken !== lease.leaseToken) {
    return `lease token ${lease.leaseToken} is stale, current is ${leaseToken}`;
  }
  if (lockedBy === lease.workerId) return undefined;
  return `its lease belongs to worker ${JSON.stringify(lockedBy)}, not to ${
    JSON.stringify(lease.workerId)
  }`;
}

/** What a task says of its attempts. */
export interface Attempts {
  readonly attempts: number;
  readonly maxAttempts: number;
  /** Its own retry policy. */
  readonly retryPolicy: RetryPolicy | null;
}

/** What follows from a failed attempt: another one after a delay, or the end when there is none. */
export interface FailureOutcome {
  /** How long the next attempt waits; `null` when none follows. */
  readonly delayMs: number | null;
  /** How many attempts the handler allows, where that is less than the task does. */
  readonly handlerMaxAttempts: number | undefined;
}

/** What follows from a failure, by the task's policy, the handler's, or the queue's. */
export function outcomeOf(
  task: Attempts,
  failure: Failure,
  queue: { readonly retryPolicy: RetryPolicy; readonly random: Random },
): FailureOutcome {
  const { maxAttempts } = failure;
  const handlerMaxAttempts = maxAttempts !== null && maxAttempts < task.maxAttempts
    ? maxAttempts
    : undefined;
  if (failure.isPermanent || task.attempts >= (handlerMaxAttempts ?? task.maxAttempts)) {
    return { delayMs: null, handlerMaxAttempts };
  }
  const policy = task.retryPolicy ?? failure.retryPolicy ?? queue.retryPolicy;
  const delayMs = failure.retryAfterMs ?? backoffDelayMs(policy, task.attempts, queue.random);
  return { delayMs, handlerMaxAttempts };
}

/** Why a task was taken from its worker. */
export function silentWorkerMessage(
  worker: string | null,
  { attempts, maxAttempts }: Pick<Attempts, "attempts" | "maxAttempts">,
): string {
  return `Worker ${
    JSON.stringify(worker)
  } stopped renewing its lease in attempt ${attempts} of ${maxAttempts}`;
}

/** How many attempts a handler allows. @throws RangeError */
export function checkMaxAttempts(maxAttempts: number): number {
  const { maxAttemptsMin, maxAttemptsMax } = TASK_LIMITS;
  return checkInteger(maxAttempts, "maxAttempts", maxAttemptsMin, maxAttemptsMax);
}

/** How many attempts a task has, as far as is known; `handlerAllows` is what its last failure tells, if there was one. */
export function knownMaxAttempts(
  { attempts, maxAttempts }: Pick<Attempts, "attempts" | "maxAttempts">,
  handlerAllows: number | null | undefined,
): number {
  const isKnown = handlerAllows !== undefined && handlerAllows !== null &&
    attempts <= handlerAllows;
  return isKnown ? Math.min(maxAttempts, handlerAllows) : maxAttempts;
}
