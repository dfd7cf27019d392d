/**
 * Requeueing: a task goes back into the queue, behind its parents that are not final. Without an attempt behind it, it
 * has not started: the transitions keep what was before.
 */
import { isFinalRow, type TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { countOpenParents } from "./dependencies.ts";

/** How a task goes back. */
export interface Requeued {
  readonly delayMs: number;
  readonly attempts: number;
  readonly message: string | null;
  /** Whether a person wants it to run, so that it does not expire any more; default false. */
  readonly isByHand?: boolean;
}

/** Puts a task back into the queue, due after `delayMs`. Whether one that was final is followed is not known: it may be. */
export async function requeue(work: Work, row: TaskRow, state: Requeued): Promise<TaskRow> {
  const open = await countOpenParents(work, [row.id]);
  return requeueBehind(work, row, state, open.get(row.id) ?? 0);
}

/** The same, with the number of parents that it waits for. */
export function requeueBehind(
  work: Work,
  row: TaskRow,
  state: Requeued,
  waitsFor: number,
): TaskRow {
  const { nowMs } = work.context;
  return work.change(row, {
    status: "queued",
    attempts: state.attempts,
    error_message: state.message,
    run_after: nowMs + Math.ceil(state.delayMs),
    waits_for: waitsFor,
    lease_until: null,
    ...(state.attempts === 0 ? { processing_started: null } : {}),
    finished_at: null,
    progress_percent: null,
    progress_message: null,
    result: null,
    ...(state.isByHand ? { expires_at: null } : {}),
    updated_at: nowMs,
    followed: row.followed || isFinalRow(row),
  }, { isDrawn: true });
}
