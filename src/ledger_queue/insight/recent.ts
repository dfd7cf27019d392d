/**
 * The latest transitions, in this process's memory: each is read from the log once, so measuring a window reads only what has
 * happened since the last look.
 *
 * Ids of the log grow with time. What one look has yet to read it reads in steps, between which other work goes on, and a long window is
 * added up in steps, too. What is deleted
 * from the log is dropped here as well, so every process and every engine measures the same.
 */
import type { LedgerChanges } from "../../ledger/change_feed.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { DurationSummary, WindowMetrics } from "../../queue/metrics.ts";
import { TRANSITION_KINDS } from "../../queue/task_transition.ts";
import { METRICS_LIMITS, noTransitions, ratesOf, summarize } from "../../queue_policy/rates.ts";
import { LOG_TABLE } from "../rows/schema.ts";
import { TransitionColumns } from "./transition_columns.ts";

/** The place of a kind in `TRANSITION_KINDS`: a number, for a text for each of many rows is dear. */
const KIND = `CASE message ${
  TRANSITION_KINDS.map((kind, place) => `WHEN '${kind}' THEN ${place}`).join(" ")
} END`;

/** The statements; a test reads their plans. */
export const RECENT_SQL = {
  before:
    "SELECT log_id, at_utc FROM task_logs WHERE log_id <= ? ORDER BY log_id DESC LIMIT 1 OFFSET ?",
  after: `SELECT log_id, at_utc, ${KIND}, duration_ms FROM task_logs
    WHERE log_id > ? ORDER BY log_id LIMIT ?`,
} as const;

/** How many are passed over in one step on the way to where it begins. */
const BACK_STEP = 10_000;

/** How many are read in one step. Who reads more than a quarter of it lets other work go on before the answer. */
const STEP = 1000;

/** How many are added up in one step: some milliseconds. */
const SUM_STEP = 10_000;

/** The latest transitions of one queue. */
export class RecentTransitions {
  readonly #max: number;
  readonly #sumStep: number;
  /** In the order of the log, from `#first` on. Grows at its end; for any other change a new one takes its place. */
  #seen = new TransitionColumns();
  #first = 0;
  /** The last that was read; at first that behind which it begins, as far as it has been looked for. */
  #lastId = Number.MAX_SAFE_INTEGER;
  /** How many are yet to be passed over until there. */
  #backLeft: number;
  /** The latest instant of those that are left out because there are too many. */
  #leftOutAtMs = -Infinity;

  /** @param max How many are kept. @param sumStep How many are added up in one step. */
  constructor(max: number = METRICS_LIMITS.transitionsMax, sumStep: number = SUM_STEP) {
    this.#max = max;
    this.#sumStep = sumStep;
    this.#backLeft = max;
  }

  /** Begins again: the log may be another one. */
  forget(): void {
    this.#seen = new TransitionColumns();
    this.#first = 0;
    this.#lastId = Number.MAX_SAFE_INTEGER;
    this.#backLeft = this.#max;
    this.#leftOutAtMs = -Infinity;
  }

