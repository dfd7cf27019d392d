/**
 * Parts of the statements of a claim.
 */
import { CLOSURE } from "../rows/closure.ts";
import { FLOW_VERSION, GATE } from "../rows/flow_rows.ts";
import { selectTasks } from "../rows/task_row.ts";
import type { MarkedSql } from "./marks.ts";

/**
 * The server's clock in milliseconds, or the time that a test gives as `parameter`. It is read once, before the rows: a clock
 * that may differ for each row is no bound of an index search.
 */
export function clockOf(parameter: string): string {
  return `(select coalesce(${parameter}::bigint, floor(extract(epoch from clock_timestamp()) * 1000)::bigint))`;
}

/** A task `v` that expires may only start before that, unless it has started already. */
export function mayStillStart(now: string): string {
  return `(v.expires_at is null or v.lease_token > 0 or v.expires_at > ${now})`;
}

/**
 * Leases the tasks of the CTE `pick`, whose columns are `id` and `place`: the first place is for the first of the workers `$1`,
 * with the first of the durations `$2`, and so on. A claim of one task by name takes no slot, `$4`.
 */
export const LEASE = `held as (
    update @live v set state = 4, attempts = v.attempts + 1, lease_token = v.lease_token + 1,
      locked_by = ($1::text[])[pick.place], lease_until = look.now + ($2::bigint[])[pick.place],
      reserved_at = case when $4::boolean then null else look.now end,
      processing_started = look.now, updated_at = look.now,
      progress_percent = null, progress_message = null
    from pick, look where v.id = pick.id and v.id = any(array(select id from pick)) returning v.*, pick.place),
  told as (
    insert into @transition (task_id, at, kind, details, duration_ms)
    select held.id, held.processing_started, 'leased',
      json_build_object('worker', held.locked_by, 'attempt', held.attempts)::text,
      greatest(0, held.processing_started - greatest(held.created_at, held.run_after))
    from held),
  leased as (${selectTasks({ live: "join held", more: ", v.place" })})`;

/** What is read first; `testTime` is the parameter for the time of a test. */
function nowOf(testTime: string): string {
  return `${clockOf(testTime)} as now, ${CLOSURE} as closure`;
}

/** `$3` is the time of a test. */
export const NOW = nowOf("$3");

/** The parameters of what a claim that goes from marks looks at first. */
export interface LookParameters {
  /** The time of a test. */
  readonly testTime: string;
  /** The last lane that is known. */
  readonly lastLane: string;
  /** The last change of a limit that is known. */
  readonly version: string;
}

/**
 * The CTEs up to the ranges from marks. `look` tells of newer lanes, whether scheduled tasks have become due, and whether limits
 * have changed: those come first, and `headsOf` has no tasks then.
 */
export function lookFrom(
  marked: MarkedSql,
  { testTime, lastLane, version }: LookParameters,
): string {
  return `${GATE},
  known as materialized (select ${marked.isKnown}),
  times as materialized (select ${nowOf(testTime)}, ${marked.nextDue} as next_due),
  look as materialized (
    select times.*, coalesce(next_due <= now, false) as is_due,
      ${FLOW_VERSION} = ${version}::bigint as is_current,
      (select json_agg(lane order by lane_id)::text from @lane lane where lane_id > ${lastLane}) as new_lanes
    from gate, times),
  ranges as materialized (${marked.ranges})`;
}

/** The CTE `heads`: the first tasks of the CTE `lanes`, locked; up to `limit` of a lane, and `most` of what no range has. */
export function headsOf(
  marked: MarkedSql,
  { columns, limit, most }: {
    readonly columns: string;
    readonly limit: string;
    readonly most: string;
  },
): string {
  const lock = "for update of v skip locked";
  const mayStart = "look.is_current and not look.is_due and look.closure is null";
  return `heads as materialized (
    select head.* from look, lanes as lane cross join lateral (
      ${marked.inRanges(columns, `limit ${limit}`, lock)}) as head where ${mayStart}
    union all
    select head.* from look cross join lateral (
      ${marked.unseen(columns, `order by ${marked.plainSort} limit ${most} ${lock}`)}) as head
    where ${mayStart})`;
}

/** When a pause ends by itself, or a slot comes free at the end of its lease. */
export function nextRoom(now: string): string {
  return `(select min(paused_until) from @flow_limit where paused_until > ${now}),
      (select min(until) from @flow_slot where until > ${now})`;
}
