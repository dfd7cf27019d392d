/**
 * Tasks on their way from one queue to another: their rows as they are.
 */
import { isFinal } from "../../domain/task.ts";
import type { MovedParent, MovedTask, MovedValue, TaskSpan } from "../../queue/move_end.ts";
import {
  byTask,
  columnsOf,
  MOVED_COLUMNS,
  movedDependencies,
  movedWaitsFor,
  TASK_PART,
} from "../../queue_policy/moved_records.ts";
import { givenRows, namesOf } from "../rows/columns.ts";
import type { Row, Statements } from "../rows/database.ts";
import { DELIVERY_LANE, type LaneName } from "../rows/lanes.ts";
import { selectTasks, type TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { behindUntilSettled, STORED_COLUMNS, storedRow } from "./import_records.ts";

/** The statements; `$1` is the id before the first, `$2` the last id where there is no other comment. */
const MOVED_SQL = {
  last: `select max(id) as last from (
    select id, row_number() over w as place, sum(size) over w as total from (
      select id, octet_length(payload) + coalesce(octet_length(result), 0) as size
      from @task where id > $1 order by id limit ${TASK_PART.count}) as sizes
    window w as (order by id)) as part where place = 1 or total <= ${TASK_PART.length}`,
  tasks: `${
    selectTasks({ live: "left join (select * from @live where id > $1 and id <= $2)" })
  } where t.id > $1 and t.id <= $2 order by t.id`,
  parents: `select child_id, parent_id, parent_run_id, on_failure, state from @dependency
    where child_id > $1 and child_id <= $2 order by child_id, position`,
  webhooks: "select task_id, url, events from @webhook where task_id > $1 and task_id <= $2",
  /** `$1` is a JSON array of rows. */
  add: `insert into @task (${namesOf(STORED_COLUMNS)})
    select ${namesOf(STORED_COLUMNS)} from ${givenRows(STORED_COLUMNS)}`,
} as const;

/** A part of the tasks. */
export async function movedTasks(tx: Statements, { after, upTo }: TaskSpan): Promise<MovedTask[]> {
  const last = upTo ?? Number((await tx.query(MOVED_SQL.last, [after]))[0]!.last ?? after);
  const [rows, parentRows, webhookRows] = await Promise.all([
    tx.query(MOVED_SQL.tasks, [after, last]),
    tx.query(MOVED_SQL.parents, [after, last]),
    tx.query(MOVED_SQL.webhooks, [after, last]),
  ]);
  const parents = byTask(parentRows, parentOf);
  const webhooks = byTask(webhookRows, webhookOf);
  return rows.map((row) => {
    const id = Number(row.id);
    const [webhook] = webhooks.get(id) ?? [];
    return {
      id,
      values: MOVED_COLUMNS.map((name) => row[name] as MovedValue),
      parents: parents.get(id) ?? [],
      webhook: webhook ?? null,
    };
  });
}

function parentOf({ child_id, ...row }: Row): readonly [number, MovedParent] {
  const { parent_id, parent_run_id, on_failure, state } = row;
  return [
    Number(child_id),
    [parent_id, parent_run_id, on_failure, state] as unknown as MovedParent,
  ];
}

function webhookOf({ task_id, url, events }: Row): readonly [number, readonly [string, string]] {
  return [Number(task_id), [String(url), String(events)]];
}

/** The lanes of tasks, and of what their webhooks lead to. */
export function lanesOfMoved(tasks: readonly MovedTask[]): LaneName[] {
  const lanes = tasks.map(columnsOf).map(({ type, compatibility, grp }) => ({
    ...{ type, compatibility, grp },
  }));
  return tasks.some(({ webhook }) => webhook !== null) ? [...lanes, DELIVERY_LANE] : lanes;
}

/** Stores tasks with what belongs to them; their lanes are known. */
export async function storeMoved(work: Work, tasks: readonly MovedTask[]): Promise<void> {
  if (tasks.length === 0) return;
  const rows = tasks.map((task) => rowOf(work, task));
  for (const row of rows) work.addTags(row);
  for (const task of tasks) {
    for (const dependency of movedDependencies(task.id, task)) work.addDependency(dependency);
    if (task.webhook === null) continue;
    const [url, events] = task.webhook;
    work.addWebhook({ task_id: task.id, url, events });
  }
  await Promise.all([
    work.tx.query(MOVED_SQL.add, [JSON.stringify(rows.map(storedRow))]),
    work.addLive(rows.filter(({ status }) => !isFinal(status))),
    work.flush(),
  ]);
}

/** The row of a task; whether children wait for it is seen to when all are there. */
function rowOf(work: Work, task: MovedTask): TaskRow {
  const columns = columnsOf(task);
  return {
    ...columns,
    lane_id: work.context.lanes.idOf(columns),
    lease_until: null,
    ...behindUntilSettled(work, columns, movedWaitsFor(columns, task)),
    followed: task.webhook !== null || columns.ordering_key !== null,
  };
}
