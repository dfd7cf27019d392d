/**
 * The verdict on a queue, from facts that any engine can gather. The worst reason decides; `HealthThresholds` says when each
 * applies.
 */
import { durationText } from "../domain/duration_text.ts";
import { MEMORY_LIMITS } from "../domain/memory_limits.ts";
import type { StorageStats } from "../domain/storage_stats.ts";
import type { HealthReason, HealthThresholds, QueueHealth, Verdict } from "../queue/operator.ts";
import type { WindowMetrics } from "../queue/metrics.ts";
import type { WorkerRecord } from "../queue/workers.ts";
import type { QueueClosure } from "../queue/closure.ts";
import type { DatabaseState } from "../queue/database_state.ts";
import type { FailingDuty } from "./background_failures.ts";
import type { FailingWebhook } from "./failing_webhooks.ts";
import { isFromFuture } from "./clock_put_back.ts";
import { closureReasons } from "./closure.ts";
import { rateText } from "./explanation_of_flow.ts";
import { rateOf, scopeTextOf } from "./limit_request.ts";
import type { LongHold } from "./limit_state.ts";
import type { UnplannableSchedule } from "./schedule_firing.ts";

/** How many schedules and hosts are named. */
const NAMED_MAX = 3;

/** What a verdict is made from. */
export interface HealthFacts {
  readonly nowMs: number;
  readonly thresholds: HealthThresholds;
  /** How long the oldest task that may start has been due; `null` without any. */
  readonly oldestDueAgeMs: number | null;
  readonly workers: readonly Pick<WorkerRecord, "workerId" | "state">[];
  /** Whether a lease is held: a worker may send no heartbeats. */
  readonly isLeaseHeld: boolean;
  /** What ended within `failureWindowMs`. */
  readonly window: Pick<WindowMetrics, "completed" | "failed" | "failureRate">;
  /** A task whose lease expired longer ago than `expiredMs`; `null` without any. */
  readonly expiredTaskId: number | null;
  /** The pauses with due tasks behind them; default none. */
  readonly longPauses?: readonly LongHold[];
  /** The full limits with due tasks behind them; default none. */
  readonly fullLimits?: readonly LongHold[];
  /** The latest instant at which what is leased or scheduled was written; `null` without any. */
  readonly latestWriteMs: number | null;
  /** Why the queue is closed; `null` when it is open. */
  readonly closure: QueueClosure | null;
  /** What the queue fails to do by itself in this process; default nothing. */
  readonly failingDuties?: readonly FailingDuty[];
  /** The schedules that this process cannot plan; default none. */
  readonly unplannable?: readonly UnplannableSchedule[];
  /** The hosts that deliveries do not reach; default none. */
  readonly failingWebhooks?: readonly FailingWebhook[];
  /** For a queue that keeps its own files. */
  readonly storage?: Pick<
    StorageStats,
    "journalBytes" | "snapshotBytes" | "memoryUsedBytes" | "memoryMaxBytes"
  >;
  /** For how long this process has been waiting for the commit lock; default 0. */
  readonly lockWaitMs?: number;
  /** For a queue on a database server. */
  readonly database?: DatabaseFacts;
}

/** What a database server says of itself, and how this process hears of others. */
export interface DatabaseFacts extends Pick<DatabaseState, "deadRows" | "oldestSnapshot"> {
  /** Whether no notification reaches this process. */
  readonly isDeaf: boolean;
}

/** The verdict, with every reason. */
export function verdictOf(facts: HealthFacts): QueueHealth {
  const reasons = [
    ...closureReasons(facts.closure),
    ...backlogReasons(facts),
    ...failureReasons(facts),
    ...expiredReasons(facts),
    ...pauseReasons(facts),
    ...limitReasons(facts),
    ...silenceReasons(facts),
    ...journalReasons(facts),
    ...lockReasons(facts),
    ...memoryReasons(facts),
    ...clockReasons(facts),
    ...dutyReasons(facts),
    ...scheduleReasons(facts),
    ...webhookReasons(facts),
    ...deadRowReasons(facts),
    ...snapshotReasons(facts),
    ...wakeUpReasons(facts),
  ];
  return { verdict: worstOf(reasons), reasons, at: new Date(facts.nowMs) };
}

