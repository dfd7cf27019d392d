/**
 * What a person does to a task: cancel it, or queue it again.
 */
import type { TaskStatus } from "../domain/task.ts";
import type { Transaction } from "../ledger/replica.ts";
import { requeue } from "./lease.ts";
import type { OperationContext } from "./operation_context.ts";
import { TASK_TABLE } from "./schema.ts";
import { cell, rowOfTask } from "./task_row.ts";
import { noteTransition, runMsOf } from "./transition_log.ts";

/** Cancels a queued or leased task; `false` when it is final. @throws QueueError `task_not_found`. */
export function cancel(tx: Transaction, taskId: number, { nowMs }: OperationContext): boolean {
  const row = rowOfTask(tx, taskId);
  const status = cell(row, "status") as TaskStatus;
  if (status !== "queued" && status !== "leased") return false;
  const note = status === "leased"
    ? { worker: cell(row, "locked_by") as string, durationMs: runMsOf(row, nowMs) }
    : {};
  noteTransition(tx, { id: taskId, nowMs }, "cancelled", note);
  const update =
    `UPDATE task_queue SET status = 'cancelled', error_message = 'Cancelled by user', is_ready = 0,
      lease_until_utc = NULL, finished_at_utc = ?, updated_at_utc = ?
    WHERE id = ? RETURNING *`;
  tx.change(TASK_TABLE, update, [nowMs, nowMs, taskId]);
  return true;
}

/** Queues a failed or cancelled task again, with fresh attempts; `false` for any other. @throws QueueError `task_not_found`. */
export function retry(tx: Transaction, taskId: number, context: OperationContext): boolean {
  const row = rowOfTask(tx, taskId);
  const status = cell(row, "status") as TaskStatus;
  if (status !== "failed" && status !== "cancelled") return false;
  noteTransition(tx, { id: taskId, nowMs: context.nowMs }, "requeued");
  requeue(tx, row, { delayMs: 0, attempts: 0, message: null }, context);
  return true;
}
