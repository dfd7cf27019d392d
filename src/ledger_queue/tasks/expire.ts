/**
 * Expiry: a task that has not started by its `expiresAt` is cancelled by itself, whatever holds it back.
 *
 * A task that was ever leased has started, and has a lease token. A claim ends what has expired before it chooses, so none
 * starts at or after its instant; a duty ends what no claim looks at.
 */
import { hasExpiredBy } from "../../domain/readiness.ts";
import { expiredMessage } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { OperationContext } from "../rows/context.ts";
import { RecordBudget } from "../rows/record_budget.ts";
import { cell } from "../rows/cells.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { markCancelled } from "./cancel_retry.ts";
import { propagate } from "./propagate.ts";

/** How many tasks one transaction of the duty ends at most; the earliest expired first. */
export const EXPIRE_MAX = 1000;

/** Tasks that have expired; a test reads its plan. */
export const EXPIRED_TASKS_SQL = `SELECT * FROM task_queue INDEXED BY expiring_tasks
  WHERE expires_at IS NOT NULL AND status = 'queued' AND lease_token = 0 AND expires_at <= +?1
  ORDER BY expires_at LIMIT +?2`;

/** Whether a queued task's row says that it has expired. */
export function isExpired(row: SqlRow, nowMs: number): boolean {
  const expiresAtMs = cell(row, "expires_at") as number | null;
  return cell(row, "lease_token") === 0 && hasExpiredBy(expiresAtMs, nowMs);
}

/** Whether a task has expired. */
export function hasExpiredTask(reader: Reader, nowMs: number): boolean {
  return reader.read(EXPIRED_TASKS_SQL, [nowMs, 1]).length > 0;
}

/** Ends a task that has expired; its row. Its children and webhooks are still to be told (`propagate`). */
export function markExpired(tx: Transaction, row: SqlRow, nowMs: number): SqlRow {
  const message = expiredMessage(cell(row, "expires_at") as number);
  noteTransition(tx, { id: cell(row, "id") as number, nowMs }, "expired");
  return markCancelled(tx, row, { message, nowMs });
}

/** Ends tasks that have expired, as many as one transaction may; how many. */
export function expireTasks(tx: Transaction, context: OperationContext): number {
  const { nowMs } = context;
  const budget = new RecordBudget(context.recordBudget);
  const ended: SqlRow[] = [];
  for (const row of tx.read(EXPIRED_TASKS_SQL, [nowMs, EXPIRE_MAX])) {
    if (budget.isSpent) break;
    budget.spend(row);
    ended.push(markExpired(tx, row, nowMs));
  }
  propagate(tx, ended, context);
  return ended.length;
}
