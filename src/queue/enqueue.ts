/**
 * Enqueueing: a caller's wish becomes a row, or the row that its idempotency key names already.
 */
import { resolveRetryPolicy } from "../domain/backoff.ts";
import { QueueError } from "../domain/errors.ts";
import { canonicalJson, toJsonText } from "../domain/json.ts";
import {
  checkInstant,
  checkInteger,
  checkName,
  checkPairs,
  type NewTask,
  TASK_LIMITS,
} from "../domain/task.ts";
import type { Transaction } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import { drawKey, type OperationContext } from "./operation_context.ts";
import { TASK_TABLE } from "./schema.ts";
import { cell } from "./task_row.ts";
import { noteEnqueued } from "./transition_log.ts";

/** A checked `NewTask`, in the forms of its columns. */
export interface PreparedTask {
  readonly type: string;
  readonly runId: string | null;
  readonly priority: number;
  readonly payload: string;
  readonly compatibility: string;
  readonly maxAttempts: number;
  readonly runAfterMs: number | null;
  readonly idempotencyKey: string | null;
  readonly retryPolicy: string | null;
  readonly timeoutMs: number | null;
}

/** The row that stands for the task, and whether it is new. */
export interface Enqueued {
  readonly row: SqlRow;
  readonly created: boolean;
}

const INSERT = `
  INSERT INTO task_queue (run_id, type, priority, payload, compatibility, status, attempts, max_attempts, run_after_utc,
    created_at_utc, updated_at_utc, lease_token, idempotency_key, retry_policy, timeout_ms, is_ready, draw_key)
  VALUES (?, ?, ?, ?, ?, 'queued', 0, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)
  RETURNING *`;

/** Checks every field, before any effect. @throws TypeError, RangeError */
export function prepareTask(task: NewTask, payloadMaxBytes: number): PreparedTask {
  if (typeof task !== "object" || task === null) {
    throw new TypeError(`Cannot enqueue ${typeof task}: a task is needed`);
  }
  const {
    priorityMin,
    priorityMax,
    priorityDefault,
    maxAttemptsMin,
    maxAttemptsMax,
    maxAttemptsDefault,
  } = TASK_LIMITS;
  return {
    type: checkName(task.type, "task type", TASK_LIMITS.typeMaxLength),
    runId: optional(task.runId, (runId) => checkName(runId, "run id", TASK_LIMITS.runIdMaxLength)),
    priority: checkInteger(task.priority ?? priorityDefault, "priority", priorityMin, priorityMax),
    payload: toJsonText(task.payload === undefined ? {} : task.payload, "payload", payloadMaxBytes),
    compatibility: canonicalJson(checkPairs(task.compatibility ?? {}, "compatibility")),
    maxAttempts: checkInteger(
      task.maxAttempts ?? maxAttemptsDefault,
      "maxAttempts",
      maxAttemptsMin,
      maxAttemptsMax,
    ),
    runAfterMs: optional(task.runAfter, (runAfter) => checkInstant(runAfter, "runAfter")),
    idempotencyKey: optional(task.idempotencyKey || undefined, (key) => {
      return checkName(key, "idempotency key", TASK_LIMITS.idempotencyKeyMaxLength);
    }),
    retryPolicy: optional(task.retryPolicy, (policy) => JSON.stringify(resolveRetryPolicy(policy))),
    timeoutMs: optional(
      task.timeoutMs,
      (timeoutMs) => checkInteger(timeoutMs, "timeoutMs", 1, TASK_LIMITS.timeoutMaxMs),
    ),
  };
}

/**
 * Checks a task as `enqueue` will, without a queue; its payload may have `payloadMaxBytes` bytes, by default 256 KiB.
 *
 * @throws TypeError, RangeError for a field out of its range.
 */
export function checkNewTask(
  task: NewTask,
  payloadMaxBytes: number = TASK_LIMITS.payloadMaxBytes,
): void {
  prepareTask(task, payloadMaxBytes);
}

/**
 * Inserts each task, or finds the one that has its idempotency key.
 *
 * @throws QueueError `idempotency_conflict`, `run_id_conflict`.
 */
export function enqueueAll(
  tx: Transaction,
  tasks: readonly PreparedTask[],
  context: OperationContext,
): Enqueued[] {
  const enqueued = tasks.map((task) => enqueue(tx, task, context));
  // Ids grow within a transaction, so those between the first new one and the last are all new.
  const created = enqueued.filter(({ created }) => created);
  if (created.length > 0) {
    const [firstId, lastId] = [idOf(created[0]!), idOf(created.at(-1)!)];
    noteEnqueued(tx, { firstId, lastId, nowMs: context.nowMs });
  }
  return enqueued;
}

function enqueue(tx: Transaction, task: PreparedTask, context: OperationContext): Enqueued {
  const existing = findByKey(tx, task);
  if (existing !== undefined) return { row: existing, created: false };
  checkRunId(tx, task.runId);
  const { nowMs, random } = context;
  const runAfterMs = task.runAfterMs ?? nowMs;
  const [row] = tx.change(TASK_TABLE, INSERT, [
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
    runAfterMs <= nowMs ? 1 : 0,
    drawKey(tx, task, random),
  ]);
  return { row: row!, created: true };
}

function idOf({ row }: Enqueued): number {
  return cell(row, "id") as number;
}

function findByKey(tx: Transaction, task: PreparedTask): SqlRow | undefined {
  if (task.idempotencyKey === null) return undefined;
  const [row] = tx.read("SELECT * FROM task_queue WHERE idempotency_key = ?", [
    task.idempotencyKey,
  ]);
  if (row === undefined || isSameContent(row, task)) return row;
  const key = JSON.stringify(task.idempotencyKey);
  throw new QueueError(
    "idempotency_conflict",
    `Cannot enqueue under idempotency key ${key}: task ${
      cell(row, "id")
    } has it, with another type or payload`,
  );
}

function isSameContent(row: SqlRow, task: PreparedTask): boolean {
  if (cell(row, "type") !== task.type) return false;
  const payload = cell(row, "payload") as string;
  return payload === task.payload ||
    canonicalJson(JSON.parse(payload)) === canonicalJson(JSON.parse(task.payload));
}

function checkRunId(tx: Transaction, runId: string | null): void {
  if (runId === null) return;
  const [row] = tx.read("SELECT id FROM task_queue WHERE run_id = ?", [runId]);
  if (row === undefined) return;
  throw new QueueError(
    "run_id_conflict",
    `Cannot enqueue run ${JSON.stringify(runId)}: task ${row[0]} has this run id`,
  );
}

function optional<T, R>(value: T | null | undefined, check: (value: T) => R): R | null {
  return value === undefined || value === null ? null : check(value);
}
