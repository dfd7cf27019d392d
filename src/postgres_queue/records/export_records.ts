/**
 * Exporting: the tasks of one moment, as records.
 */
import { isFinal, TASK_STATUSES, type TaskStatus } from "../../domain/task.ts";
import { type Webhook, webhookOf } from "../../domain/webhook.ts";
import type {
  ParentRecord,
  QueueRecords,
  ScheduleRecord,
  TaskRecord,
} from "../../queue/records.ts";
import { recordOfSchedule } from "../../queue_policy/schedule_record.ts";
import { recordOfTask } from "../../queue_policy/task_record.ts";
import type { Row, Statements } from "../rows/database.ts";
import { flowRecordsOf } from "../../queue_policy/limit_request.ts";
import { flowNow } from "../rows/flow_rows.ts";
import { LIVE_STATES } from "../rows/schema.ts";
import { selectTasks, taskOfRow, type TaskRow, taskRows } from "../rows/task_row.ts";
import { allSchedules } from "../schedules/schedule_row.ts";
import { PART_MAX, parts } from "./parts.ts";

/** The statements; `$1` is the id before the first, `$2` the last id where there is no other comment. */
const EXPORT_SQL = {
  /** The last id of a part. */
  last: `select max(id) as last from (
    select id from @task where id > $1 order by id limit ${PART_MAX}) as part`,
  /** `$3` are outcomes, `$4` states of `live`, of which a part is read, too: else each part would read all before it. */
  tasks: `${
    selectTasks({ live: "left join (select * from @live where id > $1 and id <= $2)" })
  } where t.id > $1 and t.id <= $2 and (t.outcome = any($3) or v.state = any($4::smallint[]))
    order by t.id`,
  parents: `select child_id, parent_id, parent_run_id, on_failure, state from @dependency
    where child_id > $1 and child_id <= $2 order by child_id, position`,
  webhooks: "select task_id, url, events from @webhook where task_id > $1 and task_id <= $2",
  /** `$1` are ids. */
  runIds: "select id, run_id from @task where id = any($1)",
} as const;

/** Everything that is carried. */
export async function exportAll(tx: Statements, nowMs: number): Promise<QueueRecords> {
  return {
    tasks: await exportRecords(tx, TASK_STATUSES),
    schedules: await exportSchedules(tx),
    limits: flowRecordsOf((await flowNow(tx)).rows, nowMs),
  };
}

/** The records of the tasks with these statuses, in order of their ids. */
export async function exportRecords(
  tx: Statements,
  statuses: readonly TaskStatus[],
): Promise<TaskRecord[]> {
  const { leased, ...queued } = LIVE_STATES;
  const states = [
    ...(statuses.includes("queued") ? Object.values(queued) : []),
    ...(statuses.includes("leased") ? [leased] : []),
  ];
  const records: TaskRecord[] = [];
  for (let after = 0;;) {
    const [part] = await tx.query(EXPORT_SQL.last, [after]);
    if (part!.last === null) return records;
    const span: Span = [after, Number(part!.last)];
    const found = await tx.query(EXPORT_SQL.tasks, [...span, statuses.filter(isFinal), states]);
    for (const record of await recordsOf(tx, taskRows(found), span)) records.push(record);
    after = span[1];
  }
}

/** The id before the first, and the last. */
type Span = readonly [after: number, last: number];

/** The records of rows. */
async function recordsOf(
  tx: Statements,
  rows: readonly TaskRow[],
  span: Span,
): Promise<TaskRecord[]> {
  const [parentRows, webhookRows] = await Promise.all([
    tx.query(EXPORT_SQL.parents, span),
    tx.query(EXPORT_SQL.webhooks, span),
  ]);
  const parents = parentsByChild(parentRows);
  const webhooks = new Map<number, Webhook>(
    webhookRows.map(({ task_id, url, events }) => [
      Number(task_id),
      webhookOf(String(url), String(events)),
    ]),
  );
  return rows.map((row) =>
    recordOfTask(taskOfRow(row), {
      payloadText: row.payload,
      resultText: row.result,
      parents: parents.get(row.id) ?? [],
      webhook: webhooks.get(row.id) ?? null,
    })
  );
}

/** Each child's parents, in its order. */
function parentsByChild(rows: readonly Row[]): ReadonlyMap<number, readonly ParentRecord[]> {
  const byChild = new Map<number, ParentRecord[]>();
  for (const { child_id, parent_id, parent_run_id, on_failure, state } of rows) {
    const parents = byChild.get(Number(child_id)) ?? [];
    byChild.set(Number(child_id), parents);
    parents.push({
      taskId: Number(parent_id),
      runId: String(parent_run_id),
      onFailure: on_failure as ParentRecord["onFailure"],
      state: state as ParentRecord["state"],
    });
  }
  return byChild;
}

/** Every schedule, by its id. */
export async function exportSchedules(tx: Statements): Promise<ScheduleRecord[]> {
  const schedules = (await allSchedules(tx)).map(({ schedule }) => schedule);
  const runIds = new Map<number, string>();
  for (const part of parts(schedules.flatMap(({ last_task_id }) => last_task_id ?? []))) {
    for (const { id, run_id } of await tx.query(EXPORT_SQL.runIds, [part])) {
      runIds.set(Number(id), String(run_id));
    }
  }
  return schedules.map((schedule) => {
    const { last_task_id: id } = schedule;
    return recordOfSchedule(schedule, id === null ? null : runIds.get(id) ?? null);
  });
}
