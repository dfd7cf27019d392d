/**
 * Claiming: turns due tasks into leased ones.
 *
 * The due tasks of a type and compatibility form a lane. A claim reads the first tasks of each lane that the worker may
 * take from, in the index of its order, merges them and leases the best: a few index searches at any backlog.
 */
import { isCapable } from "../../domain/capability.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { FlowKey } from "../../queue_policy/flow.ts";
import type { PreparedClaim } from "../../queue_policy/claim_request.ts";
import {
  type Candidate,
  GroupedLine,
  lastStarts,
  type Line,
  takeWithinRoom,
} from "../../queue_policy/turns.ts";
import { charge } from "../rows/buckets.ts";
import type { OperationContext } from "../rows/context.ts";
import { flowOf, nextRoomMs, roomOf } from "../rows/flow_rows.ts";
import { closingOf, hasGroupsToOpen, nextGroupMs, openGroups } from "../rows/group_room.ts";
import {
  closeGroup,
  forgetIdle,
  type GroupRow,
  type Lane,
  leftReady,
  noteStarts,
  runGroupClock,
} from "../rows/groups.ts";
import { clockOf, drawKey, findLane, laneOfRow } from "../rows/lanes.ts";
import { RecordBudget } from "../rows/record_budget.ts";
import { LANE_TABLE } from "../rows/schema.ts";
import { cell } from "../rows/cells.ts";
import { placeOf, startTask, updateTask } from "../rows/task_row.ts";
import { noteTransition, waitMsOf } from "../rows/transition_log.ts";
import { isLineOpen, lineOf } from "./claim_lines.ts";
import { EXPIRED_TASKS_SQL, isExpired, markExpired } from "./expire.ts";
import { propagate } from "./propagate.ts";

/**
 * The statements of a claim; a test reads their plans.
 *
 * SQLite looks at a bare `?` when it decides whether a partial index serves, and at a limit's, so it plans such a
 * statement anew for each value, which takes ten times as long as running it. `+?` has the same value and no such effect.
 */
export const CLAIM_SQL = {
  nextDue: `SELECT run_after_utc FROM task_queue INDEXED BY scheduled_tasks
    WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc > +?
    ORDER BY run_after_utc LIMIT 1`,
  due: `SELECT * FROM (SELECT * FROM task_queue INDEXED BY scheduled_tasks
      WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc <= +?1
        AND (expires_at IS NULL OR lease_token > 0 OR expires_at > +?1)
      ORDER BY run_after_utc LIMIT +?2)
    UNION ALL SELECT * FROM (${EXPIRED_TASKS_SQL})`,
  nextLane: `SELECT compatibility FROM task_queue INDEXED BY ready_by_priority
    WHERE is_ready = 1 AND type = +? AND compatibility > +? ORDER BY compatibility LIMIT 1`,
  claimable: `SELECT * FROM task_queue
    WHERE id = ? AND status = 'queued' AND waits_for = 0 AND (is_ready = 1 OR run_after_utc <= ?)`,
} as const;

type LaneCandidate = Candidate<Lane, GroupRow>;
type LaneLine = Line<Lane, GroupRow>;

/** How many tasks that became due one transaction makes ready at most, and of how many it ends that have expired; the earliest first. */
const PROMOTE_MAX = 1000;

/** How many of them are read at once. */
const PROMOTE_CHUNK = 100;

/** Whether a claim would find anything, or has tasks to make ready or groups to open or to close. Changes nothing. */
export function hasClaimable(reader: Reader, request: PreparedClaim, nowMs: number): boolean {
  if (request.taskId !== null) return isClaimable(reader, request.taskId, nowMs);
  const situation = { flow: flowOf(reader), nowMs };
  if (reader.read(CLAIM_SQL.due, [nowMs, 1]).length > 0 || hasGroupsToOpen(reader, nowMs)) {
    return true;
  }
  for (const lane of eligibleLanes(reader, request, nowMs)) {
    if (isLineOpen(reader, lane, situation)) return true;
  }
  return false;
}

/** When the first scheduled task becomes due, or there is room by itself, in milliseconds; `undefined` for never. */
export function nextDueMs(reader: Reader, nowMs: number): number | undefined {
  const [first] = reader.read(CLAIM_SQL.nextDue, [nowMs]);
  const times = [first?.[0], nextRoomMs(reader, nowMs), nextGroupMs(reader, nowMs)];
  const known = times.filter((at) => at !== undefined && at !== null).map(Number);
  return known.length === 0 ? undefined : Math.min(...known);
}

