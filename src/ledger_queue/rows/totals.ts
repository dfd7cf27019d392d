/**
 * Totals of transitions: the log is counted into one row for each type, up to a row of the log that is noted; reading adds what comes
 * behind. So a transition costs nothing when it happens, and is counted once: here rows become visible in the order of their ids, and what
 * is about to be deleted is counted first, in the same transaction.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { TypeTotals } from "../../queue/metrics.ts";
import type { TransitionKind } from "../../queue/task_transition.ts";
import { TransitionTotals } from "../../queue_policy/transition_totals.ts";
import { TOTALS_TABLE } from "./schema.ts";

/** The type under which stands up to which row of the log is counted: no task has it. */
const UP_TO = "";

/** How many transitions one transaction counts, and one look reads: some milliseconds. */
export const COUNT_MAX = 2000;

/** So many transitions may wait to be counted. */
const COUNT_MIN = 1000;

/** The statements; a test reads their plans. */
export const TOTALS_SQL = {
  last: "SELECT max(log_id) FROM task_logs",
  after: `SELECT log_id, type, message, duration_ms FROM task_logs
    CROSS JOIN task_queue ON task_queue.id = task_id WHERE log_id > ? ORDER BY log_id LIMIT ?`,
  ofType: "SELECT * FROM transition_totals WHERE type = ?",
} as const;

/** The totals as they are now, added up in slices, so that other work goes on in between. */
export class TotalsSum {
  #totals = new TransitionTotals([]);
  #upTo = -1;

  /** Reads the next slice; whether nothing, or little, was left to read. What was stored meanwhile takes the place of what was read. */
  follow(reader: Reader): boolean {
    const storedUpTo = countedUpTo(reader);
    if (storedUpTo > this.#upTo) {
      this.#totals = storedIn(reader);
      this.#upTo = storedUpTo;
    }
    const rows = reader.read(TOTALS_SQL.after, [this.#upTo, COUNT_MAX]);
    addAll(this.#totals, rows);
    this.#upTo = Number(rows.at(-1)?.[0] ?? this.#upTo);
    return rows.length < COUNT_MAX / 4;
  }

  /** The totals of each type. */
  values(): Record<string, TypeTotals> {
    return this.#totals.values();
  }
}

/** Whether enough has happened that it is worth counting. */
export function isCountDue(reader: Reader): boolean {
  const lastId = Number(reader.read(TOTALS_SQL.last)[0]![0] ?? 0);
  return lastId - countedUpTo(reader) >= COUNT_MIN;
}

/** Counts the next transitions, `limit` at most; how many. */
export function countTransitions(tx: Transaction, limit: number = COUNT_MAX): number {
  const rows = tx.read(TOTALS_SQL.after, [countedUpTo(tx), limit]);
  if (rows.length === 0) return 0;
  const totals = storedIn(tx);
  addAll(totals, rows);
  for (const [type, text] of totals.texts()) store(tx, type, text);
  store(tx, UP_TO, String(rows.at(-1)![0]));
  return rows.length;
}

/**
 * Counts everything if one of these rows of the log has yet to be counted: they are about to go. Who deletes counts in slices
 * before (`Duties.count`), so that not much is left here.
 */
export function countBeforeRemoval(tx: Transaction, keys: readonly SqlRow[]): void {
  const upTo = countedUpTo(tx);
  if (keys.some(([logId]) => Number(logId) > upTo)) countTransitions(tx, -1);
}

/** The last row of the log that is in the stored totals. */
function countedUpTo(reader: Reader): number {
  return reader.remember(TOTALS_TABLE, readCountedUpTo);
}

function readCountedUpTo(reader: Reader): number {
  return Number(reader.read(TOTALS_SQL.ofType, [UP_TO])[0]?.[1] ?? 0);
}

function store(tx: Transaction, type: string, totals: string): void {
  const [known] = tx.read(TOTALS_SQL.ofType, [type]);
  if (known === undefined) tx.insert(TOTALS_TABLE, { type, totals });
  else tx.update(TOTALS_TABLE, known, { totals });
}

function storedIn(reader: Reader): TransitionTotals {
  const rows = reader.read(`SELECT * FROM transition_totals WHERE type <> '${UP_TO}'`);
  return new TransitionTotals(rows.map(([type, text]) => [String(type), String(text)]));
}

function addAll(totals: TransitionTotals, rows: readonly SqlRow[]): void {
  for (const [, type, kind, durationMs] of rows) {
    totals.add({
      type: String(type),
      kind: kind as TransitionKind,
      durationMs: durationMs as number | null,
    });
  }
}
