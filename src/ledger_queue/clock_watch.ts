/**
 * Mends what a clock left that was far ahead and has been put back: leases, schedules and retries that would wait until
 * that time comes again.
 *
 * A lease is ended only after this process has waited for as long as was left of it when it was last changed, and it has
 * not been changed meanwhile: a holder that lives renews it by the new clock, so none is robbed. Waiting is counted by
 * looks, each for no more than the time between two, so that a clock put forward ends no lease early.
 */
import type { Reader, Transaction } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import { CLOCK_TOLERANCE_MS } from "../queue_policy/clock_put_back.ts";
import type { OperationContext } from "./rows/context.ts";
import { RecordBudget } from "./rows/record_budget.ts";
import { rescueAll } from "./tasks/rescue.ts";
import { hasPutBackSchedule, replanPutBack } from "./schedules/plan_schedule.ts";
import { cell } from "./rows/cells.ts";
import { findRow, updateTask } from "./rows/task_row.ts";

/** The shortest interval between two looks, in milliseconds; each reads each schedule that has yet to come. */
const LOOK_EVERY_MS = 10_000;

/** How many leases are watched at most; the earliest to end first. */
const WATCH_MAX = 1000;

/** How many retries one transaction mends at most. */
const RETRY_MAX = 1000;

/** How many scheduled tasks one look goes through: some ten milliseconds on a slow machine. */
const SCAN_MAX = 2000;

/** The statements; a test reads their plans. */
export const CLOCK_SQL = {
  leases: `SELECT id, lease_token, lease_until_utc, updated_at_utc
    FROM task_queue INDEXED BY leased_tasks
    WHERE status = 'leased' AND lease_until_utc > +? AND updated_at_utc > +?
    ORDER BY lease_until_utc LIMIT +?`,
  retries: `SELECT * FROM task_queue INDEXED BY scheduled_tasks
    WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc > +?
      AND attempts > 0 AND updated_at_utc > +? ORDER BY run_after_utc LIMIT +?`,
  scheduled: `SELECT run_after_utc, id, attempts, updated_at_utc
    FROM task_queue INDEXED BY scheduled_tasks
    WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND (run_after_utc, id) > (+?, +?)
    ORDER BY run_after_utc, id LIMIT +?`,
} as const;

/** How far the scheduled tasks were gone through, by when they are due and their ids. */
interface ScanPlace {
  readonly runAfterMs: number;
  readonly id: number;
}

const SCAN_START: ScanPlace = Object.freeze({ runAfterMs: 0, id: 0 });

/** A lease as it was when it was first seen. */
interface WatchedLease {
  readonly id: number;
  readonly token: number;
  readonly untilMs: number;
  readonly updatedAtMs: number;
  /** For how long it has been seen unchanged. */
  readonly waitedMs: number;
}

/** What one process has seen of the clock. */
export class ClockWatch {
  #lookedAtMs: number | undefined;
  #leases: ReadonlyMap<number, WatchedLease> = new Map();
  /**
   * Looking for retries goes through every task that is scheduled, some at each look, so it is done only when the clock may have been
   * put back: until it has come to the end, where this is `undefined`.
   */
  #scan: ScanPlace | undefined = SCAN_START;
  #holdsRetries = false;

  /** Whether there is something to mend; looks at most every ten seconds, and at once when the clock goes back. */
  look(reader: Reader, nowMs: number): boolean {
    const sinceMs = nowMs - (this.#lookedAtMs ?? -Infinity);
    if (sinceMs >= 0 && sinceMs < LOOK_EVERY_MS) return false;
    const waitedMs = Math.min(Math.max(sinceMs, 0), LOOK_EVERY_MS);
    if (sinceMs < -CLOCK_TOLERANCE_MS) this.#scan = SCAN_START;
    this.#lookedAtMs = nowMs;
    this.#leases = watchedLeases(reader, { known: this.#leases, waitedMs, nowMs });
    this.#holdsRetries = this.#findsRetry(reader, nowMs);
    return this.#holdsRetries || this.#overdue().length > 0 || hasPutBackSchedule(reader, nowMs);
  }

  /** Mends as much as one transaction may; the rows of the tasks whose lease it ended. */
  mend(tx: Transaction, context: OperationContext): SqlRow[] {
    const rows = this.#overdue().flatMap((lease) => {
      const row = findRow(tx, lease.id);
      return row !== undefined && isUnchanged(lease, watchedLease(leaseOfRow(row))) ? [row] : [];
    });
    const budget = new RecordBudget(context.recordBudget);
    const rescued = rescueAll(tx, { rows, budget }, context);
    replanPutBack(tx, budget, context.nowMs);
    if (this.#holdsRetries) mendRetries(tx, budget, context.nowMs);
    return rescued;
  }