function worstOf(reasons: readonly HealthReason[]): Verdict {
  const has = (wanted: HealthReason["severity"]): boolean =>
    reasons.some(({ severity }) => severity === wanted);
  if (has("unhealthy")) return "unhealthy";
  return has("degraded") ? "degraded" : "healthy";
}

function backlogReasons(
  { oldestDueAgeMs: ageMs, workers, isLeaseHeld, thresholds, closure }: HealthFacts,
): HealthReason[] {
  const { noWorkerMs, dueDegradedMs, dueUnhealthyMs } = thresholds;
  if (ageMs === null || closure !== null) return [];
  const isWorking = isLeaseHeld || workers.some(({ state }) => state === "active");
  const waits = `A task has been due for ${durationText(ageMs)}`;
  if (!isWorking && ageMs > noWorkerMs) {
    const message = `${waits} and no worker is active`;
    return [{ code: "no_active_worker", severity: "unhealthy", message }];
  }
  if (ageMs <= dueDegradedMs) return [];
  const severity = ageMs > dueUnhealthyMs ? "unhealthy" : "degraded";
  return [{ code: "oldest_due_waits", severity, message: waits }];
}

function failureReasons({ window, thresholds }: HealthFacts): HealthReason[] {
  const { failureWindowMs, failureMinFinished, failureDegraded, failureUnhealthy } = thresholds;
  const { completed, failed, failureRate } = window;
  const isEnough = completed + failed >= failureMinFinished;
  if (!isEnough || failureRate === null || failureRate <= failureDegraded) return [];
  const severity = failureRate > failureUnhealthy ? "unhealthy" : "degraded";
  const message = `${failed} of the ${completed + failed} tasks that finished within ${
    durationText(failureWindowMs)
  } failed`;
  return [{ code: "failure_rate", severity, message }];
}

function expiredReasons({ expiredTaskId }: HealthFacts): HealthReason[] {
  if (expiredTaskId === null) return [];
  const message =
    `The lease of task ${expiredTaskId} expired long ago and the task has not been rescued`;
  return [{ code: "expired_leases", severity: "degraded", message }];
}

function pauseReasons({ longPauses = [], thresholds, nowMs }: HealthFacts): HealthReason[] {
  return longPauses.filter(({ sinceMs }) => nowMs - sinceMs > thresholds.pausedMs).map((hold) => ({
    code: "paused_long",
    severity: "degraded",
    message: `${firstUpper(scopeTextOf(hold.scope))} has been paused for ${
      durationText(nowMs - hold.sinceMs)
    }, and ${behind(hold)} due behind the pause`,
  }));
}

function limitReasons({ fullLimits = [], thresholds, nowMs }: HealthFacts): HealthReason[] {
  return fullLimits.filter(({ sinceMs }) => nowMs - sinceMs > thresholds.limitFullMs).map((
    hold,
  ) => ({
    code: "limit_full",
    severity: "degraded",
    message: `The limit of ${limitText(hold.scope)} of ${
      scopeTextOf(hold.scope)
    } is in full use, and ${behind(hold)} due behind it, the oldest for ${
      durationText(nowMs - hold.sinceMs)
    }`,
  }));
}

/** A limit in one phrase: `5`, `100 in 60 s`, `5 and of 100 in 60 s`. */
function limitText(row: LongHold["scope"]): string {
  const rate = rateOf(row);
  const parts = [
    ...(row.concurrency === null ? [] : [`${row.concurrency}`]),
    ...(rate === null ? [] : [rateText(rate)]),
  ];
  return parts.join(" and of ");
}

function behind({ blocked }: LongHold): string {
  return blocked === 1 ? "1 task is" : `${blocked} tasks are`;
}

function firstUpper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function silenceReasons({ workers }: HealthFacts): HealthReason[] {
  const silent = workers.filter(({ state }) => state === "limbo");
  if (silent.length === 0) return [];
  const names = silent.slice(0, 3).map(({ workerId }) => JSON.stringify(workerId)).join(", ");
  const more = silent.length > 3 ? ` and ${silent.length - 3} more` : "";
  const message = `No heartbeat for over a minute from ${names}${more}`;
  return [{ code: "silent_workers", severity: "degraded", message }];
}

