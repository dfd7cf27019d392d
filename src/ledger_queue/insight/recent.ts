/**
 * The latest transitions, in this process's memory: each is read from the log once, so measuring a window reads only what has
 * happened since the last look.
 *
 * Ids of the log grow with time. What one look has yet to read it reads in steps, between which other work goes on. What is pruned
 * meanwhile stays known here until the process ends.
 */
import type { Reader } from "../../ledger/replica.ts";
import type { WindowMetrics } from "../../queue/metrics.ts";
import type { TransitionKind } from "../../queue/task_transition.ts";
import { METRICS_LIMITS, noTransitions, ratesOf, summarize } from "../../queue_policy/rates.ts";

/** The statements; a test reads their plans. */
export const RECENT_SQL = {
  lastId: "SELECT max(log_id) FROM task_logs",
  before: "SELECT at_utc FROM task_logs WHERE log_id <= ? ORDER BY log_id DESC LIMIT 1",
  after: `SELECT log_id, at_utc, message, duration_ms FROM task_logs
    WHERE log_id > ? ORDER BY log_id LIMIT ?`,
} as const;

/** How many are read in one step. */
const STEP = 2000;

interface Seen {
  readonly atMs: number;
  readonly kind: TransitionKind;
  readonly durationMs: number | null;
}

/** The latest transitions of one queue. */
export class RecentTransitions {
  readonly #max: number;
  /** In the order of the log, from `#first` on. */
  #seen: Seen[] = [];
  #first = 0;
  #lastId: number | undefined;
  /** The latest instant of those that are left out because there are too many. */
  #leftOutAtMs = -Infinity;

  /** @param max How many are kept. */
  constructor(max: number = METRICS_LIMITS.transitionsMax) {
    this.#max = max;
  }

  /** Begins again: the log may be another one. */
  forget(): void {
    this.#seen = [];
    this.#first = 0;
    this.#lastId = undefined;
    this.#leftOutAtMs = -Infinity;
  }

  /** Reads the next step; whether there may be more to read. */
  follow(reader: Reader): boolean {
    this.#lastId ??= this.#begin(reader);
    const rows = reader.read(RECENT_SQL.after, [this.#lastId, STEP]);
    for (const [id, atMs, kind, durationMs] of rows) {
      this.#lastId = Number(id);
      this.#seen.push({
        atMs: Number(atMs),
        kind: kind as TransitionKind,
        durationMs: durationMs as number | null,
      });
    }
    this.#leaveOut();
    return rows.length === STEP;
  }

  /** What happened since `windowMs` ago. */
  measure(windowMs: number, nowMs: number): WindowMetrics {
    const sinceMs = nowMs - windowMs;
    const counts = noTransitions();
    const waits: number[] = [];
    const runs: number[] = [];
    let firstAtMs = nowMs;
    for (let i = this.#first; i < this.#seen.length; i++) {
      const { atMs, kind, durationMs } = this.#seen[i]!;
      if (atMs < sinceMs) continue;
      firstAtMs = Math.min(firstAtMs, atMs);
      counts[kind]++;
      if (durationMs !== null) (kind === "leased" ? waits : runs).push(durationMs);
    }
    const isTruncated = this.#leftOutAtMs >= sinceMs;
    return {
      ...ratesOf(counts, isTruncated ? Math.max(1, nowMs - firstAtMs) : windowMs),
      isTruncated,
      waitMs: summarize(waits),
      runMs: summarize(runs),
    };
  }

  /** The id behind which it begins. */
  #begin(reader: Reader): number {
    const lastId = Number(reader.read(RECENT_SQL.lastId)[0]![0] ?? 0);
    const beginId = Math.max(0, lastId - this.#max);
    const [before] = reader.read(RECENT_SQL.before, [beginId]);
    if (before !== undefined) this.#leftOutAtMs = Number(before[0]);
    return beginId;
  }

  /** Those that are too many go; the list is cut only when half of it is of no use. */
  #leaveOut(): void {
    const seen = this.#seen;
    for (; seen.length - this.#first > this.#max; this.#first++) {
      this.#leftOutAtMs = Math.max(this.#leftOutAtMs, seen[this.#first]!.atMs);
    }
    if (this.#first <= this.#max) return;
    this.#seen = seen.slice(this.#first);
    this.#first = 0;
  }
}
