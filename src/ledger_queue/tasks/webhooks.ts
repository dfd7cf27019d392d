/**
 * Webhooks: when a task becomes final, a delivery is enqueued in the same transaction, so that none is lost and none is
 * made up. Delivering it is an ordinary task's work, see `worker/webhook_handler.ts`.
 */
import { type PreparedWebhook, WEBHOOK_TYPE } from "../../domain/webhook.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { OperationContext } from "../rows/context.ts";
import { insertTask } from "../rows/insert_task.ts";
import { WEBHOOK_TABLE } from "../rows/schema.ts";
import { cell } from "../rows/cells.ts";
import { taskOfRow } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { deliveryOf } from "../../queue_policy/delivery.ts";
import {
  DELIVERIES_MAX,
  DELIVERY_FAILURES_MIN,
  type FailedDelivery,
} from "../../queue_policy/failing_webhooks.ts";

/** The statements; a test reads their plans. */
export const WEBHOOK_SQL = {
  of: "SELECT url, events FROM task_webhooks WHERE task_id = ?",
  /** Of those that wait, the ones that have waited longest. */
  waiting: `SELECT payload, error_message, updated_at_utc, attempts
    FROM task_queue INDEXED BY tasks_by_status
    WHERE status = 'queued' AND type = '${WEBHOOK_TYPE}' ORDER BY id LIMIT ${DELIVERIES_MAX}`,
  /** The latest of those that failed for good. */
  failed: `SELECT payload, error_message, updated_at_utc
    FROM task_queue INDEXED BY tasks_by_status
    WHERE status = 'failed' AND type = '${WEBHOOK_TYPE}' ORDER BY id DESC LIMIT ${DELIVERIES_MAX}`,
} as const;

/** The deliveries that keep failing, or failed for good since then. */
export function failedDeliveries(reader: Reader, sinceMs: number): FailedDelivery[] {
  const waiting = reader.read(WEBHOOK_SQL.waiting)
    .filter(([, , , attempts]) => Number(attempts) >= DELIVERY_FAILURES_MIN);
  const failed = reader.read(WEBHOOK_SQL.failed)
    .filter(([, , updatedAtMs]) => Number(updatedAtMs) >= sinceMs);
  return [...waiting, ...failed].map(([payload, errorMessage, updatedAtMs]) => ({
    payload: String(payload),
    errorMessage: errorMessage as string | null,
    updatedAtMs: Number(updatedAtMs),
  }));
}

/** Stores where to report a new task's end. */
export function addWebhook(tx: Transaction, taskId: number, webhook: PreparedWebhook): void {
  const { url, events } = webhook;
  tx.insert(WEBHOOK_TABLE, { task_id: taskId, url, events });
}

/** Where a task's end is to be reported. */
export function webhookOf(reader: Reader, taskId: number): PreparedWebhook | undefined {
  const [row] = reader.read(WEBHOOK_SQL.of, [taskId]);
  return row && { url: String(row[0]), events: String(row[1]) };
}

/** A pruned task's webhook goes with it. */
export function removeWebhook(tx: Transaction, taskId: number): void {
  if (tx.read(WEBHOOK_SQL.of, [taskId]).length > 0) tx.remove(WEBHOOK_TABLE, [taskId]);
}

/** Enqueues the delivery that reports a task's end, if there is one to make. */
export function tellWebhook(tx: Transaction, row: SqlRow, context: OperationContext): void {
  const webhook = webhookOf(tx, cell(row, "id") as number);
  if (webhook === undefined) return;
  const delivery = deliveryOf(taskOfRow(row), webhook);
  if (delivery === null) return;
  const stored = insertTask(tx, { ...delivery, waitsFor: 0 }, context);
  noteTransition(tx, { id: cell(stored, "id") as number, nowMs: context.nowMs }, "enqueued");
}
