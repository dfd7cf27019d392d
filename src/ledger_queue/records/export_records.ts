/**
 * Exporting: the tasks of one moment, as records.
 */
import { checkOneOf } from "../../domain/check.ts";
import { TASK_STATUSES, type TaskStatus } from "../../domain/task.ts";
import { type Webhook, webhookOf } from "../../domain/webhook.ts";
import type { Reader } from "../../ledger/replica.ts";
import type {
  ParentRecord,
  QueueRecords,
  RecordRequest,
  ScheduleRecord,
  TaskRecord,
} from "../../queue/records.ts";
import { scheduleOf } from "../../queue_policy/stored_schedule.ts";
import { cell } from "../rows/task_row.ts";
import { allSchedules } from "../schedules/schedule_row.ts";
import { recordOfRow } from "./task_record.ts";

/** The statuses that are asked for. @throws TypeError */
export function prepareRecordRequest({ statuses = TASK_STATUSES }: RecordRequest): TaskStatus[] {
  return statuses.map((status) => checkOneOf(status, TASK_STATUSES, { doing: "export status" }));
}

/** Everything that is carried. */
export function exportAll(reader: Reader): QueueRecords {
  return { tasks: exportRecords(reader, TASK_STATUSES), schedules: exportSchedules(reader) };
}

/** The records of the tasks with these statuses, in order of their ids. */
export function exportRecords(reader: Reader, statuses: readonly TaskStatus[]): TaskRecord[] {
  const select = `SELECT * FROM task_queue WHERE status IN (${
    statuses.map(() => "?").join(", ")
  }) ORDER BY id`;
  const [parents, webhooks] = [allParents(reader), allWebhooks(reader)];
  return reader.read(select, statuses).map((row) => {
    const id = cell(row, "id") as number;
    return recordOfRow(row, {
      parents: parents.get(id) ?? [],
      webhook: webhooks.get(id) ?? null,
    });
  });
}

/** Where to report that tasks have ended, by their ids. */
function allWebhooks(reader: Reader): ReadonlyMap<number, Webhook> {
  const rows = reader.read("SELECT task_id, url, events FROM task_webhooks");
  return new Map(
    rows.map(([id, url, events]) => [Number(id), webhookOf(String(url), String(events))]),
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

/** Every schedule, by its id. */
export function exportSchedules(reader: Reader): ScheduleRecord[] {
  return allSchedules(reader).map((row) => {
    const { payload: _payload, lastTaskId, waitsForTaskId: _task, ...fields } = scheduleOf(
      row,
      { kind: "none" },
      0,
    );
    const [task] = reader.read("SELECT run_id FROM task_queue WHERE id = ?", [lastTaskId]);
    return {
      ...fields,
      payloadText: row.payload,
      nextAt: row.next_at === null ? null : new Date(row.next_at),
      lastRunId: task === undefined ? null : String(task[0]),
    };
  });
}
