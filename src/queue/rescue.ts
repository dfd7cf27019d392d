/**
 * Rescue: tasks whose worker stopped renewing its lease go back to the queue, or fail when attempts are used up, so that
 * a task that kills its workers comes to an end.
 */
import type { Reader, Transaction } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import { finishAsFailed } from "./lease.ts";
import type { OperationContext } from "./operation_context.ts";
import { requeue } from "./requeue.ts";
import { cell, rowOfTask } from "./task_row.ts";
import { noteTransition, runMsOf } from "./transition_log.ts";

/** How many tasks one rescue takes at most; the earliest expired first. */
const RESCUE_MAX = 1000;

/** Expired leases; a test reads its plan. */
export const EXPIRED_SQL = `SELECT * FROM task_queue INDEXED BY leased_tasks
  WHERE status = 'leased' AND lease_until_utc <= +? ORDER BY lease_until_utc LIMIT +?`;

/** Whether a lease has expired. */
export function hasExpired(reader: Reader, nowMs: number): boolean {
  return reader.read(EXPIRED_SQL, [nowMs, 1]).length > 0;
}

/** Ends every expired lease; the rows as they are now. */
export function rescue(tx: Transaction, context: OperationContext): SqlRow[] {
  const expired = tx.read(EXPIRED_SQL, [context.nowMs, RESCUE_MAX]);
  const ids = expired.map((row) => cell(rescueTask(tx, row, context), "id") as number);
  // One that went back may have been ended by a parent that failed after it.
  return ids.map((id) => rowOfTask(tx, id));
}

function rescueTask(tx: Transaction, row: SqlRow, context: OperationContext): SqlRow {
  const attempts = cell(row, "attempts") as number;
  const maxAttempts = cell(row, "max_attempts") as number;
  const worker = JSON.stringify(cell(row, "locked_by"));
  const message =
    `Worker ${worker} stopped renewing its lease in attempt ${attempts} of ${maxAttempts}`;
  if (attempts >= maxAttempts) {
    return finishAsFailed(tx, row, { message, result: null }, context);
  }
  noteTransition(tx, { id: cell(row, "id") as number, nowMs: context.nowMs }, "rescued", {
    worker: cell(row, "locked_by") as string,
    attempt: attempts,
    durationMs: runMsOf(row, context.nowMs),
  });
  return requeue(tx, row, { delayMs: 0, attempts, message }, context);
}
