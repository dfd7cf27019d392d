/**
 * Enqueueing what is new and stands alone: one statement for many callers. A task whose run id or idempotency key is there
 * already is left out, and so is answered by `enqueueAll`.
 */
import { drawWaitingTime } from "../../domain/claim_order.ts";
import type { Random } from "../../domain/random.ts";
import type { PreparedTask } from "../../queue_policy/new_task.ts";
import { CLOSURE } from "../rows/closure.ts";
import { type Columns, GIVEN_COLUMNS, givenRows, namesOf } from "../rows/columns.ts";
import type { Statements } from "../rows/database.ts";
import { clocksOf } from "../rows/groups.ts";
import type { Lanes } from "../rows/lanes.ts";
import { SELECT_TASKS, selectTasks, type TaskRow, taskRows } from "../rows/task_row.ts";
import { clockOf } from "./claim_sql.ts";

/** A task, and where its enqueueing stands in a trace. */
export interface NewEntry {
  readonly task: PreparedTask;
  readonly runId: string;
  readonly traceParent: string | null;
}

/** What a new task is stored with; its id is given by the table. */
const { id: _id, ...STORED } = GIVEN_COLUMNS;

/** What an entry says; its time is the statement's. */
const { created_at: _createdAt, ...GIVEN } = STORED;
const INPUT: Columns = { place: "bigint", ...GIVEN, run_after: "bigint", draw: "float8" };

/** `$1` is a JSON array of entries, `$2` the time of a test; what more is to be stored of those that are added comes in between. */
const adding = (more = ""): string =>
  `with input as materialized (
    select r.*, ${clockOf("$2")} as created_at from ${givenRows(INPUT)}
    where ${CLOSURE} is null),
  added as (
    insert into @task (${namesOf(STORED)}) select ${namesOf(STORED)} from input order by place
    on conflict do nothing returning *),
  alive as (
    insert into @live (id, lane_id, grp, priority, draw, state, run_after, expires_at, waits_for, followed, weight,
      attempts, lease_token, created_at, updated_at)
    select a.id, a.lane_id, a.grp, a.priority, i.draw + ${clocksOf("a")},
      case when coalesce(i.run_after, i.created_at) <= i.created_at then 1 else 2 end, coalesce(i.run_after, i.created_at),
      a.expires_at, 0, false, length(a.payload), 0, 0, i.created_at, i.created_at
    from added a join input i using (run_id) join @lane lane on lane.lane_id = a.lane_id returning *),
  told as (insert into @transition (task_id, at, kind) select id, created_at, 'enqueued' from added)${more}
  ${selectTasks({ task: "added", live: "join alive" })}`;

const ADD = adding();

/** The same of tasks some of which have tags. */
const ADD_TAGGED = adding(`,
  tagged as (insert into @task_tag (tag, task_id)
    select t.tag, a.id from added a cross join lateral json_array_elements_text(a.tags::json) as t(tag))`);

/** Whether a task needs nothing but its own rows. */
export function standsAlone(
  { dependsOn, unique, webhook, leaseTo, isCancelled, kept }: PreparedTask,
): boolean {
  return unique === null && kept.ordering_key === null && dependsOn.length === 0 &&
    webhook === null && leaseTo === null &&
    !isCancelled;
}

/** Stores these tasks; the rows of those that were new, none in a closed queue. Their lanes are known. */
export async function enqueueNew(
  statements: Statements,
  entries: readonly NewEntry[],
  { lanes, random, nowMs }: {
    readonly lanes: Lanes;
    readonly random: Random;
    readonly nowMs: number | null;
  },
): Promise<TaskRow[]> {
  const rows = entries.map(({ task, runId, traceParent }, place) => {
    const { type: _type, compatibility: _compatibility, ...kept } = task.kept;
    return {
      ...kept,
      place,
      run_id: runId,
      lane_id: lanes.idOf(task.kept),
      payload: task.payload,
      trace_parent: traceParent,
      unique_key: null,
      ordering_place: null,
      run_after: task.runAfterMs,
      draw: drawWaitingTime(kept.priority, random),
    };
  });
  const add = rows.some(({ tags }) => tags !== null) ? ADD_TAGGED : ADD;
  return taskRows(await statements.query(add, [JSON.stringify(rows), nowMs]));
}

/** What an earlier run of `enqueueNew` has stored of these tasks. */
export async function findNew(
  statements: Statements,
  entries: readonly NewEntry[],
): Promise<TaskRow[]> {
  const byRunId = new Map(entries.map(({ runId, task }) => [runId, task]));
  const select = `${SELECT_TASKS} where t.run_id = any($1)`;
  const rows = taskRows(await statements.query(select, [[...byRunId.keys()]]));
  return rows.filter(({ run_id, payload, type }) => {
    const task = byRunId.get(run_id)!;
    return payload === task.payload && type === task.kept.type;
  });
}
