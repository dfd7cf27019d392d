/**
 * Workers: who has said lately that it works on this queue.
 *
 * A worker's row is replaced by each heartbeat. Rows that were silent for a day go with the next heartbeat of any worker,
 * so the table stays as small as the fleet.
 */
import { canonicalJson } from "../domain/json.ts";
import { checkInteger, checkName, checkPairs, TASK_LIMITS } from "../domain/task.ts";
import type { Reader, Transaction } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import { CLOCK_TOLERANCE_MS } from "./clock_put_back.ts";
import type { WorkerBeat, WorkerRecord, WorkerState } from "./operations.ts";
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
  leased: `SELECT locked_by, count(*) FROM task_queue INDEXED BY leased_tasks
    WHERE status = 'leased' GROUP BY locked_by`,
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
  };
}

/** Notes that a worker lives, and forgets those long silent. */
export function beat(tx: Transaction, worker: PreparedBeat, nowMs: number): void {
  const { workerId, capabilities, types, concurrency } = worker;
  const values = { capabilities, types, concurrency, heartbeat_utc: nowMs };
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

/** The workers that are not forgotten, the latest heartbeat first. */
export function listWorkers(reader: Reader, nowMs: number): WorkerRecord[] {
  const leased = new Map(
    reader.read(WORKER_SQL.leased).map(([worker, count]) => [String(worker), Number(count)]),
  );
  return reader.read(WORKER_SQL.all, [nowMs - WORKER_AGES.forgottenMs]).map((row) =>
    workerOfRow(row, nowMs, leased)
  );
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

function workerOfRow(
  row: SqlRow,
  nowMs: number,
  leased: ReadonlyMap<string, number>,
): WorkerRecord {
  const [workerId, capabilities, types, concurrency, startedAtMs, heartbeatAtMs] = row;
  return {
    workerId: String(workerId),
    capabilities: JSON.parse(String(capabilities)),
    types: JSON.parse(String(types)),
    concurrency: Number(concurrency),
    state: workerStateOf(nowMs - Number(heartbeatAtMs)),
    startedAt: new Date(Number(startedAtMs)),
    heartbeatAt: new Date(Number(heartbeatAtMs)),
    leasedTasks: leased.get(String(workerId)) ?? 0,
  };
}
