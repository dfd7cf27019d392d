/**
 * Statistics and health as JSON.
 */
import type { z } from "@hono/zod-openapi";
import type {
  DurationTotals,
  HealthReason,
  QueueMetrics,
  QueueStats,
  StorageStats,
} from "../../src/core.ts";
import { instant, rateJson } from "../http/fields.ts";
import type { HealthSchema, MetricsSchema, StatsSchema, StorageSchema } from "./schemas.ts";

/** What is not as it should be. */
export function healthReasonsJson(
  reasons: readonly HealthReason[],
): z.infer<typeof HealthSchema>["reasons"] {
  return reasons.map(({ code, severity, message }) => ({ code, severity, message }));
}

/** The queue in numbers. */
export function statsJson(
  stats: QueueStats,
  storage: StorageStats | null,
): z.infer<typeof StatsSchema> {
  return {
    total: stats.total,
    by_status: { ...stats.byStatus },
    by_type: { ...stats.byType },
    scheduled: stats.scheduled,
    waiting_for_parents: stats.waitingForParents,
    oldest_due_at: instant(stats.oldestDueAt),
    storage: storage && storageJson(storage),
  };
}

function storageJson(storage: StorageStats): z.infer<typeof StorageSchema> {
  return {
    location: storage.location,
    sequence: storage.sequence,
    journal_bytes: storage.journalBytes,
    snapshot_bytes: storage.snapshotBytes,
    memory_used_bytes: storage.memoryUsedBytes,
    memory_max_bytes: storage.memoryMaxBytes,
    torn_tails: storage.tornTails,
    commits: storage.commits,
    syncs: storage.syncs,
  };
}

type DurationTotalsJson = z.infer<typeof MetricsSchema>["totals"][string]["wait_ms"];

/** How the queue goes. */
export function metricsJson(metrics: QueueMetrics): z.infer<typeof MetricsSchema> {
  const { windowMs, isTruncated, throughputPerSecond, successRate, failureRate, ...window } =
    metrics.window;
  const { retryRate, waitMs, runMs, ...counts } = window;
  return {
    at: metrics.at.toISOString(),
    by_status: { ...metrics.byStatus },
    by_type: { ...metrics.byType },
    scheduled: metrics.scheduled,
    waiting_for_parents: metrics.waitingForParents,
    due: metrics.due,
    due_split: {
      claimable: metrics.dueSplit.claimable,
      paused: metrics.dueSplit.paused,
      at_concurrency: metrics.dueSplit.atConcurrency,
      at_rate: metrics.dueSplit.atRate,
    },
    limits: metrics.limits.map((limit) => ({
      type: limit.scope.type ?? null,
      group: limit.scope.group ?? null,
      concurrency: limit.concurrency,
      rate: rateJson(limit.rate),
      next_start_at: instant(limit.nextStartAt),
      is_paused: limit.isPaused,
      held: limit.held,
      blocked: limit.blocked,
    })),
    oldest_due_age_ms: metrics.oldestDueAgeMs,
    window: {
      ...counts,
      window_ms: windowMs,
      is_truncated: isTruncated,
      throughput_per_second: throughputPerSecond,
      success_rate: successRate,
      failure_rate: failureRate,
      retry_rate: retryRate,
      wait_ms: { ...waitMs },
      run_ms: { ...runMs },
    },
    totals: Object.fromEntries(
      Object.entries(metrics.totals).map(([type, { transitions, waitMs, runMs }]) => [type, {
        transitions: { ...transitions },
        wait_ms: durationTotalsJson(waitMs),
        run_ms: durationTotalsJson(runMs),
      }]),
    ),
    workers: { ...metrics.workers },
  };
}

function durationTotalsJson({ count, sumMs, buckets }: DurationTotals): DurationTotalsJson {
  return {
    count,
    sum_ms: sumMs,
    buckets: buckets.map(({ leMs, count }) => ({ le_ms: leMs, count })),
  };
}
