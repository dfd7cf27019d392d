/**
 * Exporting: the tasks of one moment, as records.
 */
import { isTaskStatus, TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import type { Reader } from "../ledger/replica.ts";
import { recordOfRow, type TaskRecord } from "./task_record.ts";

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
  return reader.read(select, statuses).map(recordOfRow);
}
