/**
 * Removal: a task goes for good, with its transitions. One with a child that is not final stays: the child may ask for its result.
 */
import { isFinal, type TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { AskedByHand } from "../../queue_policy/changed_by.ts";
import { checkRemovable } from "../../queue_policy/removal.ts";
import type { OperationContext } from "../rows/context.ts";
import { LOG_TABLE } from "../rows/schema.ts";
import { cell } from "../rows/cells.ts";
import { orderingKeyOf } from "../rows/order.ts";
import { type DeletedTask, deleteTask, rowOfTask, tagsOf } from "../rows/task_row.ts";
import { countBeforeRemoval } from "../rows/totals.ts";
import { cancelRow } from "./cancel_retry.ts";
import { removeDependencies } from "./dependencies.ts";
import { propagate } from "./propagate.ts";
import { removeWebhook } from "./webhooks.ts";

/** The statements; a test reads their plans. */
export const REMOVE_SQL = {
  transitions: "SELECT log_id FROM task_logs WHERE task_id = ?",
  /** The first of its children that are not final. */
  waitingChild: `SELECT child.id FROM task_dependencies AS dependency
    JOIN task_queue AS child ON child.id = dependency.child_id
    WHERE dependency.parent_id = ? AND child.status IN ('queued', 'leased') LIMIT 1`,
} as const;

/** The first of a task's children that are not final. */
export function waitingChild(reader: Reader, taskId: number): number | undefined {
  const [row] = reader.read(REMOVE_SQL.waitingChild, [taskId]);
  return row && Number(row[0]);
}

/**
 * Deletes a final task, or cancels a queued one, which is then to be deleted by another transaction: so everybody hears of its
 * end. Whether it is gone. @throws QueueError `task_not_found`, and as `checkRemovable`.
 */
export function remove(
  tx: Transaction,
  { id, by }: AskedByHand,
  context: OperationContext,
): boolean {
  const row = rowOfTask(tx, id);
  const status = cell(row, "status") as TaskStatus;
  checkRemovable({ id, status, waitingChild: waitingChild(tx, id) });
  if (isFinal(status)) {
    removeTask(tx, deletedOf(row), context.nowMs);
    return true;
  }
  propagate(tx, [cancelRow(tx, { row, by }, context)], context);
  return false;
}

/** Deletes a task that is final, and what is about it alone. */
export function removeTask(tx: Transaction, task: DeletedTask, nowMs: number): void {
  const { id } = task;
  const keys = tx.read(REMOVE_SQL.transitions, [id]);
  countBeforeRemoval(tx, keys);
  for (const key of keys) tx.remove(LOG_TABLE, key);
  removeDependencies(tx, id);
  removeWebhook(tx, id);
  deleteTask(tx, task, nowMs);
}

/** A final task's row, as far as its deletion needs it. */
export function deletedOf(row: SqlRow): DeletedTask {
  const failedUnder = cell(row, "status") === "failed" ? orderingKeyOf(row) : null;
  return { id: cell(row, "id") as number, failedUnder, tags: tagsOf(row) };
}
