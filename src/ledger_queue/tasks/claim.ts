/**
 * Claiming: turns due tasks into leased ones.
 *
 * The due tasks of a type and compatibility form a lane. A claim reads the first tasks of each lane that the worker may
 * take from, in the index of its order, merges them and leases the best: a few index searches at any backlog.
 */
import type { ClaimOrder } from "../../domain/claim_order.ts";
import { isCapable } from "../../domain/capability.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { PreparedClaim } from "../../queue_policy/claim_request.ts";
import type { OperationContext } from "../rows/context.ts";
import { flowOf, nextRoomMs, roomOf } from "../rows/flow_rows.ts";
import { clockOf, drawKey, findLane, laneOfRow } from "../rows/lanes.ts";
import { RecordBudget } from "../rows/record_budget.ts";
import { LANE_TABLE } from "../rows/schema.ts";
import { cell, updateTask } from "../rows/task_row.ts";
import { noteTransition, waitMsOf } from "../rows/transition_log.ts";

/** Ready tasks of one type and compatibility. */
interface Lane {
  readonly type: string;
  readonly compatibility: string;
}

/** A task at the front of its lane; the lowest `key` of all lanes is claimed first, then the lowest id. */
interface Candidate {
  readonly lane: Lane;
  readonly id: number;
  readonly key: number;
}

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
  due: `SELECT * FROM task_queue INDEXED BY scheduled_tasks
    WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc <= +?
    ORDER BY run_after_utc LIMIT +?`,
  nextLane: `SELECT compatibility FROM task_queue INDEXED BY ready_by_priority
    WHERE is_ready = 1 AND type = +? AND compatibility > +? ORDER BY compatibility LIMIT 1`,
  heads: {
    fifo: `SELECT id, id FROM task_queue INDEXED BY ready_by_id
      WHERE is_ready = 1 AND type = +? AND compatibility = +? ORDER BY id LIMIT +?`,
    lifo: `SELECT id, -id FROM task_queue INDEXED BY ready_by_id
      WHERE is_ready = 1 AND type = +? AND compatibility = +? ORDER BY id DESC LIMIT +?`,
    priority: `SELECT id, priority FROM task_queue INDEXED BY ready_by_priority
      WHERE is_ready = 1 AND type = +? AND compatibility = +? ORDER BY priority, id LIMIT +?`,
    weighted_random: `SELECT id, draw_key FROM task_queue INDEXED BY ready_by_draw
      WHERE is_ready = 1 AND type = +? AND compatibility = +? ORDER BY draw_key LIMIT +?`,
  } satisfies Record<ClaimOrder, string>,
  claimable: `SELECT * FROM task_queue
    WHERE id = ? AND status = 'queued' AND waits_for = 0 AND (is_ready = 1 OR run_after_utc <= ?)`,
} as const;

/** How many tasks that became due one transaction makes ready at most; the earliest first. */
const PROMOTE_MAX = 1000;

/** How many of them are read at once. */
const PROMOTE_CHUNK = 100;

/** Whether a claim would find anything, or has tasks to make ready. Changes nothing. */
export function hasClaimable(reader: Reader, request: PreparedClaim, nowMs: number): boolean {
  if (request.taskId !== null) return isClaimable(reader, request.taskId, nowMs);
  return reader.read(CLAIM_SQL.due, [nowMs, 1]).length > 0 ||
    eligibleLanes(reader, request, nowMs).length > 0;
}

/** When the first scheduled task becomes due, or there is room by itself, in milliseconds; `undefined` for never. */
export function nextDueMs(reader: Reader, nowMs: number): number | undefined {
  const [first] = reader.read(CLAIM_SQL.nextDue, [nowMs]);
  const roomMs = nextRoomMs(reader, nowMs);
  if (first === undefined || roomMs === undefined) return first ? Number(first[0]) : roomMs;
  return Math.min(Number(first[0]), roomMs);
}

function isClaimable(reader: Reader, taskId: number, nowMs: number): boolean {
  return reader.read(CLAIM_SQL.claimable, [taskId, nowMs]).some((row) => {
    return hasRoom(reader, cell(row, "type") as string, nowMs);
  });
}

/** Whether a task of this type may start: no pause holds it back, and each limit has a slot free. */
export function hasRoom(reader: Reader, type: string, nowMs: number): boolean {
  return flowOf(reader).isEmpty || roomOf(reader, nowMs).of(type) > 0;
}

/**
 * Leases up to `request.limit` due tasks in its order, fewer when they are large; their rows. `undefined` when more tasks have
 * become due than one transaction makes ready: then some are now, and the caller asks again.
 */
export function claim(
  tx: Transaction,
  request: PreparedClaim,
  context: OperationContext,
): SqlRow[] | undefined {
  if (promoteDue(tx, context)) return undefined;
  const { nowMs } = context;
  const ids = request.taskId === null
    ? chooseTasks(tx, request, nowMs)
    : named(tx, request.taskId, nowMs);
  const budget = new RecordBudget(context.recordBudget);
  return ids.flatMap((id) => budget.isSpent ? [] : leaseTask(tx, id, { request, budget }, nowMs));
}

