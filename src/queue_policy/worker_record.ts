/**
 * Workers as they are shown: what one said of itself, how it is, and what it holds.
 */
import { groupBy } from "../domain/sequences.ts";
import type { WorkerRecord } from "../queue/workers.ts";
import { type PreparedBeat, workerStateOf } from "./worker_beat.ts";

/** A worker as it is stored: its last heartbeat. */
export interface StoredWorker extends PreparedBeat {
  readonly startedAtMs: number;
  readonly heartbeatAtMs: number;
}

/** What a worker holds of one type. */
export interface HeldTasks {
  readonly workerId: string;
  readonly type: string;
  /** How many leases. */
  readonly leased: number;
  /** How many of them take a slot. */
  readonly inSlots: number;
}

/** The workers at one moment, in the order given. */
export function workerRecords(
  workers: readonly StoredWorker[],
  held: readonly HeldTasks[],
  nowMs: number,
): WorkerRecord[] {
  const byWorker = groupBy(held, ({ workerId }) => workerId);
  return workers.map((worker) => recordOf(worker, byWorker.get(worker.workerId) ?? [], nowMs));
}

function recordOf(worker: StoredWorker, held: readonly HeldTasks[], nowMs: number): WorkerRecord {
  const { workerId, concurrency, strategy, startedAtMs, heartbeatAtMs } = worker;
  const typeLimits = JSON.parse(worker.typeLimits) as Record<string, number>;
  const inSlots = new Map(held.map((tasks) => [tasks.type, tasks.inSlots]));
  return {
    workerId,
    capabilities: JSON.parse(worker.capabilities),
    types: JSON.parse(worker.types),
    concurrency,
    strategy,
    typeLimits,
    version: worker.version,
    runtime: worker.runtime,
    state: workerStateOf(nowMs - heartbeatAtMs),
    startedAt: new Date(startedAtMs),
    heartbeatAt: new Date(heartbeatAtMs),
    leasedTasks: held.reduce((sum, { leased }) => sum + leased, 0),
    slotsInUse: held.reduce((sum, tasks) => sum + tasks.inSlots, 0),
    typeSlotsInUse: Object.fromEntries(
      Object.keys(typeLimits).map((type) => [type, inSlots.get(type) ?? 0]),
    ),
  };
}
