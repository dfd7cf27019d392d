/**
 * How a server answers what the queue's numbers are.
 */
import type {
  DurationSummary,
  DurationTotals,
  LimitMetrics,
  QueueMetrics,
  TypeTotals,
  WindowMetrics,
} from "../queue/metrics.ts";
import { TRANSITION_KINDS } from "../queue/task_transition.ts";
import {
  type Decode,
  type Fields,
  flag,
  instant,
  list,
  nullable,
  number,
  object,
  record,
} from "./answer.ts";
import { counts } from "./answers.ts";
import { rate, withScope } from "./limit_answers.ts";

const durations: Decode<DurationSummary> = object<DurationSummary>({
  count: number,
  p50: nullable(number),
  p95: nullable(number),
  p99: nullable(number),
  max: nullable(number),
});

const durationTotals: Decode<DurationTotals> = object<DurationTotals>({
  count: number,
  sumMs: number,
  buckets: list(object<DurationTotals["buckets"][number]>({ leMs: number, count: number })),
});

const kindFields = Object.fromEntries(TRANSITION_KINDS.map((kind) => [kind, number])) as Fields<
  TypeTotals["transitions"]
>;

/** How the queue goes. */
export const metrics: Decode<QueueMetrics> = object<QueueMetrics>({
  at: instant,
  byStatus: counts,
  byType: record(counts),
  scheduled: number,
  waitingForParents: number,
  due: number,
  dueSplit: object<QueueMetrics["dueSplit"]>({
    claimable: number,
    paused: number,
    atConcurrency: number,
    atRate: number,
  }),
  limits: list(withScope<LimitMetrics>(object<Omit<LimitMetrics, "scope">>({
    concurrency: nullable(number),
    rate: nullable(rate),
    nextStartAt: nullable(instant),
    isPaused: flag,
    held: number,
    blocked: number,
  }))),
  oldestDueAgeMs: nullable(number),
  window: object<WindowMetrics>({
    windowMs: number,
    isTruncated: flag,
    enqueued: number,
    imported: number,
    leased: number,
    completed: number,
    failed: number,
    retried: number,
    rescued: number,
    released: number,
    cancelled: number,
    requeued: number,
    expired: number,
    throughputPerSecond: number,
    successRate: nullable(number),
    failureRate: nullable(number),
    retryRate: nullable(number),
    waitMs: durations,
    runMs: durations,
  }),
  totals: record(object<TypeTotals>({
    transitions: object<TypeTotals["transitions"]>(kindFields),
    waitMs: durationTotals,
    runMs: durationTotals,
  })),
  workers: object<QueueMetrics["workers"]>({ active: number, limbo: number, stale: number }),
});
