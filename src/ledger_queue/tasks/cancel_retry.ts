/**
 * What a person does to a task: cancel it, or queue it again.
 */
import { CANCELLED_BY_USER, type TaskStatus } from "../../domain/task.ts";
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { AskedByHand } from "../../queue_policy/changed_by.ts";
import { forgiveParents } from "./dependencies.ts";
import type { OperationContext } from "../rows/context.ts";
import { checkOpen } from "../rows/notes.ts";
import { keepSlot } from "../rows/flow_rows.ts";
import { holdsUpOthers } from "../rows/order.ts";
import { requeue } from "./requeue.ts";
import { propagate } from "./propagate.ts";
import { cell } from "../rows/cells.ts";
import { rowOfTask, updateTask } from "../rows/task_row.ts";
import { noteTransition, runMsOf } from "../rows/transition_log.ts";

/**
 * Cancels a queued or leased task; `false` when it is final, unless it has failed and holds up others of its ordering key. In a closed queue only what is leased can be cancelled: the rest
 * may have been copied already.
 *
 * @throws QueueError `task_not_found`, `queue_moving`, `queue_moved`.
 */
export function cancel(tx: Transaction, asked: AskedByHand, context: OperationContext): boolean {
  const row = rowOfTask(tx, asked.id);
  const status = cell(row, "status") as TaskStatus;
  if (status === "failed" && holdsUpOthers(tx, row)) {
    checkOpen(tx);
    cancelRow(tx, { row, by: asked.by }, context);
    return true;
  }
  if (status !== "queued" && status !== "leased") return false;
  if (status === "queued") checkOpen(tx);
  propagate(tx, [cancelRow(tx, { row, by: asked.by }, context)], context);
  return true;
}

/** A task that is not final, who cancels it, and what it says then. */
export interface Cancelling {
  readonly row: SqlRow;
  readonly by: string | null;
  /** Default that a user did it. */
  readonly reason?: string;
}

/** Cancels a task that is not final; its row, of which its children have yet to be told. */
export function cancelRow(
  tx: Transaction,
  { row, by, reason }: Cancelling,
  { nowMs }: Pick<OperationContext, "nowMs">,
): SqlRow {
  const status = cell(row, "status") as TaskStatus;
  const note = status === "leased"
    ? { worker: cell(row, "locked_by") as string, durationMs: runMsOf(row, nowMs) }
    : {};
  const said = { ...note, by: by ?? undefined, error: reason };
  noteTransition(tx, { id: cell(row, "id") as number, nowMs }, "cancelled", said);
  if (status === "leased") keepSlot(tx, row);
  return markCancelled(tx, row, { message: reason ?? CANCELLED_BY_USER, nowMs });
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
export function retry(
  tx: Transaction,
  { id, by }: AskedByHand,
  context: OperationContext,
): boolean {
  const row = rowOfTask(tx, id);
  const status = cell(row, "status") as TaskStatus;
  if (status !== "failed" && status !== "cancelled") return false;
  propagate(tx, [retryRow(tx, { row, by }, context)], context);
  return true;
}

/** Queues a failed or cancelled task again; its row, of which its children have yet to be told. */
export function retryRow(
  tx: Transaction,
  { row, by }: { readonly row: SqlRow; readonly by: string | null },
  context: OperationContext,
): SqlRow {
  const id = cell(row, "id") as number;
  noteTransition(tx, { id, nowMs: context.nowMs }, "requeued", { by: by ?? undefined });
  forgiveParents(tx, id);
  const state = { delayMs: 0, attempts: 0, message: null, isByHand: true };
  return requeue(tx, row, state, context);
}
