/**
 * Exporting: the tasks of one moment, as records.
 */
import { isTaskStatus, TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import type { Reader } from "../ledger/replica.ts";
import { type ParentRecord, recordOfRow, type TaskRecord } from "./task_record.ts";
import { cell } from "./task_row.ts";

/** Which tasks to export. */
export interface RecordRequest {
  /** Only tasks with one of these statuses; default all. */
  readonly statuses?: readonly TaskStatus[];
}

/** The statuses that are asked for. @throws TypeError */
export function prepareRecordRequest({ statuses = TASK_STATUSES }: RecordRequest): TaskStatus[] {
  const wrong = statuses.find((status) => !isTaskStatus(status));
  if (wrong === undefined) return [...statuses];
  throw new TypeError(
    `Cannot export status ${JSON.stringify(wrong)}: allowed are ${TASK_STATUSES.join(", ")}`,
  );
}

/** The records of the tasks with these statuses, in order of their ids. */
export function exportRecords(reader: Reader, statuses: readonly TaskStatus[]): TaskRecord[] {
  const select = `SELECT * FROM task_queue WHERE status IN (${
    statuses.map(() => "?").join(", ")
  }) ORDER BY id`;
  const parents = allParents(reader);
  return reader.read(select, statuses).map((row) =>
    recordOfRow(row, parents.get(cell(row, "id") as number) ?? [])
  );
}

/** Every task's parents, in its order. */
function allParents(reader: Reader): ReadonlyMap<number, readonly ParentRecord[]> {
  const select = `SELECT child_id, parent_id, parent_run_id, on_failure, state
    FROM task_dependencies ORDER BY child_id, position`;
  const byChild = new Map<number, ParentRecord[]>();
  for (const [childId, taskId, runId, onFailure, state] of reader.read(select)) {
    const parents = byChild.get(Number(childId)) ?? [];
    byChild.set(Number(childId), parents);
    parents.push({
      taskId: Number(taskId),
      runId: String(runId),
      onFailure: onFailure as ParentRecord["onFailure"],
      state: state as ParentRecord["state"],
    });
  }
  return byChild;
}
