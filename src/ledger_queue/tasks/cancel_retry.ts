/**
 * What a person does to a task: cancel it, or queue it again.
 */
import { CANCELLED_BY_USER, type TaskStatus } from "../../domain/task.ts";
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import { forgiveParents } from "./dependencies.ts";
import type { OperationContext } from "../rows/context.ts";
import { checkOpen } from "../rows/notes.ts";
import { keepSlot } from "../rows/flow_rows.ts";
import { requeue } from "./requeue.ts";
import { propagate } from "./propagate.ts";
import { cell } from "../rows/cells.ts";
import { rowOfTask, updateTask } from "../rows/task_row.ts";
import { noteTransition, runMsOf } from "../rows/transition_log.ts";

/**
 * Cancels a queued or leased task; `false` when it is final. In a closed queue only what is leased can be cancelled: the rest
 * may have been copied already.
 *
 * @throws QueueError `task_not_found`, `queue_moving`, `queue_moved`.
 */
export function cancel(tx: Transaction, taskId: number, context: OperationContext): boolean {
  const { nowMs } = context;
  const row = rowOfTask(tx, taskId);
  const status = cell(row, "status") as TaskStatus;
  if (status !== "queued" && status !== "leased") return false;
  if (status === "queued") checkOpen(tx);
  const note = status === "leased"
    ? { worker: cell(row, "locked_by") as string, durationMs: runMsOf(row, nowMs) }
    : {};
  noteTransition(tx, { id: taskId, nowMs }, "cancelled", note);
  if (status === "leased") keepSlot(tx, row);
  propagate(tx, [markCancelled(tx, row, { message: CANCELLED_BY_USER, nowMs })], context);
  return true;
}

/** Ends a task as cancelled; its row. Its children and webhooks are still to be told (`propagate`). */
export function markCancelled(
  tx: Transaction,
  row: SqlRow,
  { message, nowMs }: { readonly message: string; readonly nowMs: number },
): SqlRow {
  return updateTask(tx, row, {
    status: "cancelled",
    error_message: message,
    is_ready: 0,
    waits_for: 0,
    lease_until_utc: null,
    finished_at_utc: nowMs,
    updated_at_utc: nowMs,
  });
}

/**
 * Queues a failed or cancelled task again, with fresh attempts; `false` for any other. It waits for those of its parents
 * that are not final; one that has failed does not hold it up. Its children wait for it again: those that are queued, and
 * those that ended because of it, which are queued again with fresh attempts. It does not expire any more.
 *
 * @throws QueueError `task_not_found`.
 */
export function retry(tx: Transaction, taskId: number, context: OperationContext): boolean {
  const row = rowOfTask(tx, taskId);
  const status = cell(row, "status") as TaskStatus;
  if (status !== "failed" && status !== "cancelled") return false;
  noteTransition(tx, { id: taskId, nowMs: context.nowMs }, "requeued");
  forgiveParents(tx, taskId);
  const state = { delayMs: 0, attempts: 0, message: null, isByHand: true };
  propagate(tx, [requeue(tx, row, state, context)], context);
  return true;
}
