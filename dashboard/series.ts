/**
 * How the queue went over the last hour and day: its metrics by intervals, for charts.
 *
 * Each interval is measured once. The first look measures the hour before it in a few steps; each later one what has happened
 * since, a minute at least. So nothing runs while nobody looks, and no interval is missing.
 */
import type { Clock, TaskQueue, WindowMetrics } from "../src/mod.ts";

/** What happened in an interval. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
  readonly completed: number;
  readonly failed: number;
  /** Median and 95th percentile of waiting and running, in milliseconds; `null` where nothing ended or it is not known. */
  readonly waitP50: number | null;
  readonly waitP95: number | null;
  readonly runP50: number | null;
  readonly runP95: number | null;
}

const MINUTE_MS = 60_000;

/** The steps of the first look, in minutes ago. */
const FIRST_STEPS = [60, 40, 20, 10, 5, 2, 0] as const;

/** Intervals of a minute in a day. */
const INTERVALS_MAX = 24 * 60;

/** The longest interval that `metrics` measures. */
const WINDOW_MAX_MS = 7 * 24 * 60 * MINUTE_MS;

/** The intervals of one queue. */
export class Series {
  readonly #queue: TaskQueue;
  readonly #clock: Clock;
  readonly #intervals: Interval[] = [];
  #measuring: Promise<void> | undefined;

  constructor(queue: TaskQueue, clock: Clock) {
    this.#queue = queue;
    this.#clock = clock;
  }

  /** The intervals that end within the last `spanMs`, in order. */
  async read(spanMs: number): Promise<readonly Interval[]> {
    this.#measuring ??= this.#measure().finally(() => this.#measuring = undefined);
    await this.#measuring;
    const sinceMs = this.#clock.nowMs() - spanMs;
    return this.#intervals.filter(({ toMs }) => toMs > sinceMs);
  }

  async #measure(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const last = this.#intervals.at(-1);
    if (last === undefined) {
      this.#intervals.push(...await this.#firstIntervals(nowMs));
    } else if (nowMs - last.toMs >= MINUTE_MS) {
      const windowMs = Math.min(nowMs - last.toMs, WINDOW_MAX_MS);
      const { window } = await this.#queue.metrics({ windowMs });
      this.#intervals.push(intervalOf(window, nowMs - windowMs, nowMs));
      if (this.#intervals.length > INTERVALS_MAX) this.#intervals.shift();
    }
  }

  /** By the differences between windows that end now; a window that is cut is left out. */
  async #firstIntervals(nowMs: number): Promise<Interval[]> {
    const windows: (WindowMetrics | undefined)[] = [];
    for (const minutes of FIRST_STEPS) {
      if (minutes === 0) break;
      const { window } = await this.#queue.metrics({ windowMs: minutes * MINUTE_MS });
      windows.push(window.isTruncated ? undefined : window);
    }
    return windows.flatMap((window, index) => {
      if (window === undefined) return [];
      const next = windows[index + 1];
      const fromMs = nowMs - FIRST_STEPS[index]! * MINUTE_MS;
      const toMs = nowMs - FIRST_STEPS[index + 1]! * MINUTE_MS;
      if (next === undefined) return [intervalOf(window, fromMs, nowMs)];
      const completed = Math.max(0, window.completed - next.completed);
      const failed = Math.max(0, window.failed - next.failed);
      return [{ ...UNTIMED, fromMs, toMs, completed, failed }];
    });
  }
}

const UNTIMED = { waitP50: null, waitP95: null, runP50: null, runP95: null } as const;

function intervalOf(window: WindowMetrics, fromMs: number, toMs: number): Interval {
  const { completed, failed, waitMs, runMs } = window;
  return {
    ...{ fromMs, toMs, completed, failed },
    ...{ waitP50: waitMs.p50, waitP95: waitMs.p95, runP50: runMs.p50, runP95: runMs.p95 },
  };
}
