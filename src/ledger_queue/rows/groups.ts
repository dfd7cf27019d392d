/**
 * Groups: whose turn it is in a lane (start-time fair queueing).
 *
 * A lane that has seen a group has a row for each group with ready tasks; the tasks without a group are the group with the empty
 * name. Each start of a group puts its `tag` forward by 1 / weight, and the open group with the lowest tag comes next. Virtual time
 * is the tag of the last start, `served`: a group that opens takes up at least there, so it has no credit for the time in which it
 * was idle, paused or full. A group is active exactly while it has ready tasks, and closed while its own limit or pause lets none
 * start: then it stands in no index that a claim reads.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import { GROUP_TABLE } from "./schema.ts";

/** The ready tasks of one type and compatibility. */
export interface Lane {
  readonly type: string;
  readonly compatibility: string;
}

/** A group in a lane. */
export interface GroupPlace extends Lane {
  readonly grp: string;
}

/** A group's row. */
export interface GroupRow extends GroupPlace {
  readonly row: SqlRow;
  /** Its turn: the lowest comes next. */
  readonly tag: number;
  /** The tag of its last start. */
  readonly served: number;
  /** How far its clocks have run under weighted random. */
  readonly clock: number;
  readonly isActive: boolean;
  /** At which change of limits it was closed; `null` while it is open. */
  readonly closedAt: number | null;
}

/** Why a group is closed: until when at most, and at which change of limits. */
export interface Closing {
  readonly change: number;
  readonly opensAtMs: number | null;
}

/** How many idle groups one claim forgets in a lane. */
const FORGET_MAX = 2;

const IN_LANE = "type = +?1 AND compatibility = +?2";

/** The statements; a test reads their plans. */
export const GROUP_SQL = {
  any: "SELECT 1 FROM group_lanes LIMIT 1",
  one: `SELECT * FROM group_lanes WHERE ${IN_LANE} AND grp = +?3`,
  inLane: `SELECT grp FROM group_lanes WHERE ${IN_LANE} LIMIT 2`,
  served: `SELECT served FROM group_lanes INDEXED BY served_groups WHERE ${IN_LANE}
    ORDER BY served DESC LIMIT 1`,
  open: `SELECT * FROM group_lanes INDEXED BY open_groups
    WHERE is_active = 1 AND closed_at IS NULL AND ${IN_LANE} ORDER BY tag, grp LIMIT +?3`,
  idle: `SELECT grp FROM group_lanes INDEXED BY idle_groups
    WHERE is_active = 0 AND ${IN_LANE} AND tag <= CASE
      WHEN EXISTS (SELECT 1 FROM group_lanes WHERE ${IN_LANE} AND is_active = 1)
      THEN (SELECT max(served) FROM group_lanes INDEXED BY served_groups WHERE ${IN_LANE})
      ELSE 9e999 END
    ORDER BY tag LIMIT ${FORGET_MAX}`,
  ready: `SELECT 1 FROM task_queue INDEXED BY ready_by_id
    WHERE is_ready = 1 AND ${IN_LANE} AND grp = +?3 LIMIT 1`,
  closedOfGroup: `SELECT * FROM group_lanes INDEXED BY closed_by_group
    WHERE closed_at IS NOT NULL AND grp = +?1 ORDER BY tag LIMIT 64`,
  nextToOpen: `SELECT min(opens_at_utc) FROM group_lanes INDEXED BY timed_groups
    WHERE opens_at_utc IS NOT NULL AND opens_at_utc > +?`,
  toOpen: `SELECT * FROM group_lanes INDEXED BY closed_groups
      WHERE closed_at IS NOT NULL AND closed_at < +?1
    UNION ALL SELECT * FROM group_lanes INDEXED BY timed_groups
      WHERE opens_at_utc IS NOT NULL AND opens_at_utc <= +?2 AND closed_at >= +?1
    LIMIT +?3`,
} as const;

/** Whether any lane has seen a group; known in memory, so a queue without groups asks nothing. */
export function hasGroups(reader: Reader): boolean {
  return reader.remember(GROUP_TABLE, readHasGroups);
}

function readHasGroups(reader: Reader): boolean {
  return reader.read(GROUP_SQL.any).length > 0;
}

/** Whether the groups of this lane take turns. */
export function isGrouped(reader: Reader, { type, compatibility }: Lane): boolean {
  return hasGroups(reader) && reader.read(GROUP_SQL.inLane, [type, compatibility]).length > 0;
}

/** The row of a group. */
export function findGroup(
  reader: Reader,
  { type, compatibility, grp }: GroupPlace,
): GroupRow | undefined {
  if (!hasGroups(reader)) return undefined;
  return reader.read(GROUP_SQL.one, [type, compatibility, grp]).map(groupOfRow)[0];
}

/** The open groups with ready tasks, at most `limit`, the next first. */
export function nextGroups(reader: Reader, lane: Lane, limit: number): GroupRow[] {
  return reader.read(GROUP_SQL.open, [lane.type, lane.compatibility, limit]).map(groupOfRow);
}

