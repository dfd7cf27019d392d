/**
 * Leases: what only the holder of the current one may do. A stale lease changes nothing.
 */
import type { RetryPolicy } from "../../domain/backoff.ts";
import { clip } from "../../domain/kept_text.ts";
import { type Lease, TASK_LIMITS, type TaskStatus } from "../../domain/task.ts";
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import { type Attempts, checkHeld, outcomeOf } from "../../queue_policy/attempt_end.ts";
import { isFromFuture } from "../../queue_policy/clock_put_back.ts";
import type { Completion } from "../../queue_policy/attempt_request.ts";
import type { Failure } from "../../queue_policy/failure.ts";
import type { OperationContext } from "../rows/context.ts";
import { freeSlot } from "../rows/flow_rows.ts";
import { cell } from "../rows/cells.ts";
import { slotEnded } from "../rows/group_room.ts";
import { rowOfTask, updateTask } from "../rows/task_row.ts";
import { noteTransition, runMsOf } from "../rows/transition_log.ts";
import { enqueueAll } from "./enqueue.ts";
import { propagate } from "./propagate.ts";
import { requeue } from "./requeue.ts";

/** Extends the lease to `leaseDurationMs` from now. */
export function renew(
  tx: Transaction,
  lease: Lease,
  leaseDurationMs: number,
  { nowMs }: OperationContext,
): SqlRow {
  const row = heldRow(tx, lease, "renew");
  const values = { lease_until_utc: nowMs + leaseDurationMs, updated_at_utc: nowMs };
  return updateTask(tx, row, values);
}

/** Stores the progress that the handler reports. */
export function reportProgress(
  tx: Transaction,
  lease: Lease,
  progress: { readonly percent: number; readonly message: string | null },
  { nowMs }: OperationContext,
): SqlRow {
  const row = heldRow(tx, lease, "report progress of");
  const message = progress.message === null
    ? null
    : clip(progress.message, TASK_LIMITS.progressMessageMaxLength);
  return updateTask(tx, row, {
    progress_percent: progress.percent,
    progress_message: message,
    ...leaseByThisClock(row, nowMs),
    updated_at_utc: nowMs,
  });
}

/** What a lease of a clock that was ahead becomes when its holder shows that it lives: as long as was left of it, from now. */
function leaseByThisClock(row: SqlRow, nowMs: number): { lease_until_utc?: number } {
  const updatedAtMs = Number(cell(row, "updated_at_utc"));
  if (!isFromFuture(updatedAtMs, nowMs)) return {};
  const leftMs = Number(cell(row, "lease_until_utc")) - updatedAtMs;
  return { lease_until_utc: nowMs + Math.max(0, leftMs) };
}

/** Finishes the task, and stores the tasks that follow: behind it, they see it completed. */
export function complete(
  tx: Transaction,
  { lease, result, tasks }: Completion,
  context: OperationContext,
): SqlRow {
  const { nowMs } = context;
  const row = heldRow(tx, lease, "complete");
  const durationMs = runMsOf(row, nowMs);
  const done = updateTask(tx, row, {
    status: "completed",
    result,
    progress_percent: 100,
    error_message: null,
    lease_until_utc: null,
    finished_at_utc: nowMs,
    updated_at_utc: nowMs,
  });
  const enqueued = enqueueFollowing(tx, done, { ...context, tasks });
  noteTransition(tx, { id: lease.taskId, nowMs }, "completed", { durationMs, enqueued });
  propagate(tx, [done], context);
  return done;
}

/** Stores the tasks that follow a completed one; their run ids. */
function enqueueFollowing(
  tx: Transaction,
  done: SqlRow,
  { tasks, ...context }: OperationContext & Pick<Completion, "tasks">,
): string[] {
  if (tasks.length === 0) return [];
  const causedBy = cell(done, "run_id") as string;
  const enqueued = enqueueAll(tx, tasks, { ...context, causedBy });
  return enqueued.map(({ row }) => cell(row, "run_id") as string);
}

