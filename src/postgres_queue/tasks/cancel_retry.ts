/**
 * What a person does to a task: cancel it, or queue it again.
 */
import { CANCELLED_BY_USER } from "../../domain/task.ts";
import type { AskedByHand } from "../../queue_policy/changed_by.ts";
import { checkOpen } from "../rows/closure.ts";
import { isFinalRow, runMsOf, taskNotFound, type TaskRow } from "../rows/task_row.ts";
import { keepSlot } from "../rows/flow_rows.ts";
import type { Work } from "../rows/work.ts";
import { forgiveParents } from "./dependencies.ts";
import { holdsUpOthers } from "./order.ts";
import { propagate } from "./propagate.ts";
import { requeue, requeueBehind, type Requeued } from "./requeue.ts";

/** As though it had never begun. */
const FRESH: Requeued = Object.freeze({
  delayMs: 0,
  attempts: 0,
  message: null,
  isByHand: true,
});

/**
 * Cancels a queued or leased task; `false` when it is final, unless it has failed and holds up others of its ordering key. In a closed queue only what is leased can be cancelled: the rest
 * may have been copied already.
 *
 * @throws QueueError `task_not_found`, `queue_moving`, `queue_moved`.
 */
export async function cancel(work: Work, { id, by }: AskedByHand): Promise<boolean> {
  const row = await work.row(id);
  if (row === undefined) throw taskNotFound(id);
  if (row.status === "failed" && await holdsUpOthers(work, row)) {
    await checkOpen(work.tx);
    await cancelRow(work, row, { by });
    await work.flush();
    return true;
  }
  if (isFinalRow(row)) return false;
  if (row.status === "queued") await checkOpen(work.tx);
  await cancelTask(work, row, { by });
  await work.flush();
  return true;
}

/** Who cancels a task, and what it says then. */
export interface Cancelling {
  readonly by?: string | null;
  /** Default that a user did it. */
  readonly reason?: string;
}

/** Cancels a task that is not final, and tells its children. */
export async function cancelTask(
  work: Work,
  row: TaskRow,
  cancelling: Cancelling = {},
): Promise<void> {
  await propagate(work, [await cancelRow(work, row, cancelling)]);
}

/** Cancels a task that is not final; its row, of which its children have yet to be told. */
export async function cancelRow(
  work: Work,
  row: TaskRow,
  { by, reason }: Cancelling,
): Promise<TaskRow> {
  const { nowMs } = work.context;
  const note = row.status === "leased"
    ? { worker: row.locked_by!, durationMs: runMsOf(row, nowMs) }
    : {};
  work.note(row.id, "cancelled", { ...note, by: by ?? undefined, error: reason });
  if (row.status === "leased") {
    await keepSlot(work.tx, {
      taskId: row.id,
      leaseToken: row.lease_token,
      workerId: row.locked_by!,
      type: row.type,
      grp: row.grp,
      sinceMs: row.processing_started!,
      untilMs: row.lease_until!,
    });
  }
  return markCancelled(work, row, reason ?? CANCELLED_BY_USER);
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
export async function retry(work: Work, { id, by }: AskedByHand): Promise<boolean> {
  const row = await work.row(id);
  if (row === undefined) throw taskNotFound(id);
  if (row.status !== "failed" && row.status !== "cancelled") return false;
  await propagate(work, [await retryRow(work, row, by)]);
  await work.flush();
  return true;
}

const RETRY_SQL = {
  children: "select distinct child_id from @dependency where child_id = any($1)",
} as const;

/** Queues failed or cancelled tasks again; their rows, of which their children have yet to be told. */
export async function retryRows(
  work: Work,
  rows: readonly TaskRow[],
  by: string | null,
): Promise<TaskRow[]> {
  const children = await work.tx.query(RETRY_SQL.children, [rows.map(({ id }) => id)]);
  const ids = new Set(children.map(({ child_id }) => Number(child_id)));
  const queued: TaskRow[] = [];
  for (const row of rows) {
    if (ids.has(row.id)) queued.push(await retryRow(work, row, by));
    else {
      work.note(row.id, "requeued", { by: by ?? undefined });
      queued.push(requeueBehind(work, row, FRESH, 0));
    }
  }
  return queued;
}

/** Queues a failed or cancelled task again; its row, of which its children have yet to be told. */
export async function retryRow(work: Work, row: TaskRow, by: string | null): Promise<TaskRow> {
  work.note(row.id, "requeued", { by: by ?? undefined });
  await forgiveParents(work, row.id);
  return await requeue(work, row, FRESH);
}