function isClaimable(reader: Reader, taskId: number, nowMs: number): boolean {
  return reader.read(CLAIM_SQL.claimable, [taskId, nowMs]).some((row) => {
    return hasRoom(reader, placeOf(row), nowMs);
  });
}

/** Whether such a task may start: no pause holds it back, and each limit has a slot free. */
export function hasRoom(reader: Reader, { type, grp }: FlowKey, nowMs: number): boolean {
  return flowOf(reader).isEmpty || roomOf(reader, nowMs).of({ type, grp }) > 0;
}

/**
 * Leases up to `request.limit` due tasks in its order, fewer when they are large; their rows. `undefined` when there is more to make
 * ready, to open or to close than one transaction does: then some is done, and the caller asks again.
 */
export function claim(
  tx: Transaction,
  request: PreparedClaim,
  context: OperationContext,
): SqlRow[] | undefined {
  if (settleDue(tx, context) || openGroups(tx, context.nowMs)) return undefined;
  const { nowMs } = context;
  if (request.taskId !== null) {
    const ids = named(tx, request.taskId, nowMs);
    return lease(tx, ids.map((id) => ({ id })), request, context);
  }
  const { chosen, lines, isCut } = chooseTasks(tx, request, nowMs);
  const leased = lease(tx, chosen, request, context);
  takeTurns(tx, lines, { chosen, leasedCount: leased.length, nowMs });
  return chosen.length === 0 && isCut ? undefined : leased;
}

/** Leases these tasks, or as many of the first as the record can hold; their rates count those. */
function lease(
  tx: Transaction,
  chosen: readonly Pick<LaneCandidate, "id" | "turn">[],
  request: PreparedClaim,
  context: OperationContext,
): SqlRow[] {
  const { nowMs } = context;
  const budget = new RecordBudget(context.recordBudget);
  const leased = chosen.flatMap((each) =>
    budget.isSpent ? [] : leaseTask(tx, each, { request, budget }, nowMs)
  );
  charge(tx, { flow: flowOf(tx), started: leased.map(placeOf), nowMs });
  return leased;
}

/** Makes tasks ready whose time has come, and ends those that have expired; whether there may be more. */
function settleDue(tx: Transaction, context: OperationContext): boolean {
  const expired: SqlRow[] = [];
  const mayBeMore = settleEach(tx, context, expired);
  if (expired.length > 0) propagate(tx, expired, context);
  return mayBeMore;
}

/** The same, without telling of those that have ended, which are added to `expired`. */
function settleEach(tx: Transaction, context: OperationContext, expired: SqlRow[]): boolean {
  const { nowMs } = context;
  const budget = new RecordBudget(context.recordBudget);
  for (let count = 0; count < PROMOTE_MAX; count += PROMOTE_CHUNK) {
    const due = tx.read(CLAIM_SQL.due, [nowMs, PROMOTE_CHUNK]);
    for (const row of due) {
      if (budget.isSpent) return true;
      budget.spend(row);
      if (isExpired(row, nowMs)) expired.push(markExpired(tx, row, nowMs));
      else promote(tx, row, context);
    }
    if (due.length < PROMOTE_CHUNK) return false;
  }
  return true;
}

function promote(tx: Transaction, row: SqlRow, { nowMs, random }: OperationContext): void {
  const draw_key = drawKey(tx, laneOfRow(row), random);
  updateTask(tx, row, { is_ready: 1, draw_key, updated_at_utc: nowMs });
}

/** The task that is asked for by its id, if it may start. */
function named(tx: Transaction, taskId: number, nowMs: number): number[] {
  return flowOf(tx).isEmpty || isClaimable(tx, taskId, nowMs) ? [taskId] : [];
}

/** What a claim takes, and the lines from which. */
interface Choice {
  readonly chosen: readonly LaneCandidate[];
  readonly lines: readonly LaneLine[];
  /** Whether more groups may have room than were looked at. */
  readonly isCut: boolean;
}