/** Makes tasks ready whose time has come; whether there may be more. */
function promoteDue(tx: Transaction, context: OperationContext): boolean {
  const budget = new RecordBudget(context.recordBudget);
  for (let count = 0; count < PROMOTE_MAX; count += PROMOTE_CHUNK) {
    const due = tx.read(CLAIM_SQL.due, [context.nowMs, PROMOTE_CHUNK]);
    for (const row of due) {
      if (budget.isSpent) return true;
      budget.spend(promote(tx, row, context));
    }
    if (due.length < PROMOTE_CHUNK) return false;
  }
  return true;
}

function promote(tx: Transaction, row: SqlRow, { nowMs, random }: OperationContext): SqlRow {
  const draw_key = drawKey(tx, laneOfRow(row), random);
  return updateTask(tx, row, { is_ready: 1, draw_key, updated_at_utc: nowMs });
}

/** The task that is asked for by its id, if it may start. */
function named(tx: Transaction, taskId: number, nowMs: number): number[] {
  return flowOf(tx).isEmpty || isClaimable(tx, taskId, nowMs) ? [taskId] : [];
}

function chooseTasks(tx: Transaction, request: PreparedClaim, nowMs: number): number[] {
  const lanes = eligibleLanes(tx, request, nowMs);
  const isWeighted = request.order === "weighted_random";
  const candidates: Candidate[] = [];
  for (const lane of lanes) {
    const clock = isWeighted ? clockOf(findLane(tx, lane.type, lane.compatibility)) : 0;
    const rows = tx.read(CLAIM_SQL.heads[request.order], [
      lane.type,
      lane.compatibility,
      request.limit,
    ]);
    for (const [id, key] of rows) {
      candidates.push({ lane, id: Number(id), key: Number(key) - clock });
    }
  }
  candidates.sort((a, b) => a.key - b.key || a.id - b.id);
  const { chosen, filledAt } = withinRoom(tx, candidates, { limit: request.limit, nowMs });
  if (isWeighted && chosen.length > 0) {
    const lastKey = chosen.at(-1)!.key;
    advanceClocks(tx, lanes, ({ type }) => filledAt.get(type) ?? lastKey);
  }
  return chosen.map(({ id }) => id);
}

/** The first candidates that may start, and at which key a type had no room left: from there on its clocks stand still. */
function withinRoom(
  tx: Transaction,
  candidates: readonly Candidate[],
  { limit, nowMs }: { readonly limit: number; readonly nowMs: number },
): { readonly chosen: readonly Candidate[]; readonly filledAt: ReadonlyMap<string, number> } {
  const filledAt = new Map<string, number>();
  if (flowOf(tx).isEmpty) return { chosen: candidates.slice(0, limit), filledAt };
  const room = roomOf(tx, nowMs);
  const types = new Set(candidates.map(({ lane }) => lane.type));
  const chosen: Candidate[] = [];
  for (const candidate of candidates) {
    if (chosen.length === limit) break;
    if (filledAt.has(candidate.lane.type)) continue;
    chosen.push(candidate);
    room.take(candidate.lane.type);
    for (const type of types) {
      if (room.of(type) === 0 && !filledAt.has(type)) filledAt.set(type, candidate.key);
    }
  }
  return { chosen, filledAt };
}

/** The lanes with ready tasks that the worker may take from and that have room. */
function eligibleLanes(reader: Reader, request: PreparedClaim, nowMs: number): Lane[] {
  return request.types.filter((type) => hasRoom(reader, type, nowMs)).flatMap((type) =>
    compatibilitiesOf(reader, type)
      .filter((compatibility) => isCapable(request.capabilities, JSON.parse(compatibility)))
      .map((compatibility) => ({ type, compatibility }))
  );
}

/** The compatibilities that ready tasks of a type have, one index search each. */
function compatibilitiesOf(reader: Reader, type: string): string[] {
  const found: string[] = [];
  for (;;) {
    const [row] = reader.read(CLAIM_SQL.nextLane, [type, found.at(-1) ?? ""]);
    if (row === undefined) return found;
    found.push(String(row[0]));
  }
}

/** Weighted random: the clocks of every lane in the race have run as far as the last that rang while it took part. */
function advanceClocks(
  tx: Transaction,
  lanes: readonly Lane[],
  elapsed: (lane: Lane) => number,
): void {
  for (const lane of lanes) {
    const { type, compatibility } = lane;
    const known = findLane(tx, type, compatibility);
    const clock = clockOf(known) + elapsed(lane);
    if (known !== undefined) tx.update(LANE_TABLE, known, { clock });
    else tx.insert(LANE_TABLE, { type, compatibility, clock });
  }
}

function leaseTask(
  tx: Transaction,
  id: number,
  { request, budget }: { readonly request: PreparedClaim; readonly budget: RecordBudget },
  nowMs: number,
): SqlRow[] {
  return tx.read(CLAIM_SQL.claimable, [id, nowMs]).map((row) => {
    budget.spend(row);
    const attempt = (cell(row, "attempts") as number) + 1;
    noteTransition(tx, { id, nowMs }, "leased", {
      worker: request.workerId,
      attempt,
      durationMs: waitMsOf(row, nowMs),
    });
    return updateTask(tx, row, {
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
