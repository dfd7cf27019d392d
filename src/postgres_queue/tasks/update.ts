/**
 * Updates: a person changes a task while it waits.
 */
import {
  type EditableTask,
  editOf,
  type PreparedUpdate,
} from "../../queue_policy/update_request.ts";
import { taskNotFound, type TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";

/** Changes a queued task; its row. @throws QueueError `task_not_found`, and as `editOf`. */
export async function update(work: Work, id: number, update: PreparedUpdate): Promise<TaskRow> {
  const row = await work.row(id);
  if (row === undefined) throw taskNotFound(id);
  const edited = edit(work, row, update) ?? row;
  await work.flush();
  return edited;
}

/** Changes a queued task that is locked; its row, or `undefined` when it is so already. @throws QueueError as `editOf`. */
export function edit(work: Work, row: TaskRow, update: PreparedUpdate): TaskRow | undefined {
  const change = editOf(editableOf(row), update, work.context.nowMs);
  if (change === undefined) return undefined;
  const { values, runAfterMs, updatedAtMs, note } = change;
  work.note(row.id, "edited", note);
  const { lanes } = work.context;
  const lane_id = values.grp === undefined ? row.lane_id : lanes.idOf({ ...row, ...values });
  const state = { ...values, lane_id, run_after: runAfterMs, updated_at: updatedAtMs };
  return work.change(row, state, { isDrawn: true });
}

/** A task as an update needs it. */
export function editableOf(row: TaskRow): EditableTask {
  const { id, status, attempts, priority, max_attempts, grp, expires_at, tags } = row;
  return {
    ...{ id, status, attempts, priority, max_attempts, grp, expires_at, tags },
    runAfterMs: row.run_after,
    updatedAtMs: row.updated_at,
  };
}
