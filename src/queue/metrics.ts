/**
 * Metrics: what a queue counts and measures.
 */
import type { TaskStatus } from "../domain/task.ts";
import type { LimitScope, RateLimit } from "./limits.ts";
import type { TransitionKind } from "./task_transition.ts";
import type { WorkerState } from "./workers.ts";

/** The window to measure. */
export interface MetricsRequest {
  /** How far to look back, in milliseconds, 1,000 to 7 days; default one hour. */
  readonly windowMs?: number;
}

/** How some durations are distributed, in milliseconds; `null` where there is none. Percentiles by nearest rank. */
export interface DurationSummary {
  /** How many there are. */
  readonly count: number;
  /** Half of them are no longer. */
  readonly p50: number | null;
  /** 95 of 100 are no longer. */
  readonly p95: number | null;
  /** 99 of 100 are no longer. */
  readonly p99: number | null;
  /** The longest. */
  readonly max: number | null;
}

/** The transitions within the window. */
export interface WindowMetrics {
  /** The window's length, in milliseconds; less than asked for when `isTruncated`. */
  readonly windowMs: number;
  /** Whether more than 100,000 transitions happened, of which the latest were counted. */
  readonly isTruncated: boolean;
  /** Transitions of each kind. */
  readonly enqueued: number;
  /** Tasks that came from another queue. */
  readonly imported: number;
  /** Leases given. */
  readonly leased: number;
  /** Tasks completed. */
  readonly completed: number;
  /** Tasks failed for good. */
  readonly failed: number;
  /** Attempts that failed and will be followed by another. */
  readonly retried: number;
  /** Tasks taken from silent workers. */
  readonly rescued: number;
  /** Tasks given back. */
  readonly released: number;
  /** Tasks cancelled. */
  readonly cancelled: number;
  /** Tasks queued again by hand. */
  readonly requeued: number;
  /** Tasks cancelled by themselves because they had not started in time. */
  readonly expired: number;
  /** Tasks finished (completed or failed) a second. */
  readonly throughputPerSecond: number;
  /** Completed / (completed + failed); `null` when nothing finished. */
  readonly successRate: number | null;
  /** Failed / (completed + failed); `null` when nothing finished. */
  readonly failureRate: number | null;
  /** Attempts that another had to follow (retried, rescued) / all attempts that ended; `null` when none did. */
  readonly retryRate: number | null;
  /** From when a task was due until it was leased. */
  readonly waitMs: DurationSummary;
  /** From when an attempt began until it ended in any way. */
  readonly runMs: DurationSummary;
}

/** Due tasks, by what may hold them back. */
export interface DueSplit {
  /** Those that a worker may take. */
  readonly claimable: number;
  /** Those whose type, or the whole queue, is paused. */
  readonly paused: number;
  /** Those behind a limit whose slots are all held. */
  readonly atConcurrency: number;
  /** Those of which a rate lets none start now. */
  readonly atRate: number;
}

/** A scope with a limit or a pause in numbers. */
export interface LimitMetrics {
  /** What it is for. */
  readonly scope: LimitScope;
  /** How many tasks may run; `null` without a limit. */
  readonly concurrency: number | null;
  /** How often they may start; `null` without a limit. */
  readonly rate: Required<RateLimit> | null;
  /** When the next may start by the rate; `null` when one may at once, without a rate, and for each group (`*`). */
  readonly nextStartAt: Date | null;
  /** Whether it is paused. */
  readonly isPaused: boolean;
  /** How many slots are held. */
  readonly held: number;
  /** How many due tasks it holds back. */
  readonly blocked: number;
}

/** How long something took, counted in classes. */
export interface DurationTotals {
  /** How many were measured. */
  readonly count: number;
  /** Their sum, in milliseconds. */
  readonly sumMs: number;
  /** How many took at most `leMs`, by rising bounds: 10 ms to 1 h. */
  readonly buckets: readonly { readonly leMs: number; readonly count: number }[];
}

/** What happened to the tasks of a type since the queue began to count; it only grows. */
export interface TypeTotals {
  /** How often each kind of transition happened. */
  readonly transitions: Readonly<Record<TransitionKind, number>>;
  /** From when a task was due until it was leased. */
  readonly waitMs: DurationTotals;
  /** From when an attempt began until it ended in any way. */
  readonly runMs: DurationTotals;
}

/** The queue's metrics. */
export interface QueueMetrics {
  /** When this was measured. */
  readonly at: Date;
  /** How many tasks have each status. */
  readonly byStatus: Readonly<Record<TaskStatus, number>>;
  /** The same for each type. */
  readonly byType: Readonly<Record<string, Readonly<Record<TaskStatus, number>>>>;
  /** Queued tasks whose time has not come, and that wait for no parents. */
  readonly scheduled: number;
  /** Queued tasks that wait for their parents. */
  readonly waitingForParents: number;
  /** Queued tasks that could run. */
  readonly due: number;
  /** The same by what holds them back. */
  readonly dueSplit: DueSplit;
  /** Every scope with a limit or a pause. */
  readonly limits: readonly LimitMetrics[];
  /** How long the oldest of them has been due, in milliseconds. */
  readonly oldestDueAgeMs: number | null;
  /** The latest window. */
  readonly window: WindowMetrics;
  /**
   * What happened since the queue began to count, by type, also to tasks that are gone: it never falls, whoever asks. The first 199 types
   * have totals of their own, later ones share those of `other`.
   */
  readonly totals: Readonly<Record<string, TypeTotals>>;
  /** How many workers are in each state. */
  readonly workers: Readonly<Record<WorkerState, number>>;
}
