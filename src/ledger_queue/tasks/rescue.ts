/**
 * Rescue: tasks whose worker stopped renewing its lease go back to the queue, or fail when attempts are used up, so that
 * a task that kills its workers comes to an end.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import { silentWorkerMessage } from "../../queue_policy/attempt_end.ts";
import { attemptsOf, markFailed } from "./lease.ts";
import type { OperationContext } from "../rows/context.ts";
import { RecordBudget } from "../rows/record_budget.ts";
import { requeue } from "./requeue.ts";
import { propagate } from "./propagate.ts";
import { cell } from "../rows/cells.ts";
import { rowOfTask } from "../rows/task_row.ts";
import { noteTransition, runMsOf } from "../rows/transition_log.ts";

/** How many tasks one rescue takes at most; the earliest expired first. */
const RESCUE_MAX = 1000;

/** How many of them are read at once. */
const RESCUE_CHUNK = 100;

/** Expired leases; a test reads its plan. */
export const EXPIRED_SQL = `SELECT * FROM task_queue INDEXED BY leased_tasks
  WHERE status = 'leased' AND lease_until_utc <= +? ORDER BY lease_until_utc LIMIT +?`;

/** Whether a lease has expired. */
export function hasExpired(reader: Reader, nowMs: number): boolean {
  return reader.read(EXPIRED_SQL, [nowMs, 1]).length > 0;
}

/** Ends the expired leases, as many as one transaction may; the rows as they are now. */
export function rescue(tx: Transaction, context: OperationContext): SqlRow[] {
  return settled(tx, rescueEach(tx, context), context);
}

/** Ends the leases of these tasks, as many as the budget allows; the rows as they are now. */
export function rescueAll(
  tx: Transaction,
  { rows, budget }: { readonly rows: readonly SqlRow[]; readonly budget: RecordBudget },
  context: OperationContext,
): SqlRow[] {
  const rescued: SqlRow[] = [];
  for (const row of rows) {
    if (budget.isSpent) break;
    budget.spend(row);
    rescued.push(rescueTask(tx, row, context));
  }
  return settled(tx, rescued, context);
}

function settled(
  tx: Transaction,
  rescued: readonly SqlRow[],
  context: OperationContext,
): SqlRow[] {
  propagate(tx, rescued.filter((row) => cell(row, "status") === "failed"), context);
  // One that went back may have been ended by a parent that failed.
  return rescued.map((row) => rowOfTask(tx, cell(row, "id") as number));
}

function rescueEach(tx: Transaction, context: OperationContext): SqlRow[] {
  const rescued: SqlRow[] = [];
  const budget = new RecordBudget(context.recordBudget);
  while (rescued.length < RESCUE_MAX) {
    const expired = tx.read(EXPIRED_SQL, [context.nowMs, RESCUE_CHUNK]);
    for (const row of expired) {
      if (budget.isSpent) return rescued;
      budget.spend(row);
      rescued.push(rescueTask(tx, row, context));
    }
    if (expired.length < RESCUE_CHUNK) break;
  }
  return rescued;
}

function rescueTask(tx: Transaction, row: SqlRow, context: OperationContext): SqlRow {
  const { attempts, maxAttempts } = attemptsOf(row);
  const message = silentWorkerMessage(cell(row, "locked_by") as string, { attempts, maxAttempts });
  if (attempts >= maxAttempts) {
    return markFailed(tx, row, { message, result: null }, context);
  }
  noteTransition(tx, { id: cell(row, "id") as number, nowMs: context.nowMs }, "rescued", {
    worker: cell(row, "locked_by") as string,
    attempt: attempts,
    durationMs: runMsOf(row, context.nowMs),
  });
  return requeue(tx, row, { delayMs: 0, attempts, message }, context);
}
