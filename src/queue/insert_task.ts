/**
 * Inserting: a checked task becomes a row.
 */
import type { Transaction } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import { drawKey, type OperationContext } from "./operation_context.ts";
import { TASK_TABLE } from "./schema.ts";

/** A checked task, in the forms of its columns. */
export interface InsertableTask {
  /** `null` for one of ours. */
  readonly runId: string | null;
  readonly type: string;
  readonly priority: number;
  readonly payload: string;
  readonly compatibility: string;
  readonly maxAttempts: number;
  /** `null` for now. */
  readonly runAfterMs: number | null;
  readonly idempotencyKey: string | null;
  readonly retryPolicy: string | null;
  readonly timeoutMs: number | null;
  /** How many parents it has to wait for. */
  readonly waitsFor: number;
}

const INSERT = `
  INSERT INTO task_queue (run_id, type, priority, payload, compatibility, status, attempts, max_attempts, run_after_utc,
    created_at_utc, updated_at_utc, lease_token, idempotency_key, retry_policy, timeout_ms, is_ready, draw_key,
    waits_for, trace_parent)
  VALUES (?, ?, ?, ?, ?, 'queued', 0, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)
  RETURNING *`;

/** Inserts a task; its row. That it was enqueued is for the caller to note. */
export function insertTask(
  tx: Transaction,
  task: InsertableTask,
  context: OperationContext,
): SqlRow {
  const { nowMs, random } = context;
  const runAfterMs = task.runAfterMs ?? nowMs;
  return tx.change(TASK_TABLE, INSERT, [
    task.runId ?? context.newRunId(),
    task.type,
    task.priority,
    task.payload,
    task.compatibility,
    task.maxAttempts,
    runAfterMs,
    nowMs,
    nowMs,
    task.idempotencyKey,
    task.retryPolicy,
    task.timeoutMs,
    runAfterMs <= nowMs && task.waitsFor === 0 ? 1 : 0,
    drawKey(tx, task, random),
    task.waitsFor,
    context.traceParent ?? null,
  ])[0]!;
}