function chooseTasks(tx: Transaction, request: PreparedClaim, nowMs: number): Choice {
  const { limit, order } = request;
  const [flow, room] = [flowOf(tx), roomOf(tx, nowMs)];
  const lanes = [...eligibleLanes(tx, request, nowMs)];
  const lines = lanes.map((lane) => lineOf(tx, lane, { order, limit, room, flow, nowMs }));
  const { chosen, filledAt } = takeWithinRoom(lines, { limit, room, isLimited: !flow.isEmpty });
  if (order === "weighted_random" && chosen.length > 0) {
    const lastKey = chosen.at(-1)!.key;
    advanceClocks(tx, lines, ({ type }) => filledAt.get(type) ?? lastKey);
  }
  return { chosen, lines, isCut: lines.some((line) => line instanceof GroupedLine && line.isCut) };
}

/** The groups that have had their turns, or turned out to have no room, are told so. */
function takeTurns(
  tx: Transaction,
  lines: readonly LaneLine[],
  { chosen, leasedCount, nowMs }: {
    readonly chosen: readonly LaneCandidate[];
    readonly leasedCount: number;
    readonly nowMs: number;
  },
): void {
  if (!lines.some((line) => line instanceof GroupedLine)) return;
  const last = lastStarts(chosen.slice(0, leasedCount));
  const room = roomOf(tx, nowMs);
  for (const { group, tag, next, clock, hasMore } of last.values()) {
    const closing = room.ofGroup(group) > 0 ? null : closingOf(tx, group, nowMs);
    noteStarts(tx, group, { last: tag, next, clock, hasMore, closing });
  }
  for (const line of lines) {
    if (!(line instanceof GroupedLine)) continue;
    for (const group of line.withoutRoom) {
      if (last.has(group) || room.ofGroup(group) > 0) continue;
      closeGroup(tx, group, closingOf(tx, group, nowMs));
    }
    for (const group of line.withoutTasks) leftReady(tx, group);
    forgetIdle(tx, line.lane);
  }
}

/** The lanes with ready tasks that the worker may take from and that have room, looked for one by one. */
function* eligibleLanes(reader: Reader, request: PreparedClaim, nowMs: number): Generator<Lane> {
  for (const type of request.types) {
    if (!hasRoom(reader, { type, grp: "" }, nowMs)) continue;
    for (const compatibility of compatibilitiesOf(reader, type)) {
      if (isCapable(request.capabilities, JSON.parse(compatibility))) yield { type, compatibility };
    }
  }
}

/** The compatibilities that ready tasks of a type have, one index search each. */
function* compatibilitiesOf(reader: Reader, type: string): Generator<string> {
  for (let last = "";;) {
    const [row] = reader.read(CLAIM_SQL.nextLane, [type, last]);
    if (row === undefined) return;
    yield last = String(row[0]);
  }
}

/** Weighted random: the clocks of every line in the race have run as far as the last that rang while it took part. */
function advanceClocks(
  tx: Transaction,
  lines: readonly LaneLine[],
  elapsed: (lane: Lane) => number,
): void {
  for (const line of lines) {
    const { type, compatibility } = line.lane;
    const grp = line.peek()?.grp ?? "";
    if (grp !== "") runGroupClock(tx, { type, compatibility, grp }, elapsed(line.lane));
    const known = findLane(tx, type, compatibility);
    const clock = clockOf(known) + elapsed(line.lane);
    if (known !== undefined) tx.update(LANE_TABLE, known, { clock });
    else tx.insert(LANE_TABLE, { type, compatibility, clock });
  }
}

function leaseTask(
  tx: Transaction,
  { id, turn }: Pick<LaneCandidate, "id" | "turn">,
  { request, budget }: { readonly request: PreparedClaim; readonly budget: RecordBudget },
  nowMs: number,
): SqlRow[] {
  const change = turn === undefined ? updateTask : startTask;
  return tx.read(CLAIM_SQL.claimable, [id, nowMs]).map((row) => {
    budget.spend(row);
    const attempt = (cell(row, "attempts") as number) + 1;
    noteTransition(tx, { id, nowMs }, "leased", {
      worker: request.workerId,
      attempt,
      durationMs: waitMsOf(row, nowMs),
    });
    return change(tx, row, {
      status: "leased",
      is_ready: 0,
      attempts: attempt,
      lease_token: (cell(row, "lease_token") as number) + 1,
      locked_by: request.workerId,
      lease_until_utc: nowMs + request.leaseDurationMs,
      reserved_at_utc: request.taskId === null ? nowMs : null,
      processing_started_utc: nowMs,
      updated_at_utc: nowMs,
      finished_at_utc: null,
      progress_percent: null,
      progress_message: null,
    });
  });
}
