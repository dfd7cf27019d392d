/**
 * Rows of limits and of slots: what may start, and what holds a slot.
 *
 * Slots are counted from the leases, and kept in no counter: what is not stored cannot leak. A lease counts until it is ended, an
 * expired one until its rescue.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import { Flow, Room } from "../../queue_policy/flow.ts";
import type { LimitChange, ScopeKey, StoredLimit } from "../../queue_policy/limit_request.ts";
import { FLOW_TABLE, SLOT_TABLE } from "./schema.ts";
import { EACH_GROUP } from "../../queue_policy/kept_fields.ts";
import { nextRatesMs, tatOf } from "./buckets.ts";
import { cell } from "./cells.ts";

/** The statements; a test reads their plans. */
export const FLOW_SQL = {
  limits: "SELECT * FROM flow_limits ORDER BY type, grp",
  limit: "SELECT * FROM flow_limits WHERE type = ? AND grp = ?",
  leasedOfType: `SELECT count(*) FROM task_queue INDEXED BY tasks_by_status
    WHERE status = 'leased' AND type = +?`,
  leasedOfGroup: `SELECT count(*) FROM task_queue INDEXED BY leased_by_group
    WHERE status = 'leased' AND grp <> '' AND grp = +?1 AND (+?2 = '' OR type = +?2)`,
  leasedOfGroups: `SELECT count(*) FROM task_queue INDEXED BY leased_by_group
    WHERE status = 'leased' AND grp <> '' AND (+?1 = '' OR type = +?1)`,
  slotsOfGroup: `SELECT count(*) FROM flow_slots
    WHERE until_utc > +?1 AND grp <> '' AND (+?2 = '*' OR grp = +?2) AND (+?3 = '' OR type = +?3)`,
  nextSlotEndOf: "SELECT min(until_utc) FROM flow_slots WHERE until_utc > +? AND grp = +?",
  leased: "SELECT count(*) FROM task_queue INDEXED BY tasks_by_status WHERE status = 'leased'",
  slotsOfType: "SELECT count(*) FROM flow_slots WHERE until_utc > +?1 AND type = +?2",
  slots: "SELECT count(*) FROM flow_slots WHERE until_utc > +?",
  slot: "SELECT worker_id FROM flow_slots WHERE task_id = ? AND lease_token = ?",
  expiredSlots:
    "SELECT task_id, lease_token, grp FROM flow_slots WHERE until_utc <= +? ORDER BY until_utc LIMIT 1000",
  nextSlotEnd: "SELECT min(until_utc) FROM flow_slots WHERE until_utc > +?",
} as const;

/** The limits and pauses; known in memory until one changes, so a queue without any asks nothing. */
export function flowOf(reader: Reader): Flow {
  return reader.remember(FLOW_TABLE, readFlow);
}

function readFlow(reader: Reader): Flow {
  return new Flow(reader.read(FLOW_SQL.limits).map(limitOfRow));
}

/** How many tasks may start now. */
export function roomOf(reader: Reader, nowMs: number): Room {
  return new Room(flowOf(reader), {
    countHeld: (scope) => countHeld(reader, scope, nowMs),
    tatOf: (scope) => tatOf(reader, scope),
    nowMs,
  });
}

/** How many slots of a scope are held; of each group, by all groups together. */
export function countHeld(reader: Reader, { type, grp }: ScopeKey, nowMs: number): number {
  if (grp !== "") return countOfGroup(reader, { type, grp }, nowMs);
  const { leased, leasedOfType, slots, slotsOfType } = FLOW_SQL;
  const held = type === "" ? reader.read(leased) : reader.read(leasedOfType, [type]);
  const kept = type === "" ? reader.read(slots, [nowMs]) : reader.read(slotsOfType, [nowMs, type]);
  return Number(held[0]![0]) + Number(kept[0]![0]);
}

function countOfGroup(reader: Reader, { type, grp }: ScopeKey, nowMs: number): number {
  const { leasedOfGroup, leasedOfGroups, slotsOfGroup } = FLOW_SQL;
  const held = grp === EACH_GROUP
    ? reader.read(leasedOfGroups, [type])
    : reader.read(leasedOfGroup, [grp, type]);
  if (!hasSlots(reader)) return Number(held[0]![0]);
  return Number(held[0]![0]) + Number(reader.read(slotsOfGroup, [nowMs, grp, type])[0]![0]);
}

/** When the next slot of a cancelled task of this group comes free by itself. */
export function nextSlotEndOf(reader: Reader, grp: string, nowMs: number): number | null {
  if (!hasSlots(reader)) return null;
  const end = reader.read(FLOW_SQL.nextSlotEndOf, [nowMs, grp])[0]![0]!;
  return end === null ? null : Number(end);
}

/** Whether slots are held by cancelled tasks. As long as that is not so, nobody asks. */
function hasSlots(reader: Reader): boolean {
  return reader.remember(SLOT_TABLE, readHasSlots);
}

