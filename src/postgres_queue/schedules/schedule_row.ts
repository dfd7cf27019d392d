/**
 * Rows of `schedule`, each read with how the task of its last firing is.
 */
import type { LastTask } from "../../queue_policy/schedule_plan.ts";
import type { StoredSchedule } from "../../queue_policy/stored_schedule.ts";
import type { Row, Statements } from "../rows/database.ts";

/** A schedule with its last task. */
export interface ScheduleRow {
  readonly schedule: StoredSchedule;
  readonly last: LastTask;
}

const COLUMNS = `schedule_id text, type text, payload text, priority int, compatibility text,
  max_attempts int, retry_policy text, timeout_ms bigint, grp text, expires_in_ms bigint, unique_by text, ordering_key text, on_predecessor_failure text, tags text, every_ms bigint, cron text, time_zone text,
  catch_up text, catch_up_max int, may_overlap boolean, is_paused boolean, next_at bigint,
  last_fired_at bigint, last_task_id bigint, firings bigint, webhook_url text, webhook_events text,
  created_at bigint, updated_at bigint`;

const NAMES = COLUMNS.replaceAll(/ (bigint|int|boolean|text)/g, "");

const CHANGED = NAMES.replace("schedule_id, ", "");

/** How the last task is; `v` is its row of `live`, `t` that of `task`. */
export const LAST_TASK = "v.id is not null as is_last_active, t.finished_at as last_ended_at";

/** A schedule, `s`, with the rows of its last task. */
export const WITH_LAST_TASK =
  "@schedule s left join @task t on t.id = s.last_task_id left join @live v on v.id = s.last_task_id";

const SELECT = `select ${NAMES.replaceAll(/\w+/g, "s.$&")}, ${LAST_TASK} from ${WITH_LAST_TASK}`;

/** The statements; `$1` is a JSON array of schedules where there is no other comment. */
const ROW_SQL = {
  all: `${SELECT} order by s.schedule_id`,
  /** `$1` are ids. */
  byIds: `${SELECT} where s.schedule_id = any($1) order by s.schedule_id`,
  /** `$1` is the id. */
  lock: "select schedule_id from @schedule where schedule_id = $1 for update",
  add: `insert into @schedule (${NAMES})
    select ${NAMES} from json_to_recordset($1::text::json) as r(${COLUMNS})
    on conflict do nothing returning schedule_id`,
  change: `update @schedule s set (${CHANGED}) = row(${CHANGED.replaceAll(/\w+/g, "r.$&")})
    from json_to_recordset($1::text::json) as r(${COLUMNS}) where s.schedule_id = r.schedule_id`,
} as const;

/** Every schedule, by its id. */
export async function allSchedules(tx: Statements): Promise<ScheduleRow[]> {
  return (await tx.query(ROW_SQL.all)).map(scheduleOfRow);
}

/** The schedules with these ids that there are, by their ids. */
export async function findSchedules(
  tx: Statements,
  ids: readonly string[],
): Promise<ScheduleRow[]> {
  return (await tx.query(ROW_SQL.byIds, [ids])).map(scheduleOfRow);
}

/** The schedule with this id, locked. */
export async function lockSchedule(tx: Statements, id: string): Promise<ScheduleRow | undefined> {
  const [locked, found] = await Promise.all([
    tx.query(ROW_SQL.lock, [id]),
    findSchedules(tx, [id]),
  ]);
  return locked.length === 0 ? undefined : found[0];
}

/** Adds schedules; the ids of those whose id was free. */
export async function addSchedules(
  tx: Statements,
  schedules: readonly StoredSchedule[],
): Promise<string[]> {
  const added = await tx.query(ROW_SQL.add, [JSON.stringify(schedules)]);
  return added.map(({ schedule_id }) => String(schedule_id));
}

/** Writes schedules whose rows this transaction has locked. */
export async function changeSchedules(
  tx: Statements,
  schedules: readonly StoredSchedule[],
): Promise<void> {
  await tx.query(ROW_SQL.change, [JSON.stringify(schedules)]);
}

function scheduleOfRow(row: Row): ScheduleRow {
  const { is_last_active: _active, last_ended_at: _ended, ...schedule } = row;
  return { schedule: schedule as unknown as StoredSchedule, last: lastTaskOf(row) };
}

/** How the last task is, from `LAST_TASK`. A pruned one has ended; when is unknown. */
export function lastTaskOf({ is_last_active, last_ended_at }: Row): LastTask {
  if (is_last_active) return { kind: "active" };
  return last_ended_at === null ? { kind: "none" } : { kind: "ended", atMs: Number(last_ended_at) };
}
