/**
 * Health: a verdict on the queue, with its reasons. The worst reason decides.
 */
import type { Reader } from "../ledger/replica.ts";
import type { LedgerStats } from "../ledger/ledger.ts";
import { durationText } from "./duration_text.ts";
import { measureWindow, oldestDueAgeMs } from "./metrics.ts";
import type { HealthReason, QueueHealth, WorkerRecord } from "./operations.ts";
import { EXPIRED_SQL } from "./rescue.ts";
import { listWorkers } from "./workers.ts";

/**
 * When a queue is no longer healthy.
 *
 * - `no_active_worker`: a task has been due for longer than `noWorkerMs`, no worker is active and none holds a lease:
 *   unhealthy.
 * - `oldest_due_waits`: a task has been due for longer than `dueDegradedMs`: degraded; `dueUnhealthyMs`: unhealthy.
 * - `failure_rate`: of at least `failureMinFinished` tasks that finished within `failureWindowMs`, more than the share
 *   `failureDegraded` failed: degraded; `failureUnhealthy`: unhealthy.
 * - `expired_leases`: a lease ended longer ago than `expiredMs` and nobody rescued the task: degraded.
 * - `silent_workers`: a worker is in limbo (see `WorkerState`): degraded.
 * - `journal_large`: the journal is larger than `journalBytes` and four times the snapshot, so checkpoints do not
 *   succeed: degraded.
 */
export const HEALTH_THRESHOLDS: {
  readonly noWorkerMs: number;
  readonly dueDegradedMs: number;
  readonly dueUnhealthyMs: number;
  readonly failureWindowMs: number;
  readonly failureMinFinished: number;
  readonly failureDegraded: number;
  readonly failureUnhealthy: number;
  readonly expiredMs: number;
  readonly journalBytes: number;
} = Object.freeze({
  noWorkerMs: 60_000,
  dueDegradedMs: 5 * 60_000,
  dueUnhealthyMs: 60 * 60_000,
  failureWindowMs: 15 * 60_000,
  failureMinFinished: 20,
  failureDegraded: 0.1,
  failureUnhealthy: 0.5,
  expiredMs: 10_000,
  journalBytes: 64 * 1024 * 1024,
});

/** Whether a lease is held. */
const HELD_SQL = `SELECT 1 FROM task_queue INDEXED BY leased_tasks
  WHERE status = 'leased' AND lease_until_utc > ? LIMIT 1`;

/** Judges the queue. */
export function judge(
  reader: Reader,
  storage: Pick<LedgerStats, "journalBytes" | "snapshotBytes">,
  nowMs: number,
): QueueHealth {
  const workers = listWorkers(reader, nowMs);
  const reasons = [
    ...backlogReasons(oldestDueAgeMs(reader, nowMs), isAnyoneWorking(reader, workers, nowMs)),
    ...failureReasons(reader, nowMs),
    ...expiredReasons(reader, nowMs),
    ...silenceReasons(workers),
    ...journalReasons(storage),
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
    reader.read(HELD_SQL, [nowMs]).length > 0;
}

function backlogReasons(ageMs: number | null, isAnyoneWorking: boolean): HealthReason[] {
  const { noWorkerMs, dueDegradedMs, dueUnhealthyMs } = HEALTH_THRESHOLDS;
  if (ageMs === null || ageMs <= noWorkerMs) return [];
  const waits = `A task has been due for ${durationText(ageMs)}`;
  if (!isAnyoneWorking) {
    const message = `${waits} and no worker is active`;
    return [{ code: "no_active_worker", severity: "unhealthy", message }];
  }
  if (ageMs <= dueDegradedMs) return [];
  const severity = ageMs > dueUnhealthyMs ? "unhealthy" : "degraded";
  return [{ code: "oldest_due_waits", severity, message: waits }];
}

function failureReasons(reader: Reader, nowMs: number): HealthReason[] {
  const { failureWindowMs, failureMinFinished, failureDegraded, failureUnhealthy } =
    HEALTH_THRESHOLDS;
  const { completed, failed, failureRate } = measureWindow(reader, failureWindowMs, nowMs);
  const isEnough = completed + failed >= failureMinFinished;
  if (!isEnough || failureRate === null || failureRate <= failureDegraded) return [];
  const severity = failureRate > failureUnhealthy ? "unhealthy" : "degraded";
  const message = `${failed} of the ${completed + failed} tasks that finished within ${
    durationText(failureWindowMs)
  } failed`;
  return [{ code: "failure_rate", severity, message }];
}

function expiredReasons(reader: Reader, nowMs: number): HealthReason[] {
  const [row] = reader.read(EXPIRED_SQL, [nowMs - HEALTH_THRESHOLDS.expiredMs, 1]);
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

function journalReasons(
  { journalBytes, snapshotBytes }: Pick<LedgerStats, "journalBytes" | "snapshotBytes">,
): HealthReason[] {
  if (journalBytes <= Math.max(HEALTH_THRESHOLDS.journalBytes, 4 * snapshotBytes)) return [];
  const message = `The journal has ${journalBytes} bytes: checkpoints do not succeed`;
  return [{ code: "journal_large", severity: "degraded", message }];
}
