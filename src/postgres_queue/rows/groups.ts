/**
 * Groups: whose turn it is in the lanes of tasks with groups (start-time fair queueing; `queue_policy/turns.ts`).
 *
 * `group_turn` has a row for each group with ready tasks, and one with the empty name for the tasks without a group of the same type
 * and compatibility, whose lane is another one. A row is active while its group has, as far as claims have seen, ready tasks, and
 * closed while its own limit or pause lets none start: then it stands in no index that a claim reads.
 *
 * Only a claim writes these rows, behind the lock of their lane. Who makes a task ready writes nothing here: the claim looks for ready
 * tasks that the snapshot of the last look did not see (`made`, as in `tasks/marks.ts`), so no group can be forgotten, however
 * transactions overlap. A full group is counted anew by each claim, so no end of a lease needs to open it.
 */
import { EACH_GROUP } from "../../queue_policy/kept_fields.ts";
import type { TurnGroup } from "../../queue_policy/turns.ts";
import { now } from "./buckets.ts";
import type { Row, Statements } from "./database.ts";
import { GATE, slotsOf } from "./flow_rows.ts";
import { SERVER_START } from "./server_start.ts";

/** A group's row. */
export interface GroupRow extends TurnGroup {
  readonly laneId: number;
  /** The tag of its last start. */
  readonly served: number;
  /** How far its clocks have run under weighted random. */
  readonly clock: number;
}

/** A group's row as it is to be. */
export interface GroupState extends GroupRow {
  readonly isActive: boolean;
  readonly closing: Closing | null;
}

/** Why a group is closed: a full limit, or a pause and when that ends by itself, or a rate and when it allows a start. */
export interface Closing {
  readonly by: "limit" | "pause" | "rate";
  readonly opensAtMs: number | null;
}

/** How many closed groups one transaction opens at most. */
export const OPEN_MAX = 1000;

/** How many idle groups one claim forgets in a lane, and more for each group that it has changed. */
const FORGET = { least: 2, forEach: 2 } as const;

/** How far the clocks of weighted random have run for a task `r` of the lane `lane`. */
export function clocksOf(r: string): string {
  return `case when ${r}.grp = '' then lane.clock else coalesce((select turn.clock from @group_turn turn
    where turn.lane_id = ${r}.lane_id and turn.grp = ${r}.grp), 0) end`;
}

/** Virtual time: the tag of the last start in a lane. */
const SERVED = (laneId: string): string =>
  `coalesce((select s.served from @group_turn s where s.lane_id = ${laneId}
    order by s.served desc limit 1), 0)`;

/** Whether the own limits of group `g.grp` in a lane of type `type` have a slot free each. */
const hasRoom = (now: string): string =>
  `not exists (
    select from (values (''), (line.type)) as scope(type)
      left join @flow_limit own on own.type = scope.type and own.grp = g.grp
      left join @flow_limit each on each.type = scope.type and each.grp = '${EACH_GROUP}'
    where coalesce(own.concurrency, each.concurrency) <= ${slotsOf("scope.type", "g.grp", now)})`;

const READY = "v.state = 1 and v.grp <> ''";

