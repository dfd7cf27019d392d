/**
 * Metrics: how the queue goes, now and over a window.
 *
 * What happened in the window is read from the transition log. Its ids grow with time, so its beginning is found by
 * bisection; no index on the time is needed, and a transition costs nothing for it.
 */
import type { Reader } from "../../ledger/replica.ts";
import type { QueueMetrics, WindowMetrics } from "../../queue/operator.ts";
import type { TransitionKind } from "../../queue/task_transition.ts";
import { METRICS_LIMITS, noTransitions, ratesOf, summarize } from "../../queue_policy/rates.ts";
import { countByState } from "../../queue_policy/worker_beat.ts";
import { dueSplit, limitMetrics } from "../../queue_policy/limit_state.ts";
import { heldBack } from "./limits.ts";
import { stats } from "./stats.ts";
import { listWorkers } from "./workers.ts";

/** The statements; a test reads their plans. */
export const METRICS_SQL = {
  lastLog: "SELECT max(log_id) FROM task_logs",
  logFrom: "SELECT log_id, at_utc FROM task_logs WHERE log_id >= ? ORDER BY log_id LIMIT 1",
  window: "SELECT message, duration_ms, at_utc FROM task_logs WHERE log_id >= ? ORDER BY log_id",
  oldestDue: `SELECT min(max(created_at_utc, run_after_utc)) FROM task_queue
    WHERE status = 'queued' AND waits_for = 0 AND run_after_utc <= ?`,
} as const;

/** Everything that can be measured in the replica. */
export function measure(
  reader: Reader,
  windowMs: number,
  nowMs: number,
): QueueMetrics {
  const { byStatus, byType, scheduled, waitingForParents } = stats(reader, nowMs);
  const held = heldBack(reader, nowMs);
  return {
    at: new Date(nowMs),
    byStatus,
    byType,
    scheduled,
    waitingForParents,
    due: byStatus.queued - scheduled - waitingForParents,
    dueSplit: dueSplit(held),
    limits: limitMetrics(held),
    oldestDueAgeMs: oldestDueAgeMs(reader, nowMs),
    window: measureWindow(reader, windowMs, nowMs),
    workers: countByState(listWorkers(reader, nowMs)),
  };
}

/** How long the oldest task that could run has been due. */
export function oldestDueAgeMs(reader: Reader, nowMs: number): number | null {
  const dueAtMs = reader.read(METRICS_SQL.oldestDue, [nowMs])[0]![0]!;
  return dueAtMs === null ? null : nowMs - Number(dueAtMs);
}

/** What happened since `windowMs` ago. */
export function measureWindow(reader: Reader, windowMs: number, nowMs: number): WindowMetrics {
  const sinceMs = nowMs - windowMs;
  const lastId = Number(reader.read(METRICS_SQL.lastLog)[0]![0] ?? 0);
  const wantedId = firstLogSince(reader, sinceMs, lastId);
  const firstId = Math.max(wantedId, lastId - METRICS_LIMITS.transitionsMax + 1);
  const counts = noTransitions();
  const waits: number[] = [];
  const runs: number[] = [];
  let firstAtMs = nowMs;
  for (const [kind, durationMs, atMs] of reader.read(METRICS_SQL.window, [firstId])) {
    if (Number(atMs) < sinceMs) continue;
    firstAtMs = Math.min(firstAtMs, Number(atMs));
    counts[kind as TransitionKind]++;
    if (durationMs !== null) (kind === "leased" ? waits : runs).push(Number(durationMs));
  }
  const isTruncated = firstId > wantedId;
  return {
    ...ratesOf(counts, isTruncated ? Math.max(1, nowMs - firstAtMs) : windowMs),
    isTruncated,
    waitMs: summarize(waits),
    runMs: summarize(runs),
  };
}

/** The first row at or after `sinceMs`, by bisection; where clocks disagree it may be off by as much as they do. */
function firstLogSince(reader: Reader, sinceMs: number, lastId: number): number {
  let low = 1;
  let high = lastId + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = reader.read(METRICS_SQL.logFrom, [middle]);
    if (row === undefined || Number(row[1]) >= sinceMs) high = middle;
    else low = Number(row[0]) + 1;
  }
  return low;
}