/** Ends the attempt: back to the queue after its delay, or failed when it is permanent or attempts are used up. */
export function fail(
  tx: Transaction,
  lease: Lease,
  failure: Failure,
  context: OperationContext,
): SqlRow {
  const row = heldRow(tx, lease, "fail");
  const task = attemptsOf(row);
  const { delayMs, handlerMaxAttempts } = outcomeOf(task, failure, context);
  if (delayMs === null) {
    const failed = markFailed(tx, row, { ...failure, handlerMaxAttempts }, context);
    propagate(tx, [failed], context);
    return failed;
  }
  const { attempts } = task;
  noteTransition(tx, { id: lease.taskId, nowMs: context.nowMs }, "retried", {
    attempt: attempts,
    handlerMaxAttempts,
    error: failure.message,
    delayMs: Math.ceil(delayMs),
    durationMs: runMsOf(row, context.nowMs),
  });
  return requeue(tx, row, { delayMs, attempts, message: failure.message }, context);
}

/** Gives the task back without using up the attempt, due after `delayMs`; or the slot of one that was cancelled. */
export function release(
  tx: Transaction,
  { lease, delayMs }: { readonly lease: Lease; readonly delayMs: number },
  context: OperationContext,
): SqlRow {
  if (freeSlot(tx, lease)) return afterFreed(tx, lease.taskId, context.nowMs);
  const row = heldRow(tx, lease, "release");
  const message = cell(row, "error_message") as string | null;
  noteTransition(tx, { id: lease.taskId, nowMs: context.nowMs }, "released", {
    worker: lease.workerId,
    delayMs: delayMs > 0 ? Math.ceil(delayMs) : undefined,
    durationMs: runMsOf(row, context.nowMs),
  });
  return requeue(
    tx,
    row,
    { delayMs, attempts: (cell(row, "attempts") as number) - 1, message },
    context,
  );
}

/** The row of a cancelled task whose slot has come free. */
function afterFreed(tx: Transaction, taskId: number, nowMs: number): SqlRow {
  const row = rowOfTask(tx, taskId);
  slotEnded(tx, cell(row, "grp") as string, nowMs);
  return row;
}

/** Fails a leased task for good; its children and webhooks are still to be told (`propagate`). */
export function markFailed(
  tx: Transaction,
  row: SqlRow,
  { message, result, handlerMaxAttempts }: Pick<Failure, "message" | "result"> & {
    readonly handlerMaxAttempts?: number;
  },
  { nowMs }: OperationContext,
): SqlRow {
  const taskId = cell(row, "id") as number;
  noteTransition(tx, { id: taskId, nowMs }, "failed", {
    attempt: cell(row, "attempts") as number,
    handlerMaxAttempts,
    error: message,
    durationMs: runMsOf(row, nowMs),
  });
  return updateTask(tx, row, {
    status: "failed",
    error_message: message,
    result,
    lease_until_utc: null,
    finished_at_utc: nowMs,
    updated_at_utc: nowMs,
  });
}

/** The row of a task whose current lease is `lease`. @throws QueueError `task_not_found`, `lease_lost`. */
function heldRow(tx: Transaction, lease: Lease, action: string): SqlRow {
  const row = rowOfTask(tx, lease.taskId);
  const state = {
    status: cell(row, "status") as TaskStatus,
    leaseToken: cell(row, "lease_token") as number,
    lockedBy: cell(row, "locked_by") as string | null,
  };
  checkHeld(state, lease, action);
  return row;
}

/** What a row says of its task's attempts. */
export function attemptsOf(row: SqlRow): Attempts {
  const own = cell(row, "retry_policy");
  return {
    attempts: cell(row, "attempts") as number,
    maxAttempts: cell(row, "max_attempts") as number,
    retryPolicy: own === null ? null : JSON.parse(own as string) as RetryPolicy,
  };
}
