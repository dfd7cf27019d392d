/**
 * Webhooks: when a task becomes final, a delivery is enqueued in the same transaction, so that none is lost and none is
 * made up. Delivering it is an ordinary task's work, see `worker/webhook_handler.ts`.
 */
import type { PreparedWebhook } from "../../domain/webhook.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { OperationContext } from "../rows/context.ts";
import { insertTask } from "../rows/insert_task.ts";
import { WEBHOOK_TABLE } from "../rows/schema.ts";
import { cell } from "../rows/cells.ts";
import { taskOfRow } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { deliveryOf } from "../../queue_policy/delivery.ts";

/** The statements; a test reads their plans. */
export const WEBHOOK_SQL = {
  of: "SELECT url, events FROM task_webhooks WHERE task_id = ?",
} as const;

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