  /** Goes on through the scheduled tasks; stays where there is something to mend. */
  #findsRetry(reader: Reader, nowMs: number): boolean {
    if (this.#scan === undefined) return false;
    const { runAfterMs, id } = this.#scan;
    const aheadMs = nowMs + CLOCK_TOLERANCE_MS;
    const rows = reader.read(CLOCK_SQL.scheduled, [Math.max(runAfterMs, aheadMs), id, SCAN_MAX]);
    const isPutBack = ([, , attempts, updatedAtMs]: SqlRow): boolean =>
      Number(attempts) > 0 && Number(updatedAtMs) > aheadMs;
    if (rows.some(isPutBack)) return true;
    const last = rows.length < SCAN_MAX ? undefined : rows.at(-1)!;
    this.#scan = last && { runAfterMs: Number(last[0]), id: Number(last[1]) };
    return false;
  }

  #overdue(): WatchedLease[] {
    return [...this.#leases.values()].filter(({ untilMs, updatedAtMs, waitedMs }) =>
      waitedMs > untilMs - updatedAtMs
    );
  }
}

/** The leases of a clock that was ahead; one that has changed is waited for anew. */
function watchedLeases(
  reader: Reader,
  { known, waitedMs, nowMs }: {
    readonly known: ReadonlyMap<number, WatchedLease>;
    readonly waitedMs: number;
    readonly nowMs: number;
  },
): Map<number, WatchedLease> {
  const aheadMs = nowMs + CLOCK_TOLERANCE_MS;
  const seen = reader.read(CLOCK_SQL.leases, [aheadMs, aheadMs, WATCH_MAX]).map(watchedLease);
  return new Map(seen.map((lease) => {
    const before = known.get(lease.id);
    const isSame = before !== undefined && isUnchanged(before, lease);
    return [lease.id, isSame ? { ...before, waitedMs: before.waitedMs + waitedMs } : lease];
  }));
}

function watchedLease(row: SqlRow): WatchedLease {
  const [id, token, untilMs, updatedAtMs] = row.map(Number) as [number, number, number, number];
  return { id, token, untilMs, updatedAtMs, waitedMs: 0 };
}

/** The columns of `CLOCK_SQL.leases`; a task that is not leased has no end of a lease. */
function leaseOfRow(row: SqlRow): SqlRow {
  return [
    cell(row, "id"),
    cell(row, "lease_token"),
    cell(row, "lease_until_utc"),
    cell(row, "updated_at_utc"),
  ];
}

function isUnchanged(before: WatchedLease, now: WatchedLease): boolean {
  return before.token === now.token && before.untilMs === now.untilMs &&
    before.updatedAtMs === now.updatedAtMs;
}

function putBackRetries(reader: Reader, nowMs: number): SqlRow[] {
  const aheadMs = nowMs + CLOCK_TOLERANCE_MS;
  return reader.read(CLOCK_SQL.retries, [aheadMs, aheadMs, RETRY_MAX]);
}

/** A retry waits for its delay, from now on. A task that has not been tried waits for the instant that its caller gave. */
function mendRetries(tx: Transaction, budget: RecordBudget, nowMs: number): void {
  for (const row of putBackRetries(tx, nowMs)) {
    if (budget.isSpent) return;
    budget.spend(row);
    const delayMs = Number(cell(row, "run_after_utc")) - Number(cell(row, "updated_at_utc"));
    const run_after_utc = nowMs + Math.max(0, delayMs);
    updateTask(tx, row, { run_after_utc, updated_at_utc: nowMs });
  }
}
