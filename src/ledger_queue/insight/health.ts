/**
 * Health: a verdict on the queue, with its reasons. The worst reason decides.
 */
import { durationText } from "../../domain/duration_text.ts";
import { MEMORY_LIMITS } from "../../domain/memory_limits.ts";
import type { MemoryUsage, StorageStats } from "../../domain/storage_stats.ts";
import type { Reader } from "../../ledger/replica.ts";
import type {
  HealthReason,
  HealthThresholds,
  QueueHealth,
  WorkerRecord,
} from "../../queue/operator.ts";
import { CLOCK_TOLERANCE_MS, isFromFuture } from "../../queue_policy/clock_put_back.ts";
import { EXPIRED_SQL } from "../tasks/rescue.ts";
import { measureWindow, oldestDueAgeMs } from "./metrics.ts";
import { listWorkers } from "./workers.ts";

/** Whether a lease is held. */
const HELD_SQL = `SELECT 1 FROM task_queue INDEXED BY leased_tasks
  WHERE status = 'leased' AND lease_until_utc > ? AND updated_at_utc <= ? LIMIT 1`;

/** The latest instant at which what is leased or planned was written. */
const LATEST_SQL = `SELECT max(at) FROM (
  SELECT max(updated_at_utc) AS at FROM task_queue INDEXED BY leased_tasks
    WHERE status = 'leased' AND lease_until_utc > +?
  UNION ALL SELECT max(updated_at_utc) FROM schedules INDEXED BY next_schedules
    WHERE is_paused = 0 AND next_at_utc IS NOT NULL AND next_at_utc > +?)`;

/** What a verdict is made from, beside the rows. */
export interface Circumstances {
  readonly thresholds: HealthThresholds;
  readonly storage: MemoryUsage & Pick<StorageStats, "journalBytes" | "snapshotBytes">;
  readonly nowMs: number;
  /** For how long this process has been waiting for the commit lock, in milliseconds; default 0. */
  readonly lockWaitMs?: number;
}

/** Judges the queue. */
export function judge(reader: Reader, circumstances: Circumstances): QueueHealth {
  const { nowMs } = circumstances;
  const workers = listWorkers(reader, nowMs);
  const reasons = [
    ...backlogReasons(reader, isAnyoneWorking(reader, workers, nowMs), circumstances),
    ...failureReasons(reader, circumstances),
    ...expiredReasons(reader, circumstances),
    ...silenceReasons(workers),
    ...journalReasons(circumstances),
    ...lockReasons(circumstances),
    ...memoryReasons(circumstances),
    ...clockReasons(reader, circumstances),
  ];
  const isUnhealthy = reasons.some(({ severity }) => severity === "unhealthy");
  const verdict = isUnhealthy ? "unhealthy" : reasons.length > 0 ? "degraded" : "healthy";
  return { verdict, reasons, at: new Date(nowMs) };
}

/** A worker that holds a lease works, also when it sends no heartbeats. */
function isAnyoneWorking(
  reader: Reader,
  workers: readonly WorkerRecord[],
  nowMs: number,
): boolean {
  return workers.some(({ state }) => state === "active") ||
    reader.read(HELD_SQL, [nowMs, nowMs + CLOCK_TOLERANCE_MS]).length > 0;
}

function backlogReasons(
  reader: Reader,
  isAnyoneWorking: boolean,
  { thresholds, nowMs }: Circumstances,
): HealthReason[] {
  const { noWorkerMs, dueDegradedMs, dueUnhealthyMs } = thresholds;
  const ageMs = oldestDueAgeMs(reader, nowMs);
  if (ageMs === null) return [];
  const waits = `A task has been due for ${durationText(ageMs)}`;
  if (!isAnyoneWorking && ageMs > noWorkerMs) {
    const message = `${waits} and no worker is active`;
    return [{ code: "no_active_worker", severity: "unhealthy", message }];
  }
  if (ageMs <= dueDegradedMs) return [];
  const severity = ageMs > dueUnhealthyMs ? "unhealthy" : "degraded";
  return [{ code: "oldest_due_waits", severity, message: waits }];
}

