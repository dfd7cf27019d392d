/**
 * How the queue went over the last hour and day: its metrics by intervals, for charts.
 *
 * Each interval is measured once. The first look measures the hour before it in a few steps; each later one what has happened
 * since, a minute at least. So nothing runs while nobody looks, and no interval is missing.
 */
import type { Clock, QueueMetrics, TaskQueue, WindowMetrics } from "../src/core.ts";

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

/** The steps of the first look, in minutes ago; the hour is the last one. */
const FIRST_STEPS = [5, 20] as const;

/** Intervals of a minute in a day. */
const INTERVALS_MAX = 24 * 60;

/** The longest interval that `metrics` measures. */
const WINDOW_MAX_MS = 7 * 24 * 60 * MINUTE_MS;

/** The intervals of one queue. */
export class Series {
  readonly #queue: TaskQueue;
  readonly #clock: Clock;
  readonly #intervals: Interval[] = [];
  /** Until when everything is measured. */
  #untilMs: number | undefined;
  #measuring: Promise<void> | undefined;

  constructor(queue: TaskQueue, clock: Clock) {
    this.#queue = queue;
    this.#clock = clock;
  }

  /** The intervals that end within the last `spanMs`, in order. `hour` are the metrics of the last hour, as of now. */
  async read(spanMs: number, hour: Promise<QueueMetrics>): Promise<readonly Interval[]> {
    this.#measuring ??= this.#measure(hour).finally(() => this.#measuring = undefined);
    await this.#measuring;
    const sinceMs = this.#clock.nowMs() - spanMs;
    return this.#intervals.filter(({ toMs }) => toMs > sinceMs);
  }

  async #measure(hour: Promise<QueueMetrics>): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (this.#untilMs === undefined) {
      this.#intervals.push(...await this.#firstIntervals(nowMs, hour));
    } else if (nowMs - this.#untilMs < MINUTE_MS) return;
    else this.#intervals.push(await this.#interval(this.#untilMs, nowMs));
    this.#untilMs = nowMs;
    if (this.#intervals.length > INTERVALS_MAX) this.#intervals.shift();
  }

  /** Of one in which too much happened, the end is measured. */
  async #interval(fromMs: number, toMs: number): Promise<Interval> {
    const windowMs = Math.min(toMs - fromMs, WINDOW_MAX_MS);
    const { window } = await this.#queue.metrics({ windowMs });
    return intervalOf(window, toMs - Math.min(window.windowMs, windowMs), toMs);
  }

  /** By the differences between windows that end now, the latest first; one that is cut ends the search. */
  async #firstIntervals(nowMs: number, hour: Promise<QueueMetrics>): Promise<Interval[]> {
    const steps = await Promise.all([
      ...FIRST_STEPS.map((minutes) => this.#queue.metrics({ windowMs: minutes * MINUTE_MS })),
      hour,
    ]);
    const found: Interval[] = [];
    let later: WindowMetrics | undefined;
    let toMs = nowMs;
    for (const { window } of steps) {
      if (window.isTruncated) break;
      const fromMs = nowMs - window.windowMs;
      found.unshift(
        later ? difference(window, later, { fromMs, toMs }) : intervalOf(window, fromMs, toMs),
      );
      [later, toMs] = [window, fromMs];
    }
    return found;
  }
}

/** What happened in `window` before `later` began; how long it took is known of both together only. */
function difference(
  window: WindowMetrics,
  later: WindowMetrics,
  span: Pick<Interval, "fromMs" | "toMs">,
): Interval {
  const completed = Math.max(0, window.completed - later.completed);
  return { ...UNTIMED, ...span, completed, failed: Math.max(0, window.failed - later.failed) };
}

const UNTIMED = { waitP50: null, waitP95: null, runP50: null, runP95: null } as const;

function intervalOf(window: WindowMetrics, fromMs: number, toMs: number): Interval {
  const { completed, failed, waitMs, runMs } = window;
  return {
    ...{ fromMs, toMs, completed, failed },
    ...{ waitP50: waitMs.p50, waitP95: waitMs.p95, runP50: runMs.p50, runP95: runMs.p95 },
  };
}
