/**
 * Requeueing: a task goes back into the queue, behind its parents that are not final. Without an attempt behind
 * it, it has not started: the transitions keep what was before.
 */
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import { openParents } from "./dependencies.ts";
import { laneOfRow, readinessOf } from "../rows/lanes.ts";
import type { OperationContext } from "../rows/context.ts";
import { cell } from "../rows/cells.ts";
import { updateTask } from "../rows/task_row.ts";

/** How a task goes back. */
export interface Requeued {
  readonly delayMs: number;
  readonly attempts: number;
  readonly message: string | null;
  /** Whether a person wants it to run, so that it does not expire any more; default false. */
  readonly isByHand?: boolean;
}

/** Puts a task back into the queue, due after `delayMs`. */
export function requeue(
  tx: Transaction,
  row: SqlRow,
  state: Requeued,
  context: OperationContext,
): SqlRow {
  const { nowMs } = context;
  const id = cell(row, "id") as number;
  const runAfterMs = nowMs + Math.ceil(state.delayMs);
  const waitsFor = openParents(tx, id).length;
  return updateTask(tx, row, {
    status: "queued",
    attempts: state.attempts,
    error_message: state.message,
    ...readinessOf(tx, { ...laneOfRow(row), runAfterMs, waitsFor }, context),
    lease_until_utc: null,
    ...(state.attempts === 0 ? { processing_started_utc: null } : {}),
    finished_at_utc: null,
    progress_percent: null,
    progress_message: null,
    result: null,
    ...(state.isByHand ? { expires_at: null } : {}),
    updated_at_utc: nowMs,
  });
}
