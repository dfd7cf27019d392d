/**
 * Workers: who has said lately that it works on this queue.
 *
 * A worker's row is replaced by each heartbeat. Rows that were silent for a day go with the next heartbeat of any worker,
 * so the table stays as small as the fleet.
 */
import { CLAIM_ORDERS, type ClaimOrder, isClaimOrder } from "../domain/claim_order.ts";
import { canonicalJson } from "../domain/json.ts";
import { checkInteger, checkName, checkPairs, TASK_LIMITS } from "../domain/task.ts";
import type { Reader, Transaction } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import { CLOCK_TOLERANCE_MS } from "./clock_put_back.ts";
import type { WorkerBeat, WorkerRecord, WorkerState } from "./operations.ts";
import { fillPage } from "./page.ts";
import { WORKER_TABLE } from "./schema.ts";

/** From which age of its last heartbeat on a worker is no longer active, is stale, is forgotten; in milliseconds. */
export const WORKER_AGES: {
  readonly activeMs: number;
  readonly limboMs: number;
  readonly forgottenMs: number;
} = Object.freeze({
  activeMs: 60_000,
  limboMs: 300_000,
  forgottenMs: 24 * 3_600_000,
});

const TYPES_MAX = 1000;
const CONCURRENCY_MAX = 1000;

/** How many silent workers one heartbeat forgets at most. */
const FORGET_MAX = 100;

/** The statements; a test reads their plans. */
export const WORKER_SQL = {
  one: "SELECT * FROM workers WHERE worker_id = ?",
  silent: "SELECT worker_id FROM workers WHERE heartbeat_utc < ? ORDER BY heartbeat_utc LIMIT +?",
  all: "SELECT * FROM workers WHERE heartbeat_utc >= ? ORDER BY heartbeat_utc DESC, worker_id",
  latest:
    "SELECT worker_id FROM workers WHERE heartbeat_utc >= ? ORDER BY heartbeat_utc DESC, worker_id LIMIT ?",
  leased:
    `SELECT locked_by, type, count(*), count(reserved_at_utc) FROM task_queue INDEXED BY leased_tasks
    WHERE status = 'leased' GROUP BY locked_by, type`,
} as const;

/** A checked `WorkerBeat`, in the forms of its columns. */
export interface PreparedBeat {
  /** Who it is. */
  readonly workerId: string;
  /** Canonical JSON. */
  readonly capabilities: string;
  /** JSON of sorted names. */
  readonly types: string;
  /** How many tasks at the same time. */
  readonly concurrency: number;
  /** Which due task it takes first. */
  readonly strategy: ClaimOrder;
  /** JSON: how many tasks of single types at the same time. */
  readonly typeLimits: string;
}

/** Checks every field, before any effect. @throws TypeError, RangeError */
export function prepareBeat(beat: WorkerBeat): PreparedBeat {
  const { workerIdMaxLength, typeMaxLength } = TASK_LIMITS;
  checkInteger(beat.types.length, "number of types", 0, TYPES_MAX);
  const types = beat.types.map((type) => checkName(type, "task type", typeMaxLength));
  return {
    workerId: checkName(beat.workerId, "worker id", workerIdMaxLength),
    capabilities: canonicalJson(checkPairs(beat.capabilities, "capabilities")),
    types: JSON.stringify([...new Set(types)].sort()),
    concurrency: checkInteger(beat.concurrency, "concurrency", 1, CONCURRENCY_MAX),
    strategy: checkStrategy(beat.strategy ?? "priority"),
    typeLimits: JSON.stringify(checkTypeLimits(beat.typeLimits ?? {})),
  };
}

function checkStrategy(strategy: unknown): ClaimOrder {
  if (typeof strategy === "string" && isClaimOrder(strategy)) return strategy;
  throw new TypeError(
    `Cannot use ${JSON.stringify(strategy)} as strategy: allowed are ${CLAIM_ORDERS.join(", ")}`,
  );
}

function checkTypeLimits(limits: unknown): Record<string, number> {
  if (typeof limits !== "object" || limits === null || Array.isArray(limits)) {
    throw new TypeError(`Cannot use ${JSON.stringify(limits)} as typeLimits: an object is needed`);
  }
  const entries = Object.entries(limits);
  checkInteger(entries.length, "number of type limits", 0, TYPES_MAX);
  return Object.fromEntries(entries.map(([type, limit]) => [
    checkName(type, "task type", TASK_LIMITS.typeMaxLength),
    checkInteger(limit, `limit of ${JSON.stringify(type)}`, 1, CONCURRENCY_MAX),
  ]));
}

