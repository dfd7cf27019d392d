/**
 * Exporting: the tasks of one moment, as records.
 */
import { TASK_STATUSES, type TaskStatus } from "../../domain/task.ts";
import { type Webhook, webhookOf } from "../../domain/webhook.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type {
  ParentRecord,
  QueueRecords,
  ScheduleRecord,
  TaskRecord,
} from "../../queue/records.ts";
import { recordOfSchedule } from "../../queue_policy/schedule_record.ts";
import { recordOfTask } from "../../queue_policy/task_record.ts";
import { flowRecordsOf } from "../../queue_policy/limit_request.ts";
import { flowOf } from "../rows/flow_rows.ts";
import { cell } from "../rows/cells.ts";
import { taskOfRow } from "../rows/task_row.ts";
import { allSchedules } from "../schedules/schedule_row.ts";

/** Everything that is carried. */
export function exportAll(reader: Reader, nowMs: number): QueueRecords {
  return {
    tasks: exportRecords(reader, TASK_STATUSES),
    schedules: exportSchedules(reader),
    limits: flowRecordsOf(flowOf(reader).rows, nowMs),
  };
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

/** The record of a row, its parents and its webhook. */
export function recordOfRow(
  row: SqlRow,
  { parents, webhook }: Pick<TaskRecord, "parents" | "webhook">,
): TaskRecord {
  return recordOfTask(taskOfRow(row), {
    parents,
    webhook,
    payloadText: cell(row, "payload") as string,
    resultText: cell(row, "result") as string | null,
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
    const [task] = reader.read("SELECT run_id FROM task_queue WHERE id = ?", [row.last_task_id]);
    return recordOfSchedule(row, task === undefined ? null : String(task[0]));
  });
}
