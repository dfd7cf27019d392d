/**
 * Requeueing: a task goes back into the queue, behind its parents that are not final.
 */
import type { Transaction } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import { openParents } from "./dependencies.ts";
import { drawKey, type OperationContext } from "./operation_context.ts";
import { TASK_TABLE } from "./schema.ts";
import { cell } from "./task_row.ts";

const REQUEUE =
  `UPDATE task_queue SET status = 'queued', attempts = ?, error_message = ?, run_after_utc = ?, is_ready = ?,
    draw_key = ?, waits_for = ?, lease_until_utc = NULL, finished_at_utc = NULL, progress_percent = NULL,
    progress_message = NULL, result = NULL, updated_at_utc = ?
  WHERE id = ? RETURNING *`;

/** Puts a task back into the queue, due after `delayMs`. */
export function requeue(
  tx: Transaction,
  row: SqlRow,
  state: { readonly delayMs: number; readonly attempts: number; readonly message: string | null },
  { nowMs, random }: OperationContext,
): SqlRow {
  const lane = {
    type: cell(row, "type") as string,
    compatibility: cell(row, "compatibility") as string,
    priority: cell(row, "priority") as number,
  };
  const id = cell(row, "id") as number;
  const runAfterMs = nowMs + Math.ceil(state.delayMs);
  const waitsFor = openParents(tx, id).length;
  return tx.change(TASK_TABLE, REQUEUE, [
    state.attempts,
    state.message,
    runAfterMs,
    runAfterMs <= nowMs && waitsFor === 0 ? 1 : 0,
    drawKey(tx, lane, random),
    waitsFor,
    nowMs,
    id,
  ])[0]!;
}