  /** Reads the next step; whether there may be more to read. */
  follow(reader: Reader): boolean {
    if (this.#backLeft > 0) this.#goBack(reader);
    if (this.#backLeft > 0) return true;
    const rows = reader.read(RECENT_SQL.after, [this.#lastId, STEP]);
    for (const [id, atMs, kind, durationMs] of rows) {
      this.#lastId = Number(id);
      this.#seen.push({
        id: this.#lastId,
        atMs: Number(atMs),
        kind: Number(kind),
        durationMs: durationMs as number | null,
      });
    }
    this.#leaveOut();
    return rows.length > STEP / 4;
  }

  /** The queue has changed: what is deleted from the log is dropped; the log may be another one. */
  heed(changes: LedgerChanges): void {
    if (changes === "reset") return this.forget();
    const deleted = changes.flatMap((change) =>
      change.table === LOG_TABLE && change.row === null ? [Number(change.key[0])] : []
    );
    if (deleted.length > 0) this.#drop(new Set(deleted));
  }

  #drop(ids: ReadonlySet<number>): void {
    const firstId = this.#seen.idAt(this.#first) ?? Infinity;
    if (![...ids].some((id) => id >= firstId)) return;
    this.#seen = this.#seen.from(this.#first, ids);
    this.#first = 0;
  }

  /** What happened since `windowMs` ago, as it is known now; what is read or dropped later has no influence. */
  sumOf(windowMs: number, nowMs: number): WindowSum {
    const part = {
      seen: this.#seen,
      first: this.#first,
      leftOutAtMs: this.#leftOutAtMs,
      step: this.#sumStep,
    };
    return new WindowSum(part, windowMs, nowMs);
  }

  /** Looks on for the id behind which it begins. */
  #goBack(reader: Reader): void {
    const count = Math.min(this.#backLeft, BACK_STEP);
    const [found] = reader.read(RECENT_SQL.before, [this.#lastId, count]);
    this.#lastId = Number(found?.[0] ?? 0);
    this.#backLeft = found === undefined ? 0 : this.#backLeft - count;
    if (found !== undefined && this.#backLeft === 0) this.#leftOutAtMs = Number(found[1]);
  }

  /** Those that are too many go; the list is cut only when half of it is of no use. */
  #leaveOut(): void {
    const seen = this.#seen;
    for (; seen.length - this.#first > this.#max; this.#first++) {
      this.#leftOutAtMs = Math.max(this.#leftOutAtMs, seen.atMs(this.#first));
    }
    if (this.#first <= this.#max) return;
    this.#seen = seen.from(this.#first);
    this.#first = 0;
  }
}

/** The transitions that a sum is made of. */
interface SeenPart {
  readonly seen: TransitionColumns;
  readonly first: number;
  readonly leftOutAtMs: number;
  readonly step: number;
}

/** A window of transitions, added up in steps. */
export class WindowSum {
  readonly #part: SeenPart;
  readonly #windowMs: number;
  readonly #nowMs: number;
  readonly #end: number;
  #place: number;
  readonly #counts = noTransitions();
  readonly #waits: number[] = [];
  readonly #runs: number[] = [];
  #firstAtMs: number;
  #waitMs: DurationSummary | undefined;

  /** Use `RecentTransitions.sumOf`. */
  constructor(part: SeenPart, windowMs: number, nowMs: number) {
    this.#part = part;
    this.#windowMs = windowMs;
    this.#nowMs = nowMs;
    this.#end = part.seen.length;
    this.#place = part.first;
    this.#firstAtMs = nowMs;
  }

  /** Does the next step; the sum, if that was the last one. */
  next(): WindowMetrics | undefined {
    const begin = this.#place;
    this.#place = Math.min(this.#end, begin + this.#part.step);
    for (let place = begin; place < this.#place; place++) this.#add(place);
    return this.#place - begin < this.#part.step ? this.#summary() : undefined;
  }

  #add(place: number): void {
    const { seen } = this.#part;
    const atMs = seen.atMs(place);
    if (atMs < this.#nowMs - this.#windowMs) return;
    this.#firstAtMs = Math.min(this.#firstAtMs, atMs);
    const kind = seen.kindAt(place);
    this.#counts[kind]++;
    const durationMs = seen.durationAt(place);
    if (!Number.isNaN(durationMs)) (kind === "leased" ? this.#waits : this.#runs).push(durationMs);
  }

  /** Many durations are put in order in steps of their own. */
  #summary(): WindowMetrics | undefined {
    if (this.#waitMs === undefined) {
      this.#waitMs = summarize(this.#waits);
      if (this.#waits.length > this.#part.step) return undefined;
    }
    const isTruncated = this.#part.leftOutAtMs >= this.#nowMs - this.#windowMs;
    const lengthMs = isTruncated ? Math.max(1, this.#nowMs - this.#firstAtMs) : this.#windowMs;
    return {
      ...ratesOf(this.#counts, lengthMs),
      isTruncated,
      waitMs: this.#waitMs,
      runMs: summarize(this.#runs),
    };
  }
}
