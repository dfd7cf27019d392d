/**
 * What a person does to a task: cancel it, or queue it again.
 */
import { CANCELLED_BY_USER } from "../../domain/task.ts";
import { checkOpen } from "../rows/closure.ts";
import { isFinalRow, runMsOf, taskNotFound, type TaskRow } from "../rows/task_row.ts";
import { keepSlot } from "../rows/flow_rows.ts";
import type { Work } from "../rows/work.ts";
import { forgiveParents } from "./dependencies.ts";
import { propagate } from "./propagate.ts";
import { requeue } from "./requeue.ts";

/** `$1` is the id. */
const FORGET_EXPIRY = "update @task set expires_at = null where id = $1";

/**
 * Cancels a queued or leased task; `false` when it is final. In a closed queue only what is leased can be cancelled: the rest
 * may have been copied already.
 *
 * @throws QueueError `task_not_found`, `queue_moving`, `queue_moved`.
 */
export async function cancel(work: Work, taskId: number): Promise<boolean> {
  const row = await work.row(taskId);
  if (row === undefined) throw taskNotFound(taskId);
  if (isFinalRow(row)) return false;
  if (row.status === "queued") await checkOpen(work.tx);
  await cancelTask(work, row);
  await work.flush();
  return true;
}

/** Cancels a task that is not final. */
export async function cancelTask(work: Work, row: TaskRow): Promise<void> {
  const { nowMs } = work.context;
  const note = row.status === "leased"
    ? { worker: row.locked_by!, durationMs: runMsOf(row, nowMs) }
    : {};
  work.note(row.id, "cancelled", note);
  if (row.status === "leased") {
    await keepSlot(work.tx, {
      taskId: row.id,
      leaseToken: row.lease_token,
      workerId: row.locked_by!,
      type: row.type,
      sinceMs: row.processing_started!,
      untilMs: row.lease_until!,
    });
  }
  await propagate(work, [markCancelled(work, row, CANCELLED_BY_USER)]);
}

/** Ends a task as cancelled; its children and webhooks are still to be told (`propagate`). */
export function markCancelled(work: Work, row: TaskRow, message: string): TaskRow {
  const { nowMs } = work.context;
  return work.change(row, {
    status: "cancelled",
    error_message: message,
    waits_for: 0,
    lease_until: null,
    finished_at: nowMs,
    updated_at: nowMs,
  });
}

/**
 * Queues a failed or cancelled task again, with fresh attempts; `false` for any other. It waits for those of its parents
 * that are not final; one that has failed does not hold it up. Its children wait for it again: those that are queued, and
 * those that ended because of it, which are queued again with fresh attempts. It does not expire any more.
 *
 * @throws QueueError `task_not_found`.
 */
export async function retry(work: Work, taskId: number): Promise<boolean> {
  const row = await work.row(taskId);
  if (row === undefined) throw taskNotFound(taskId);
  if (row.status !== "failed" && row.status !== "cancelled") return false;
  work.note(taskId, "requeued");
  await forgiveParents(work, taskId);
  const back = await requeue(work, row, { delayMs: 0, attempts: 0, message: null });
  await propagate(work, [await neverExpiring(work, back)]);
  await work.flush();
  return true;
}

async function neverExpiring(work: Work, row: TaskRow): Promise<TaskRow> {
  if (row.expires_at === null) return row;
  await work.tx.query(FORGET_EXPIRY, [row.id]);
  return work.change(row, { expires_at: null });
}
