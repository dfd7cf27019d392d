/**
 * Looking at schedules: whether an instant has come, which schedules fire, and else when to look again. Changes nothing.
 */
import { FIRE_MAX, type UnplannableSchedule } from "../../queue_policy/schedule_firing.ts";
import { type PlannableSchedule, planOf } from "../../queue_policy/stored_schedule.ts";
import type { Parameter, Row, Statements } from "../rows/database.ts";
import type { LaneName } from "../rows/lanes.ts";
import { clockOf } from "../tasks/claim_sql.ts";
import { LAST_TASK, lastTaskOf, WITH_LAST_TASK } from "./schedule_row.ts";

/** What a look at the schedules finds. */
export interface ScheduleOutlook {
  /** The server's time. */
  readonly nowMs: number;
  /** Whether an instant has come of a schedule that waits for no task. */
  readonly isReached: boolean;
  /** The next instant to come; `null` for none. */
  readonly nextMs: number | null;
}

/** A schedule that is to fire. */
export interface DueSchedule extends LaneName {
  readonly id: string;
  readonly hasWebhook: boolean;
}

/** What the schedules have to do whose instants have come. */
export interface ReachedSchedules {
  /** Those that fire, the longest due first, as many as one transaction takes at most. */
  readonly due: readonly DueSchedule[];
  /** When to look again when none fires; `null` when that is unknown. */
  readonly nextMs: number | null;
  /** Those that this process cannot plan: all, when none fires. */
  readonly unplannable: readonly UnplannableSchedule[];
}

/** How many schedules are read at once. */
const CHUNK = 100;

/** The time, once for a whole statement; `$1` is the time of a test. */
export const MOMENT = `moment as materialized (select ${clockOf("$1")} as now)`;

/** That a schedule waits for no task. Its last task is looked up by its id; `exists` might hash every task that is alive. */
const IS_FREE = "(s.may_overlap or (select v.id from @live v where v.id = s.last_task_id) is null)";

/** The columns of a `ScheduleOutlook` in a statement about `moment`. */
export const OUTLOOK = `moment.now,
  exists (select from @schedule s where not s.is_paused and s.next_at <= moment.now
    and ${IS_FREE}) as is_reached,
  (select min(s.next_at) from @schedule s where not s.is_paused and s.next_at > moment.now) as next_at`;

const PLAN_SQL = {
  look: `with ${MOMENT} select ${OUTLOOK} from moment`,
  /** `$1` is now, `$2` and `$3` are the last instant and id that were read, `$4` is how many. */
  reached:
    `select s.schedule_id, s.type, s.compatibility, s.grp, s.webhook_url is not null as has_webhook,
      s.every_ms, s.cron, s.time_zone, s.catch_up, s.catch_up_max, s.may_overlap, s.next_at, ${LAST_TASK}
    from ${WITH_LAST_TASK}
    where not s.is_paused and s.next_at <= $1 and ${IS_FREE}
      and (s.next_at, s.schedule_id) > ($2, $3) order by s.next_at, s.schedule_id limit $4`,
} as const;

/** Looks at the schedules; `testMs` is the time of a test. */
export async function lookAtSchedules(
  statements: Statements,
  testMs: number | null,
): Promise<ScheduleOutlook> {
  const [row] = await statements.query(PLAN_SQL.look, [testMs]);
  return outlookOf(row!);
}

/** The outlook in a row with the columns of `OUTLOOK`. */
export function outlookOf({ now, is_reached, next_at }: Row): ScheduleOutlook {
  return {
    nowMs: Number(now),
    isReached: is_reached === true,
    nextMs: next_at === null ? null : Number(next_at),
  };
}

/** Plans the schedules whose instants have come; no more are read than are needed, about. */
export async function planReached(
  statements: Statements,
  nowMs: number,
): Promise<ReachedSchedules> {
  const due: DueSchedule[] = [];
  const unplannable: UnplannableSchedule[] = [];
  let nextMs = Infinity;
  for await (const row of reachedSchedules(statements, nowMs)) {
    const plan = planOf(row as unknown as PlannableSchedule, lastTaskOf(row), nowMs);
    const id = String(row.schedule_id);
    if (plan.kind === "fire") due.push(dueSchedule(row));
    else if (plan.kind === "wait") nextMs = Math.min(nextMs, plan.untilMs ?? Infinity);
    else unplannable.push({ id, error: plan.error });
    if (due.length === FIRE_MAX) break;
  }
  return { due, nextMs: nextMs === Infinity ? null : nextMs, unplannable };
}

async function* reachedSchedules(statements: Statements, nowMs: number): AsyncGenerator<Row> {
  let after: readonly Parameter[] = [Number.MIN_SAFE_INTEGER, ""];
  for (;;) {
    const rows = await statements.query(PLAN_SQL.reached, [nowMs, ...after, CHUNK]);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < CHUNK) return;
    after = [last.next_at!, last.schedule_id!];
  }
}

function dueSchedule({ schedule_id, type, compatibility, grp, has_webhook }: Row): DueSchedule {
  return {
    id: String(schedule_id),
    type: String(type),
    compatibility: String(compatibility),
    grp: String(grp),
    hasWebhook: has_webhook === true,
  };
}