function failureReasons(reader: Reader, { thresholds, nowMs }: Circumstances): HealthReason[] {
  const { failureWindowMs, failureMinFinished, failureDegraded, failureUnhealthy } = thresholds;
  const { completed, failed, failureRate } = measureWindow(reader, failureWindowMs, nowMs);
  const isEnough = completed + failed >= failureMinFinished;
  if (!isEnough || failureRate === null || failureRate <= failureDegraded) return [];
  const severity = failureRate > failureUnhealthy ? "unhealthy" : "degraded";
  const message = `${failed} of the ${completed + failed} tasks that finished within ${
    durationText(failureWindowMs)
  } failed`;
  return [{ code: "failure_rate", severity, message }];
}

function expiredReasons(reader: Reader, { thresholds, nowMs }: Circumstances): HealthReason[] {
  const [row] = reader.read(EXPIRED_SQL, [nowMs - thresholds.expiredMs, 1]);
  if (row === undefined) return [];
  const message = `The lease of task ${row[0]} ended long ago and nobody rescued the task`;
  return [{ code: "expired_leases", severity: "degraded", message }];
}

function silenceReasons(workers: readonly WorkerRecord[]): HealthReason[] {
  const silent = workers.filter(({ state }) => state === "limbo");
  if (silent.length === 0) return [];
  const names = silent.slice(0, 3).map(({ workerId }) => JSON.stringify(workerId)).join(", ");
  const more = silent.length > 3 ? ` and ${silent.length - 3} more` : "";
  const message = `No heartbeat for over a minute from ${names}${more}`;
  return [{ code: "silent_workers", severity: "degraded", message }];
}

function journalReasons({ thresholds, storage }: Circumstances): HealthReason[] {
  const { journalBytes, snapshotBytes } = storage;
  if (journalBytes <= Math.max(thresholds.journalBytes, 4 * snapshotBytes)) return [];
  const message = `The journal has ${journalBytes} bytes: checkpoints do not succeed`;
  return [{ code: "journal_large", severity: "degraded", message }];
}

function memoryReasons({ thresholds, storage }: Circumstances): HealthReason[] {
  const { memoryUsedBytes, memoryMaxBytes } = storage;
  const share = memoryUsedBytes / memoryMaxBytes;
  const uses = `The tasks take ${memoryUsedBytes} of ${memoryMaxBytes} bytes of memory`;
  if (share > MEMORY_LIMITS.highWaterShare) {
    const message = `${uses}: none is added before finished tasks are pruned`;
    return [{ code: "memory_high", severity: "unhealthy", message }];
  }
  if (share <= thresholds.memoryDegraded) return [];
  const fullBytes = Math.floor(memoryMaxBytes * MEMORY_LIMITS.highWaterShare);
  const message = `${uses}: above ${fullBytes} none is added, prune finished tasks`;
  return [{ code: "memory_high", severity: "degraded", message }];
}

function lockReasons({ thresholds, lockWaitMs = 0 }: Circumstances): HealthReason[] {
  const { lockDegradedMs, lockUnhealthyMs } = thresholds;
  if (lockWaitMs <= lockDegradedMs) return [];
  const message = `Another process has held the commit lock for ${durationText(lockWaitMs)}`;
  const severity = lockWaitMs > lockUnhealthyMs ? "unhealthy" : "degraded";
  return [{ code: "lock_held", severity, message }];
}

function clockReasons(reader: Reader, { nowMs }: Circumstances): HealthReason[] {
  const [row] = reader.read(LATEST_SQL, [nowMs, nowMs]);
  const latestMs = Number(row![0] ?? -Infinity);
  if (!isFromFuture(latestMs, nowMs)) return [];
  const message = `The clock was put back: a lease or a schedule was written ${
    durationText(latestMs - nowMs)
  } in the future`;
  return [{ code: "clock_put_back", severity: "degraded", message }];
}
