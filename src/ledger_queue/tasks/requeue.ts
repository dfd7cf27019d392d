/**
 * Requeueing: a task goes back into the queue, behind its parents that are not final. Without an attempt behind
 * it, it has not started: the transitions keep what was before.
 */
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import { openParents } from "./dependencies.ts";
import { drawKey } from "../rows/lanes.ts";
import type { OperationContext } from "../rows/context.ts";
import { cell, updateTask } from "../rows/task_row.ts";

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
  return updateTask(tx, row, {
    status: "queued",
    attempts: state.attempts,
    error_message: state.message,
    run_after_utc: runAfterMs,
    is_ready: runAfterMs <= nowMs && waitsFor === 0 ? 1 : 0,
    draw_key: drawKey(tx, lane, random),
    waits_for: waitsFor,
    lease_until_utc: null,
    ...(state.attempts === 0 ? { processing_started_utc: null } : {}),
    finished_at_utc: null,
    progress_percent: null,
    progress_message: null,
    result: null,
    updated_at_utc: nowMs,
  });
}
