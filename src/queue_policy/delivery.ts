/**
 * Deliveries: the tasks that tell a webhook that another task has ended.
 */
import { type Task, TASK_LIMITS } from "../domain/task.ts";
import { WEBHOOK_TYPE } from "../domain/webhook.ts";
import { NO_KEPT_VALUES } from "./kept_fields.ts";
import type { StorableTask } from "./new_task.ts";

/** How often a delivery is tried. */
const DELIVERY_ATTEMPTS = 10;

/** The delivery of a task's end to a URL; `null` when the webhook is not for this status. `events` are separated by blanks. */
export function deliveryOf(
  task: Task,
  { url, events }: { readonly url: string; readonly events: string },
): StorableTask | null {
  if (!events.split(" ").includes(task.status)) return null;
  return {
    runId: null,
    kept: {
      ...NO_KEPT_VALUES,
      type: WEBHOOK_TYPE,
      priority: TASK_LIMITS.priorityDefault,
      compatibility: "{}",
      max_attempts: DELIVERY_ATTEMPTS,
    },
    payload: JSON.stringify({ url, ...messageOf(task) }),
    runAfterMs: null,
    uniqueKey: null,
  };
}

/** The body of a delivery. A result is not part of it: it may be large, and is for readers of the queue. */
function messageOf(task: Task): { readonly event: string; readonly task: unknown } {
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