/** A task has become ready. */
export function becameReady(tx: Transaction, place: GroupPlace): void {
  if (place.grp === "" && !isGrouped(tx, place)) return;
  const known = findGroup(tx, place);
  if (known?.isActive) return;
  const served = servedOf(tx, place);
  if (known !== undefined) {
    tx.update(GROUP_TABLE, known.row, { is_active: 1, tag: Math.max(known.tag, served) });
    return;
  }
  const ungrouped = { ...place, grp: "" };
  if (!isGrouped(tx, place) && isAnyReady(tx, ungrouped)) addGroup(tx, ungrouped, 0);
  addGroup(tx, place, served);
}

function addGroup(
  tx: Transaction,
  { type, compatibility, grp }: GroupPlace,
  tag: number,
): void {
  tx.insert(GROUP_TABLE, {
    type,
    compatibility,
    grp,
    tag,
    served: 0,
    clock: 0,
    is_active: 1,
    closed_at: null,
    opens_at_utc: null,
  });
}

/** A task that was ready is not any more, but by a start in its group's turn. */
export function leftReady(tx: Transaction, place: GroupPlace): void {
  const known = findGroup(tx, place);
  if (known === undefined || !known.isActive || isAnyReady(tx, place)) return;
  tx.update(GROUP_TABLE, known.row, { is_active: 0 });
}

/** Tasks of a group have started in its turn; `last` is the tag of the last of them, `next` the one that comes then. */
export function noteStarts(
  tx: Transaction,
  group: GroupRow,
  { last, next, clock, hasMore, closing }: {
    readonly last: number;
    readonly next: number;
    /** How far the clocks have run; only under weighted random. */
    readonly clock?: number;
    /** Whether more of its tasks are ready; `undefined` when nobody has looked. */
    readonly hasMore: boolean | undefined;
    readonly closing: Closing | null;
  },
): void {
  tx.update(GROUP_TABLE, group.row, {
    tag: next,
    served: last,
    ...(clock === undefined ? {} : { clock }),
    is_active: hasMore ?? isAnyReady(tx, group) ? 1 : 0,
    closed_at: closing?.change ?? null,
    opens_at_utc: closing?.opensAtMs ?? null,
  });
}

/** A group's own limit or pause lets none of its tasks start. */
export function closeGroup(tx: Transaction, group: GroupRow, closing: Closing): void {
  const { change, opensAtMs } = closing;
  tx.update(GROUP_TABLE, group.row, { closed_at: change, opens_at_utc: opensAtMs });
}

/** A closed group may start tasks again. */
export function openGroup(tx: Transaction, group: GroupRow): void {
  const tag = Math.max(group.tag, servedOf(tx, group));
  tx.update(GROUP_TABLE, group.row, { tag, closed_at: null, opens_at_utc: null });
}

/** The closed rows of a group, in every lane. */
export function closedRowsOf(reader: Reader, grp: string): GroupRow[] {
  if (!hasGroups(reader)) return [];
  return reader.read(GROUP_SQL.closedOfGroup, [grp]).map(groupOfRow);
}

/** Closed groups that limits have changed since, or whose time has come, at most `max`. */
export function groupsToOpen(
  reader: Reader,
  { change, nowMs, max }: {
    readonly change: number;
    readonly nowMs: number;
    readonly max: number;
  },
): GroupRow[] {
  if (!hasGroups(reader)) return [];
  return reader.read(GROUP_SQL.toOpen, [change, nowMs, max]).map(groupOfRow);
}

/** When the next closed group opens by itself; `null` when none does. */
export function nextToOpenMs(reader: Reader, nowMs: number): number | null {
  if (!hasGroups(reader)) return null;
  const at = reader.read(GROUP_SQL.nextToOpen, [nowMs])[0]![0]!;
  return at === null ? null : Number(at);
}

/** The clocks of a group have run so much further, under weighted random. */
export function runGroupClock(tx: Transaction, place: GroupPlace, elapsed: number): void {
  const known = findGroup(tx, place);
  if (known !== undefined) tx.update(GROUP_TABLE, known.row, { clock: known.clock + elapsed });
}

/** Forgets some groups without tasks that have nothing to wait for any more; in a lane without groups all take turns no more. */
export function forgetIdle(tx: Transaction, lane: Lane): void {
  const { type, compatibility } = lane;
  const idle = tx.read(GROUP_SQL.idle, [type, compatibility]);
  if (idle.length === 0) return;
  for (const [grp] of idle) tx.remove(GROUP_TABLE, [type, compatibility, grp!]);
  const left = tx.read(GROUP_SQL.inLane, [type, compatibility]);
  if (left.length === 1 && left[0]![0] === "") tx.remove(GROUP_TABLE, [type, compatibility, ""]);
}

/** Virtual time: the tag of the lane's last start. */
function servedOf(reader: Reader, { type, compatibility }: Lane): number {
  return Number(reader.read(GROUP_SQL.served, [type, compatibility])[0]?.[0] ?? 0);
}

function isAnyReady(reader: Reader, { type, compatibility, grp }: GroupPlace): boolean {
  return reader.read(GROUP_SQL.ready, [type, compatibility, grp]).length > 0;
}

function groupOfRow(row: SqlRow): GroupRow {
  const [type, compatibility, grp, tag, served, clock, isActive, closedAt] = row;
  return {
    type: String(type),
    compatibility: String(compatibility),
    grp: String(grp),
    row,
    tag: Number(tag),
    served: Number(served),
    clock: Number(clock),
    isActive: isActive === 1,
    closedAt: closedAt === null ? null : Number(closedAt),
  };
}
