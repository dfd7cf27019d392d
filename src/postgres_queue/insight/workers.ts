/**
 * Workers: those that have sent a heartbeat lately.
 *
 * A worker's row is replaced by each heartbeat. Rows that were silent for a day go with the next heartbeat of any worker,
 * so the table stays as small as the fleet.
 */
import type { ClaimOrder } from "../../domain/claim_order.ts";
import { TASK_LIMITS } from "../../domain/task.ts";
import type { WorkerRecord } from "../../queue/workers.ts";
import { type PreparedBeat, WORKER_AGES, workerStateOf } from "../../queue_policy/worker_beat.ts";
import {
  type HeldTasks,
  type StoredWorker,
  workerRecords,
} from "../../queue_policy/worker_record.ts";
import type { Row, Statements } from "../rows/database.ts";
import { soughtName } from "../rows/sought_name.ts";
import { clockOf } from "../tasks/claim_sql.ts";

/** How many silent workers one heartbeat forgets at most. */
const FORGET_MAX = 100;

const COLUMNS =
  `worker_id, capabilities, types, concurrency, strategy, type_limits, version, runtime,
  started_at, heartbeat_at`;

/** The statements; a test reads their plans. */
export const WORKER_SQL = {
  /** `$9` is the time of a test. */
  beat: `insert into @worker (${COLUMNS})
    select $1::text, $2::text, $3::text, $4::int, $5::text, $6::text, $7::text, $8::text,
      now, now
    from (select ${clockOf("$9")} as now) as moment
    on conflict (worker_id) do update set capabilities = excluded.capabilities,
      types = excluded.types, concurrency = excluded.concurrency, strategy = excluded.strategy,
      type_limits = excluded.type_limits, version = excluded.version, runtime = excluded.runtime,
      heartbeat_at = excluded.heartbeat_at`,
  /** `$1` is the time of a test, `$2` the worker that stays. */
  forget: `delete from @worker where worker_id in (
      select worker_id from @worker
      where heartbeat_at < ${clockOf("$1")} - ${WORKER_AGES.forgottenMs} and worker_id <> $2
      order by heartbeat_at limit ${FORGET_MAX} for update skip locked)`,
  retire: "delete from @worker where worker_id = $1",
  /** `$1` is since when. As many as a page takes, one at least. */
  latest: `select ${COLUMNS} from (
      select found.*, row_number() over page as place,
        sum(length(capabilities) + length(types) + length(type_limits)) over page as total
      from (select * from @worker where heartbeat_at >= $1
        order by heartbeat_at desc, worker_id limit ${TASK_LIMITS.listMax}) as found
      window page as (order by heartbeat_at desc, worker_id)) as placed
    where place = 1 or total <= ${TASK_LIMITS.listMaxLength} order by place`,
  all:
    `select ${COLUMNS} from @worker where heartbeat_at >= $1 order by heartbeat_at desc, worker_id`,
  beats: `select worker_id, heartbeat_at from @worker where heartbeat_at >= $1
    order by heartbeat_at desc, worker_id`,
  /** `$1` are workers. */
  held: `select v.locked_by, lane.type, count(*) as leased, count(v.reserved_at) as in_slots
    from @live v join @lane lane using (lane_id) where v.state = 4 and v.locked_by = any($1)
    group by v.locked_by, lane.type`,
} as const;

/** Notes that a worker lives, and forgets those long silent. `testMs` is the time of a test. */
export async function beat(
  statements: Statements,
  worker: PreparedBeat,
  testMs: number | null,
): Promise<void> {
  const { workerId, capabilities, types, concurrency, strategy, typeLimits } = worker;
  const abilities = [workerId, capabilities, types, concurrency, strategy, typeLimits];
  const values = [...abilities, worker.version, worker.runtime];
  await statements.query(WORKER_SQL.beat, [...values, testMs]);
  // apart from the other: two workers that forget each other must not wait for each other
  await statements.query(WORKER_SQL.forget, [testMs, workerId]);
}

/** Forgets a worker. */
export async function retireWorker(statements: Statements, workerId: string): Promise<void> {
  await statements.query(WORKER_SQL.retire, [soughtName(workerId)]);
}

/** The workers that were heard of last, the latest heartbeat first: 1000 at most, fewer when their rows are large. */
export async function latestWorkers(tx: Statements, nowMs: number): Promise<WorkerRecord[]> {
  return await read(tx, await tx.query(WORKER_SQL.latest, [forgottenMs(nowMs)]), nowMs);
}

/** The workers that live, the latest heartbeat first. */
export async function activeWorkers(tx: Statements, nowMs: number): Promise<WorkerRecord[]> {
  const rows = await tx.query(WORKER_SQL.all, [nowMs - WORKER_AGES.activeMs]);
  return await read(tx, rows, nowMs);
}

/** How each worker is that is not forgotten, or that was heard of since. */
export async function workerStates(
  tx: Statements,
  nowMs: number,
  sinceMs: number = forgottenMs(nowMs),
): Promise<Pick<WorkerRecord, "workerId" | "state">[]> {
  const rows = await tx.query(WORKER_SQL.beats, [sinceMs]);
  return rows.map(({ worker_id, heartbeat_at }) => ({
    workerId: String(worker_id),
    state: workerStateOf(nowMs - Number(heartbeat_at)),
  }));
}

function forgottenMs(nowMs: number): number {
  return nowMs - WORKER_AGES.forgottenMs;
}

async function read(
  tx: Statements,
  rows: readonly Row[],
  nowMs: number,
): Promise<WorkerRecord[]> {
  const workers = rows.map(storedWorkerOf);
  const held = await tx.query(WORKER_SQL.held, [workers.map(({ workerId }) => workerId)]);
  return workerRecords(workers, held.map(heldTasksOf), nowMs);
}

function storedWorkerOf(row: Row): StoredWorker {
  return {
    workerId: String(row.worker_id),
    capabilities: String(row.capabilities),
    types: String(row.types),
    concurrency: Number(row.concurrency),
    strategy: row.strategy as ClaimOrder,
    typeLimits: String(row.type_limits),
    version: row.version as string | null,
    runtime: row.runtime as string | null,
    startedAtMs: Number(row.started_at),
    heartbeatAtMs: Number(row.heartbeat_at),
  };
}

function heldTasksOf(row: Row): HeldTasks {
  return {
    workerId: String(row.locked_by),
    type: String(row.type),
    leased: Number(row.leased),
    inSlots: Number(row.in_slots),
  };
}