const GROUP_SQL = {
  /** `$1` are lanes. Claims of a lane go one after the other. */
  lock: `with ${GATE} select lane.lane_id from gate, @lane lane
    where lane.lane_id = any($1) order by lane.lane_id for no key update of lane`,
  /**
   * `$1` are lanes, `$2` is now, `$3` the last change of a limit that is known. Groups that have got tasks become active, and closed
   * ones that may start tasks again are opened, both no earlier than virtual time. The transaction itself may yet make tasks ready.
   */
  look: `with me as materialized (
      select ${SERVER_START} as server, pg_snapshot_xmax(pg_current_snapshot()) as next, array_append(
        array(select pg_snapshot_xip(pg_current_snapshot())), pg_current_xact_id()) as under_way),
    line as materialized (
      select lane.lane_id, lane.type, lane.seen_next, lane.seen_under_way,
        coalesce(lane.seen_by = me.server, false) as is_known, ${SERVED("lane.lane_id")} as served
      from @lane lane, me where lane.lane_id = any($1)),
    fresh as (
      select line.lane_id, line.served, made.grp from line cross join lateral (
        select v.grp from @live v where v.lane_id = line.lane_id and ${READY}
          and v.made >= line.seen_next and line.is_known
        union
        select v.grp from @live v where v.lane_id = line.lane_id and ${READY}
          and v.made = any(line.seen_under_way) and line.is_known
        union
        select step.grp from (
          with recursive step as (
            (select v.grp from @live v where v.lane_id = line.lane_id and ${READY} and not line.is_known
              order by v.grp limit 1)
            union all
            select (select v.grp from @live v where v.lane_id = line.lane_id and ${READY}
              and v.grp > step.grp order by v.grp limit 1) from step where step.grp is not null)
          select grp from step where grp is not null) as step) as made),
    woken as (
      insert into @group_turn as g (lane_id, grp, tag, is_active)
      select lane_id, grp, served, true from fresh where not exists (
        select from @group_turn o where o.lane_id = fresh.lane_id and o.grp = fresh.grp and o.is_active)
      on conflict (lane_id, grp) do update
        set is_active = true, tag = greatest(g.tag, excluded.tag)),
    open as (
      select lane_id, grp, served from (
        select g.lane_id, g.grp, line.served from line join @group_turn g using (lane_id)
        where g.closed_by = 1 and ${hasRoom("$2")}
        union
        select g.lane_id, g.grp, line.served from line join @group_turn g using (lane_id)
        where g.closed_by = 2 and g.closed_at < $3
        union
        select g.lane_id, g.grp, line.served from line join @group_turn g using (lane_id)
        where g.opens_at is not null and g.opens_at <= $2) as found limit ${OPEN_MAX}),
    opened as (
      update @group_turn g set tag = greatest(g.tag, open.served),
        closed_by = null, closed_at = null, opens_at = null
      from open where g.lane_id = open.lane_id and g.grp = open.grp returning g.grp),
    seen as (
      update @lane lane set seen_next = me.next, seen_under_way = me.under_way, seen_by = me.server
      from me, line where lane.lane_id = line.lane_id
        and (not line.is_known or exists (select from fresh where fresh.lane_id = line.lane_id)))
    select count(*)::int as opened from opened`,
  /** `$1` are lanes. */
  lines: `select line.lane_id, ${SERVED("line.lane_id")} as served,
      exists (select from @group_turn g where g.lane_id = line.lane_id and g.grp > '') as has_groups,
      own.tag, own.served as own_served, own.clock, own.is_active
    from unnest($1::int[]) as line(lane_id)
      left join @group_turn own on own.lane_id = line.lane_id and own.grp = ''`,
  /** `$1` is a JSON array of rows. */
  store: `insert into @group_turn as g
      (lane_id, grp, tag, served, clock, is_active, closed_by, closed_at, opens_at)
    select lane_id, grp, tag, served, clock, is_active, closed_by, closed_at, opens_at
    from json_to_recordset($1::text::json) as r(lane_id int, grp text, tag float8, served float8,
      clock float8, is_active boolean, closed_by smallint, closed_at bigint, opens_at bigint)
    on conflict (lane_id, grp) do update set (tag, served, clock, is_active, closed_by, closed_at, opens_at)
      = row(excluded.tag, excluded.served, excluded.clock, excluded.is_active, excluded.closed_by,
        excluded.closed_at, excluded.opens_at)`,
  /** `$1` are lanes, `$2` is how many of each. Idle groups that have nothing to wait for any more. */
  forget: `delete from @group_turn g using unnest($1::int[]) as line(lane_id) cross join lateral (
      select idle.grp from @group_turn idle
      where idle.lane_id = line.lane_id and not idle.is_active and idle.tag <= case
        when exists (select from @group_turn o
            where o.lane_id = line.lane_id and o.is_active and o.closed_by is null and o.grp <> '')
          or exists (select from @group_turn o where o.lane_id = line.lane_id and o.closed_by = 1)
          or exists (select from @group_turn o where o.lane_id = line.lane_id and o.closed_by = 2)
          or exists (select from @group_turn o
            where o.lane_id = line.lane_id and o.grp = '' and o.is_active)
        then ${SERVED("line.lane_id")} else 'Infinity' end
      order by idle.tag limit $2) as old
    where g.lane_id = line.lane_id and g.grp = old.grp`,
  /** `$1` are lanes, empty for all; `$2` since when, by default now; `$3` is the time of a test. */
  nextOpening: `select min(opens_at) - min(moment.now) as opens_in
    from (select ${now("$3")}) as moment, @group_turn
    where opens_at > coalesce($2::bigint, moment.now)
      and (cardinality($1::int[]) = 0 or lane_id = any($1))`,
  lockAll: `select lane_id from @lane where is_grouped order by lane_id for no key update`,
  /** `$1` is now: what is closed until an instant is tried again. */
  openTimed: "update @group_turn set opens_at = $1 where opens_at > $1",
  /** `$1` are lanes. Where no group is left, the tasks without one take turns with nobody. */
  forgetLast: `delete from @group_turn g where g.lane_id = any($1) and g.grp = ''
    and not exists (select from @group_turn o where o.lane_id = g.lane_id and o.grp > '')`,
} as const;

