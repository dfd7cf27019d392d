/**
 * Figures: what was measured, and the few statistics that a table shows of it.
 */

/** What an acknowledged operation survives. */
export type Survives = "power cut" | "killed process" | "nothing" | "–";

/** One row: a contender at a piece of work. */
export interface Figure {
  /** What `--only` selects. */
  readonly group: string;
  /** What was done. */
  readonly work: string;
  readonly contender: string;
  readonly survives: Survives;
  /** Tasks per second, of each round. */
  readonly perSecond?: readonly number[];
  /** How long one awaited call took, over all rounds. */
  readonly latencyMs?: Percentiles;
  /** fsyncs per task; `null` where they cannot be counted. */
  readonly syncsPerTask?: number | null;
  /** CPU time per task, in microseconds, of all processes that do the work, of each round. */
  readonly cpuUsPerTask?: readonly number[];
  /** Something else than tasks per second, of each round. */
  readonly samples?: readonly number[];
  /** Of the samples. */
  readonly unit?: string;
}

/** How a set of durations is spread. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** How many there were. */
  readonly count: number;
}

/** The middle value. @throws RangeError when there is none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot take the median of no values");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The percentiles of some values, by nearest rank. @throws RangeError when there is none. */
export function percentiles(values: readonly number[]): Percentiles {
  if (values.length === 0) throw new RangeError("Cannot take percentiles of no values");
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1)!, count: sorted.length };
}

/** Who the others are compared with. */
export const YARDSTICK = "plain table in node:sqlite, FULL";

/** With as many digits as mean something. */
export function number(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  if (Math.abs(value) >= 10) return value.toFixed(1);
  return value.toFixed(Math.abs(value) >= 1 ? 2 : 3);
}
