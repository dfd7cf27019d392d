/**
 * Webhooks: when a task becomes final, a delivery is enqueued in the same transaction, so that none is lost and none is
 * made up. Delivering it is an ordinary task's work, see `worker/webhook_handler.ts`.
 */
import { TASK_LIMITS } from "../../domain/task.ts";
import { type PreparedWebhook, type Webhook, WEBHOOK_TYPE } from "../../domain/webhook.ts";
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import type { OperationContext } from "../rows/context.ts";
import { insertTask } from "../rows/insert_task.ts";
import { WEBHOOK_TABLE } from "../rows/schema.ts";
import { cell, taskOfRow } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { NO_KEPT_VALUES } from "../../queue_policy/kept_fields.ts";

/** How often a delivery is tried. */
const DELIVERY_ATTEMPTS = 10;

/** The statements; a test reads their plans. */
export const WEBHOOK_SQL = {
  of: "SELECT url, events FROM task_webhooks WHERE task_id = ?",
} as const;

/** The webhook that is stored as these texts. */
export function webhookOf(url: SqlValue | undefined, events: SqlValue | undefined): Webhook {
  return { url: String(url), events: String(events).split(" ") as NonNullable<Webhook["events"]> };
}

/** Stores where to report a new task's end. */
export function addWebhook(tx: Transaction, taskId: number, webhook: PreparedWebhook): void {
  const { url, events } = webhook;
  tx.insert(WEBHOOK_TABLE, { task_id: taskId, url, events });
}

/** A pruned task's webhook goes with it. */
export function removeWebhook(tx: Transaction, taskId: number): void {
  if (tx.read(WEBHOOK_SQL.of, [taskId]).length > 0) tx.remove(WEBHOOK_TABLE, [taskId]);
}

/** Enqueues the delivery that reports a task's end, if there is one to make. */
export function tellWebhook(tx: Transaction, row: SqlRow, context: OperationContext): void {
  const [webhook] = tx.read(WEBHOOK_SQL.of, [cell(row, "id")]);
  if (webhook === undefined) return;
  const [url, events] = webhook.map(String);
  if (!events!.split(" ").includes(String(cell(row, "status")))) return;
  const delivery = insertTask(tx, {
    runId: null,
    kept: {
      ...NO_KEPT_VALUES,
      type: WEBHOOK_TYPE,
      priority: TASK_LIMITS.priorityDefault,
      compatibility: "{}",
      max_attempts: DELIVERY_ATTEMPTS,
    },
    payload: JSON.stringify({ url, ...messageOf(row) }),
    runAfterMs: null,
    waitsFor: 0,
  }, context);
  const { nowMs } = context;
  noteTransition(tx, { id: cell(delivery, "id") as number, nowMs }, "enqueued");
}

/** The body of a delivery. A result is not part of it: it may be large, and is for readers of the queue. */
function messageOf(row: SqlRow): { readonly event: string; readonly task: unknown } {
  const task = taskOfRow(row);
  return {
    event: `task.${task.status}`,
    task: {
      id: task.id,
      run_id: task.runId,
      type: task.type,
      status: task.status,
      attempts: task.attempts,
      error_message: task.errorMessage,
      created_at: task.createdAt.toISOString(),
      finished_at: task.finishedAt?.toISOString() ?? null,
    },
  };
}