/** Notes that a worker lives, and forgets those long silent. */
export function beat(tx: Transaction, worker: PreparedBeat, nowMs: number): void {
  const { workerId, capabilities, types, concurrency, strategy, typeLimits } = worker;
  const values = {
    capabilities,
    types,
    concurrency,
    heartbeat_utc: nowMs,
    strategy,
    type_limits: typeLimits,
  };
  const known = findWorker(tx, workerId);
  if (known !== undefined) tx.update(WORKER_TABLE, known, values);
  else tx.insert(WORKER_TABLE, { worker_id: workerId, ...values, started_at_utc: nowMs });
  const silentSinceMs = nowMs - WORKER_AGES.forgottenMs;
  for (const [silent] of tx.read(WORKER_SQL.silent, [silentSinceMs, FORGET_MAX])) {
    retireWorker(tx, String(silent));
  }
}

/** Forgets a worker. */
export function retireWorker(tx: Transaction, workerId: string): void {
  if (findWorker(tx, workerId) !== undefined) tx.remove(WORKER_TABLE, [workerId]);
}

function findWorker(reader: Reader, workerId: string): SqlRow | undefined {
  return reader.read(WORKER_SQL.one, [workerId])[0];
}

/** The workers that were heard of last, the latest heartbeat first: 1000 at most, fewer when their rows are large. */
export function latestWorkers(reader: Reader, nowMs: number): WorkerRecord[] {
  const sinceMs = nowMs - WORKER_AGES.forgottenMs;
  const rows = reader.read(WORKER_SQL.latest, [sinceMs, TASK_LIMITS.listMax]).values()
    .map(([id]) => findWorker(reader, String(id))!);
  return workersOfRows(reader, fillPage(rows), nowMs);
}

/** The workers that are not forgotten, the latest heartbeat first. */
export function listWorkers(reader: Reader, nowMs: number): WorkerRecord[] {
  return workersOfRows(
    reader,
    reader.read(WORKER_SQL.all, [nowMs - WORKER_AGES.forgottenMs]),
    nowMs,
  );
}

function workersOfRows(reader: Reader, rows: readonly SqlRow[], nowMs: number): WorkerRecord[] {
  const leased = Map.groupBy(reader.read(WORKER_SQL.leased), ([worker]) => String(worker));
  return rows.map((row) => workerOfRow(row, nowMs, leased.get(String(row[0])) ?? []));
}

/** How a worker is whose last heartbeat is this old. */
export function workerStateOf(ageMs: number): WorkerState {
  // None has come since the clock was put back.
  if (ageMs < -CLOCK_TOLERANCE_MS) return "stale";
  if (ageMs <= WORKER_AGES.activeMs) return "active";
  return ageMs <= WORKER_AGES.limboMs ? "limbo" : "stale";
}

/** How many workers are in each state. */
export function countByState(workers: readonly WorkerRecord[]): Record<WorkerState, number> {
  const counts = { active: 0, limbo: 0, stale: 0 };
  for (const { state } of workers) counts[state]++;
  return counts;
}

/** `leased` has a row for each type of which it holds leases: worker, type, how many, how many in slots. */
function workerOfRow(row: SqlRow, nowMs: number, leased: readonly SqlRow[]): WorkerRecord {
  const [workerId, capabilities, types, concurrency, startedAtMs, heartbeatAtMs] = row;
  const [strategy, limits] = row.slice(6);
  const typeLimits = JSON.parse(String(limits)) as Record<string, number>;
  const inSlots = new Map(leased.map(([, type, , count]) => [String(type), Number(count)]));
  return {
    workerId: String(workerId),
    capabilities: JSON.parse(String(capabilities)),
    types: JSON.parse(String(types)),
    concurrency: Number(concurrency),
    strategy: String(strategy) as ClaimOrder,
    typeLimits,
    state: workerStateOf(nowMs - Number(heartbeatAtMs)),
    startedAt: new Date(Number(startedAtMs)),
    heartbeatAt: new Date(Number(heartbeatAtMs)),
    leasedTasks: leased.reduce((sum, [, , count]) => sum + Number(count), 0),
    slotsInUse: [...inSlots.values()].reduce((sum, count) => sum + count, 0),
    typeSlotsInUse: Object.fromEntries(
      Object.keys(typeLimits).map((type) => [type, inSlots.get(type) ?? 0]),
    ),
  };
}