function readHasSlots(reader: Reader): boolean {
  return reader.read("SELECT 1 FROM flow_slots LIMIT 1").length > 0;
}

/** Whether a slot's lease has ended. */
export function hasExpiredSlot(reader: Reader, nowMs: number): boolean {
  return hasSlots(reader) && reader.read(FLOW_SQL.expiredSlots, [nowMs]).length > 0;
}

/** Frees the slots whose leases have ended; the groups whose they were. */
export function freeExpiredSlots(tx: Transaction, nowMs: number): string[] {
  if (!hasSlots(tx)) return [];
  const groups = new Set<string>();
  for (const [taskId, leaseToken, grp] of tx.read(FLOW_SQL.expiredSlots, [nowMs])) {
    tx.remove(SLOT_TABLE, [taskId!, leaseToken!]);
    groups.add(String(grp));
  }
  return [...groups];
}

/** When a slot comes free at the end of its lease, a pause ends by itself, or a rate of a type or of the queue allows a start. */
export function nextRoomMs(reader: Reader, nowMs: number): number | undefined {
  const ends = hasSlots(reader) ? reader.read(FLOW_SQL.nextSlotEnd, [nowMs])[0]![0] : null;
  const flow = flowOf(reader);
  const times = [
    ...[flow.nextEndMs(nowMs), ends ?? undefined].filter((at) => at !== undefined),
    ...(flow.hasRates ? nextRatesMs(reader, flow.wideRates, nowMs) : []),
  ];
  return times.length === 0 ? undefined : Math.min(...times.map(Number));
}

/** A task is cancelled while it runs: where a limit counts it, it keeps its slot. */
export function keepSlot(tx: Transaction, row: SqlRow): void {
  const type = cell(row, "type") as string;
  const grp = cell(row, "grp") as string;
  if (flowOf(tx).limitsOf({ type, grp }).length === 0) return;
  tx.insert(SLOT_TABLE, {
    task_id: cell(row, "id"),
    lease_token: cell(row, "lease_token"),
    type,
    grp,
    worker_id: cell(row, "locked_by"),
    since_utc: cell(row, "processing_started_utc"),
    until_utc: cell(row, "lease_until_utc"),
  });
}

/** Frees the slot that a cancelled task holds under this lease; whether there was one. */
export function freeSlot(
  tx: Transaction,
  lease: { readonly taskId: number; readonly leaseToken: number; readonly workerId: string },
): boolean {
  if (!hasSlots(tx)) return false;
  const key = [lease.taskId, lease.leaseToken];
  const [slot] = tx.read(FLOW_SQL.slot, key);
  if (slot === undefined || slot[0] !== lease.workerId) return false;
  tx.remove(SLOT_TABLE, key);
  return true;
}

/** The limit and pause of a scope. */
export function findLimit(reader: Reader, { type, grp }: ScopeKey): StoredLimit | undefined {
  return reader.read(FLOW_SQL.limit, [type, grp]).map(limitOfRow)[0];
}

/** Stores what a change has made of a scope's row. */
export function storeLimit(
  tx: Transaction,
  { type, grp }: ScopeKey,
  change: LimitChange,
): void {
  const [known] = tx.read(FLOW_SQL.limit, [type, grp]);
  const { row } = change;
  if (row === undefined) {
    if (known !== undefined) tx.remove(FLOW_TABLE, [type, grp]);
    return;
  }
  if (known === undefined) tx.insert(FLOW_TABLE, columnsOf(row));
  else if (change.isChange) tx.update(FLOW_TABLE, known, columnsOf(row));
}

function columnsOf(row: StoredLimit): Record<string, SqlValue> {
  return {
    type: row.type,
    grp: row.grp,
    concurrency: row.concurrency,
    is_declared: row.is_declared ? 1 : 0,
    limit_at_utc: row.limit_at,
    limit_by: row.limit_by,
    paused_at_utc: row.paused_at,
    paused_by: row.paused_by,
    paused_reason: row.paused_reason,
    paused_until_utc: row.paused_until,
    weight: row.weight,
    rate_limit: row.rate_limit,
    rate_period_ms: row.rate_period_ms,
    rate_burst: row.rate_burst,
  };
}

function limitOfRow(row: SqlRow): StoredLimit {
  const [type, grp, concurrency, isDeclared, limitAt, limitBy, at, by, reason, until, ...more] =
    row;
  const [weight, rateLimit, ratePeriodMs, rateBurst] = more;
  return {
    type: String(type),
    grp: String(grp),
    concurrency: concurrency as number | null,
    is_declared: isDeclared === 1,
    limit_at: limitAt as number | null,
    limit_by: limitBy as string | null,
    paused_at: at as number | null,
    paused_by: by as string | null,
    paused_reason: reason as string | null,
    paused_until: until as number | null,
    weight: weight as number | null,
    rate_limit: rateLimit as number | null,
    rate_period_ms: ratePeriodMs as number | null,
    rate_burst: rateBurst as number | null,
  };
}
