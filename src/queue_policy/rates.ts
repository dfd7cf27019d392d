/**
 * Rates and percentiles of a window of transitions.
 */
import { checkInteger } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import type { DurationSummary, MetricsRequest, WindowMetrics } from "../queue/metrics.ts";
import type { TransitionKind } from "../queue/task_transition.ts";

/** The window's default length, and its bounds. */
export const METRICS_LIMITS: {
  readonly windowDefaultMs: number;
  readonly windowMinMs: number;
  readonly windowMaxMs: number;
  readonly transitionsMax: number;
} = Object.freeze({
  windowDefaultMs: 3_600_000,
  windowMinMs: 1000,
  windowMaxMs: 7 * 24 * 3_600_000,
  /** How many transitions are looked at; of more, the latest. */
  transitionsMax: 100_000,
});

const METRICS_OPTIONS = optionNames<MetricsRequest>({ windowMs: true });

/** The window asked for, in milliseconds. @throws TypeError, RangeError */
export function checkWindow(request: MetricsRequest): number {
  checkOptions(request, METRICS_OPTIONS, "metrics");
  const { windowDefaultMs, windowMinMs, windowMaxMs } = METRICS_LIMITS;
  return checkInteger(request.windowMs ?? windowDefaultMs, "windowMs", windowMinMs, windowMaxMs);
}

/** The distribution of durations; percentiles by nearest rank: the smallest value that p % of all do not exceed. */
export function summarize(durationsMs: readonly number[]): DurationSummary {
  const sorted = Float64Array.from(durationsMs).sort();
  const rank = (percent: number): number | null =>
    sorted[Math.ceil(sorted.length * percent / 100) - 1] ?? null;
  return {
    count: sorted.length,
    p50: rank(50),
    p95: rank(95),
    p99: rank(99),
    max: rank(100),
  };
}

/** Counts of transitions with the rates that follow. */
export function ratesOf(
  counts: Record<TransitionKind, number>,
  windowMs: number,
): Omit<WindowMetrics, "isTruncated" | "waitMs" | "runMs"> {
  const { completed, failed, retried, rescued } = counts;
  const finished = completed + failed;
  return {
    windowMs,
    ...counts,
    throughputPerSecond: finished / windowMs * 1000,
    successRate: share(completed, finished),
    failureRate: share(failed, finished),
    retryRate: share(retried + rescued, finished + retried + rescued),
  };
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

/** A count of 0 for each kind. */
export function noTransitions(): Record<TransitionKind, number> {
  return {
    enqueued: 0,
    imported: 0,
    leased: 0,
    completed: 0,
    retried: 0,
    failed: 0,
    released: 0,
    rescued: 0,
    cancelled: 0,
    requeued: 0,
    expired: 0,
    edited: 0,
  };
}