/** Waits until no other transaction claims from these lanes. */
export async function lockLanes(tx: Statements, laneIds: readonly number[]): Promise<void> {
  await tx.query(GROUP_SQL.lock, [laneIds]);
}

/** Sees to it that every group with ready tasks is active, and that those that may start tasks are open; how many were opened. */
export async function lookAtGroups(
  tx: Statements,
  { laneIds, nowMs, version }: {
    readonly laneIds: readonly number[];
    readonly nowMs: number;
    readonly version: number;
  },
): Promise<number> {
  const [row] = await tx.query(GROUP_SQL.look, [laneIds, nowMs, version]);
  return Number(row!.opened);
}

/**
 * How long until the next group opens by itself that is closed at `sinceMs`, by default now; of these lanes, or of all without any. None
 * for never. `testMs` is the time of a test.
 */
export async function opensInMs(
  tx: Statements,
  { laneIds, sinceMs, testMs }: {
    readonly laneIds: readonly number[];
    readonly sinceMs: number | null;
    readonly testMs: number | null;
  },
): Promise<number[]> {
  const [row] = await tx.query(GROUP_SQL.nextOpening, [laneIds, sinceMs, testMs]);
  return row!.opens_in === null ? [] : [Number(row!.opens_in)];
}

/** Tries again every group that is closed until an instant: the clock, or a rate, is another. */
export async function openTimedGroups(tx: Statements, nowMs: number): Promise<void> {
  await tx.query(GROUP_SQL.lockAll);
  await tx.query(GROUP_SQL.openTimed, [nowMs]);
}

/** How the turns of a lane stand. */
export interface LineState {
  /** Virtual time. */
  readonly served: number;
  /** Whether it has groups. */
  readonly hasGroups: boolean;
  /** The row of the tasks without a group, if there is one. */
  readonly ungrouped: (GroupRow & { readonly isActive: boolean }) | undefined;
}

/** How the turns of these lanes stand, by the lane's id. */
export async function lineStates(
  tx: Statements,
  laneIds: readonly number[],
): Promise<ReadonlyMap<number, LineState>> {
  const rows = await tx.query(GROUP_SQL.lines, [laneIds]);
  return new Map(rows.map((row) => [Number(row.lane_id), lineStateOf(row)]));
}

function lineStateOf(row: Row): LineState {
  return {
    served: Number(row.served),
    hasGroups: row.has_groups === true,
    ungrouped: row.tag === null ? undefined : {
      laneId: Number(row.lane_id),
      grp: "",
      tag: Number(row.tag),
      served: Number(row.own_served),
      clock: Number(row.clock),
      isActive: row.is_active === true,
    },
  };
}

/** Stores what has become of groups, and forgets some of those that are idle. */
export async function storeGroups(
  tx: Statements,
  states: readonly GroupState[],
  { laneIds, version }: { readonly laneIds: readonly number[]; readonly version: number },
): Promise<void> {
  const rows = states.map(({ laneId, closing, isActive, ...group }) => {
    const isClosed = closing !== null && isActive;
    return {
      ...group,
      lane_id: laneId,
      is_active: isActive,
      closed_by: !isClosed ? null : closing.by === "limit" ? 1 : 2,
      closed_at: isClosed ? version : null,
      opens_at: isClosed ? closing.opensAtMs : null,
    };
  });
  await Promise.all([
    ...(rows.length > 0 ? [tx.query(GROUP_SQL.store, [JSON.stringify(rows)])] : []),
    tx.query(GROUP_SQL.forget, [laneIds, FORGET.least + FORGET.forEach * rows.length]),
    tx.query(GROUP_SQL.forgetLast, [laneIds]),
  ]);
}
