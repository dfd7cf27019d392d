/**
 * Updates: a person changes a task while it waits.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import {
  type EditableTask,
  editOf,
  type PreparedUpdate,
} from "../../queue_policy/update_request.ts";
import type { OperationContext } from "../rows/context.ts";
import { laneOfRow, readinessOf } from "../rows/lanes.ts";
import { cell } from "../rows/cells.ts";
import { rowOfTask, tagsOf, updateTask } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";

/** Changes a queued task; its row. @throws QueueError `task_not_found`, and as `editOf`. */
export function update(
  tx: Transaction,
  { id, update }: { readonly id: number; readonly update: PreparedUpdate },
  context: OperationContext,
): SqlRow {
  return edit(tx, { row: rowOfTask(tx, id), update }, context) ?? rowOfTask(tx, id);
}

/** Changes a queued task; its row, or `undefined` when it is so already. @throws QueueError as `editOf`. */
export function edit(
  tx: Transaction,
  { row, update }: { readonly row: SqlRow; readonly update: PreparedUpdate },
  context: OperationContext,
): SqlRow | undefined {
  const { nowMs } = context;
  const task = editableOf(row);
  const change = editOf(task, update, nowMs);
  if (change === undefined) return undefined;
  const { values, runAfterMs, updatedAtMs, note } = change;
  noteTransition(tx, { id: task.id, nowMs }, "edited", note);
  const waitsFor = cell(row, "waits_for") as number;
  const entry = { ...laneOfRow(row), ...values, runAfterMs, waitsFor };
  return updateTask(tx, row, {
    ...values,
    ...readinessOf(tx, entry, context),
    updated_at_utc: updatedAtMs,
  });
}

/** A task as an update needs it. */
export function editableOf(row: SqlRow): EditableTask {
  return {
    id: cell(row, "id") as number,
    status: cell(row, "status") as TaskStatus,
    attempts: cell(row, "attempts") as number,
    priority: cell(row, "priority") as number,
    max_attempts: cell(row, "max_attempts") as number,
    grp: cell(row, "grp") as string,
    expires_at: cell(row, "expires_at") as number | null,
    tags: tagsOf(row),
    runAfterMs: cell(row, "run_after_utc") as number,
    updatedAtMs: cell(row, "updated_at_utc") as number,
  };
}