function journalReasons({ thresholds, storage }: HealthFacts): HealthReason[] {
  if (storage === undefined) return [];
  const { journalBytes, snapshotBytes } = storage;
  if (journalBytes <= Math.max(thresholds.journalBytes, 4 * snapshotBytes)) return [];
  const message = `The journal has ${journalBytes} bytes: checkpoints do not succeed`;
  return [{ code: "journal_large", severity: "degraded", message }];
}

function memoryReasons({ thresholds, storage }: HealthFacts): HealthReason[] {
  if (storage === undefined) return [];
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

function lockReasons({ thresholds, lockWaitMs = 0 }: HealthFacts): HealthReason[] {
  const { lockDegradedMs, lockUnhealthyMs } = thresholds;
  if (lockWaitMs <= lockDegradedMs) return [];
  const message = `Another process has held the commit lock for ${durationText(lockWaitMs)}`;
  const severity = lockWaitMs > lockUnhealthyMs ? "unhealthy" : "degraded";
  return [{ code: "lock_held", severity, message }];
}

function clockReasons({ latestWriteMs, nowMs }: HealthFacts): HealthReason[] {
  if (latestWriteMs === null || !isFromFuture(latestWriteMs, nowMs)) return [];
  const message = `The clock was put back: a lease or a schedule was written ${
    durationText(latestWriteMs - nowMs)
  } in the future`;
  return [{ code: "clock_put_back", severity: "degraded", message }];
}

function dutyReasons({ failingDuties = [], nowMs }: HealthFacts): HealthReason[] {
  return failingDuties.map(({ duty, sinceMs, message }) => ({
    code: "background_error",
    severity: "degraded",
    message: `The queue's own ${duty} has failed for ${durationText(nowMs - sinceMs)}: ${message}`,
  }));
}

function scheduleReasons({ unplannable = [] }: HealthFacts): HealthReason[] {
  return degradedBy("schedule_unplannable", unplannable, ({ error }) => error.message);
}

function webhookReasons({ failingWebhooks = [] }: HealthFacts): HealthReason[] {
  return degradedBy("webhook_failing", failingWebhooks, ({ host, deliveries, message }) => {
    const what = deliveries === 1 ? "A delivery" : `${deliveries} deliveries`;
    return `${what} to ${JSON.stringify(host)} failed, the latest: ${message}`;
  });
}

/** A reason for each of the first; the last one says how many there are besides. */
function degradedBy<T>(
  code: HealthReason["code"],
  all: readonly T[],
  messageOf: (each: T) => string,
): HealthReason[] {
  const more = all.length - NAMED_MAX;
  return all.slice(0, NAMED_MAX).map((each, i) => ({
    code,
    severity: "degraded",
    message: messageOf(each) + (i === NAMED_MAX - 1 && more > 0 ? `, and ${more} more` : ""),
  }));
}

function deadRowReasons({ thresholds, database }: HealthFacts): HealthReason[] {
  if (database === undefined || database.deadRows.count <= thresholds.deadRows) return [];
  const { table, count } = database.deadRows;
  const message = `Table ${JSON.stringify(table)} has ${count} dead rows: vacuum does not keep up`;
  return [{ code: "dead_rows", severity: "degraded", message }];
}

function snapshotReasons({ thresholds, database }: HealthFacts): HealthReason[] {
  const oldest = database?.oldestSnapshot ?? null;
  if (oldest === null || oldest.ageMs <= thresholds.snapshotMs) return [];
  const { kind, name, program, state, ageMs } = oldest;
  const details = [program, state].filter((text) => text !== "");
  const whose = details.length > 0 ? ` (${details.join(", ")})` : "";
  const holder = kind === "session"
    ? `Session ${name}`
    : `${kind.charAt(0).toUpperCase()}${kind.slice(1)} ${JSON.stringify(name)}`;
  const message = `${holder}${whose} has held a snapshot for ${
    durationText(ageMs)
  }, so vacuum removes no row that died since`;
  return [{ code: "old_snapshot", severity: "degraded", message }];
}

function wakeUpReasons({ database }: HealthFacts): HealthReason[] {
  if (!database?.isDeaf) return [];
  const message =
    "No notification reaches this process, perhaps because of a pooler: it looks each second for what others have changed";
  return [{ code: "wake_up_deaf", severity: "notice", message }];
}
