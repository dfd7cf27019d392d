/**
 * Workers: those that have sent a heartbeat lately.
 *
 * A worker's row is replaced by each heartbeat. Rows that were silent for a day go with the next heartbeat of any worker,
 * so the table stays as small as the fleet.
 */
import { lazyMap } from "../../domain/sequences.ts";
import type { ClaimOrder } from "../../domain/claim_order.ts";
import { TASK_LIMITS } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { WorkerRecord } from "../../queue/workers.ts";
import { type PreparedBeat, WORKER_AGES } from "../../queue_policy/worker_beat.ts";
import { type StoredWorker, workerRecords } from "../../queue_policy/worker_record.ts";
import { fillPage } from "../rows/page.ts";
import { WORKER_TABLE } from "../rows/schema.ts";

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

/** Notes that a worker lives, and forgets those long silent. */
export function beat(tx: Transaction, worker: PreparedBeat, nowMs: number): void {
  const { workerId, capabilities, types, concurrency, strategy, typeLimits, version, runtime } =
    worker;
  const values = {
    capabilities,
    types,
    concurrency,
    heartbeat_utc: nowMs,
    strategy,
    type_limits: typeLimits,
    version,
    runtime,
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
  const ids = reader.read(WORKER_SQL.latest, [sinceMs, TASK_LIMITS.listMax]);
  const rows = lazyMap(ids, ([id]) => findWorker(reader, String(id))!);
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
  const held = reader.read(WORKER_SQL.leased).map(([workerId, type, leased, inSlots]) => ({
    workerId: String(workerId),
    type: String(type),
    leased: Number(leased),
    inSlots: Number(inSlots),
  }));
  return workerRecords(rows.map(storedWorkerOf), held, nowMs);
}

function storedWorkerOf(row: SqlRow): StoredWorker {
  const [workerId, capabilities, types, concurrency, startedAtMs, heartbeatAtMs] = row;
  const [strategy, typeLimits, version, runtime] = row.slice(6);
  return {
    workerId: String(workerId),
    capabilities: String(capabilities),
    types: String(types),
    concurrency: Number(concurrency),
    strategy: strategy as ClaimOrder,
    typeLimits: String(typeLimits),
    version: version as string | null,
    runtime: runtime as string | null,
    startedAtMs: Number(startedAtMs),
    heartbeatAtMs: Number(heartbeatAtMs),
  };
}
