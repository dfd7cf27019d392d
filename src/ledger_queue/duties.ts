/**
 * Duties: what every process that has a queue open does for it by itself: it rescues tasks, ends those that have expired, fires schedules on time, and applies
 * retention.
 */
import type { CancelTimer } from "../domain/clock.ts";
import { asError, QueueFullError } from "../domain/errors.ts";
import type { FinalStatus } from "../domain/final_status.ts";
import type { Task } from "../domain/task.ts";
import type { Transaction } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import type { PruneReport } from "../queue/operator.ts";
import { RateWatch } from "../queue_policy/buckets.ts";
import { isClosedError } from "../queue_policy/closure.ts";
import type { PreparedPrune } from "../queue_policy/prune_request.ts";
import { repeat } from "../queue_policy/repeat.ts";
import { UnplannableReports, type UnplannableSchedule } from "../queue_policy/schedule_firing.ts";
import { ClockWatch } from "./clock_watch.ts";
import type { LedgerAccess } from "./ledger_access.ts";
import { logBackgroundError, logPruned, logRescued } from "./queue_log.ts";
import { finishedAt } from "./insight/finished.ts";
import { closureIn } from "./rows/notes.ts";
import type { OperationContext } from "./rows/context.ts";
import { slotEnded } from "./rows/group_room.ts";
import { hasFarBuckets } from "./rows/buckets.ts";
import { flowOf, freeExpiredSlots, hasExpiredSlot } from "./rows/flow_rows.ts";
import { taskOfRow } from "./rows/task_row.ts";
import { COUNT_MAX, countTransitions, isCountDue } from "./rows/totals.ts";
import { fireSchedules, lookAtSchedules } from "./schedules/fire_schedules.ts";
import { BackgroundFailures } from "../queue_policy/background_failures.ts";
import { EXPIRE_MAX, expireTasks, hasExpiredTask } from "./tasks/expire.ts";
import { hasDeferredChildren, propagateDeferred } from "./tasks/propagate.ts";
import { mendBuckets } from "./tasks/limits.ts";
import { prune, PRUNE_MAX, pruneBound } from "./tasks/prune.ts";
import { hasExpired, rescue } from "./tasks/rescue.ts";

/** Called for what a queue does by itself. */
export interface DutyListeners {
  /** Called when a rescue, a firing or a deletion of the queue's own failed; the queue goes on. */
  readonly onBackgroundError: (error: Error) => void;
  /** Called with the tasks that were pruned, once that is durable; what it throws is a background error. */
  readonly onPruned?: (taskIds: readonly number[]) => void;
  /**
   * Sees to it that the logs of all tasks have room, every minute; `endedAt` says when tasks have ended. Default: there are none.
   */
  readonly trimLogs?: (endedAt: EndedAt) => Promise<void>;
}

/** When these tasks ended: `-Infinity` for those that are gone, nothing for those that have not ended. */
export type EndedAt = (taskIds: readonly number[]) => Promise<ReadonlyMap<number, number>>;

/** How often expired leases are looked for, and due schedules of which no timer knows. */
const RESCUE_EVERY_MS = 1000;

/** How often retention is applied, and the room of logs looked at. */
const RETENTION_EVERY_MS = 60_000;

/** The duties of one queue. */
export class Duties {
  readonly #access: LedgerAccess;
  readonly #onBackgroundError: (error: Error) => void;
  readonly #onPruned: (taskIds: readonly number[]) => void;
  readonly #trimLogs: DutyListeners["trimLogs"];
  /** What failed of it. */
  readonly failures: BackgroundFailures;
  readonly #clockWatch = new ClockWatch();
  readonly #rateWatch = new RateWatch();
  readonly #unplannable = new UnplannableReports((error) => this.#report(error));
  #timers: readonly CancelTimer[] = [];
  #cancelFiring: CancelTimer = () => {};
  /** Whether it was reported that schedules do not fire because the queue is full. */
  #isFullReported = false;
  #isStopped = false;

  constructor(
    access: LedgerAccess,
    { onBackgroundError, onPruned = () => {}, trimLogs }: DutyListeners,
  ) {
    this.#access = access;
    this.failures = new BackgroundFailures(() => access.clock.nowMs());
    this.#onBackgroundError = onBackgroundError;
    this.#onPruned = onPruned;
    this.#trimLogs = trimLogs;
  }

  /** The schedules that could not be planned at the last look. */
  get unplannable(): readonly UnplannableSchedule[] {
    return this.#unplannable.present;
  }

  /** Begins; each duty stands alone, so that one that fails holds up no other. */
  begin(retention: readonly PreparedPrune[]): void {
    const onError = (error: unknown): void => this.#report(error);
    const duties = [
      {
        everyMs: RESCUE_EVERY_MS,
        run: () => this.failures.during("rescue of expired leases", () => this.rescue()),
        onError,
      },
      {
        everyMs: RESCUE_EVERY_MS,
        run: () => this.failures.during("counting of transitions", () => this.count()),
        onError,
      },
      {
        everyMs: RESCUE_EVERY_MS,
        run: () => this.#fireByItself(),
        onError: (error: unknown) => this.#reportFiring(error),
      },
    ];
    const prunes = retention.map((rule) => ({
      everyMs: RETENTION_EVERY_MS,
      run: () => this.failures.during("retention", () => this.prune(rule)),
      onError,
    }));
    const trim = this.#trimLogs;
    const trims = trim === undefined ? [] : [{
      everyMs: RETENTION_EVERY_MS,
      run: () => this.failures.during("room of logs", () => trim((ids) => this.#endedAt(ids))),
      onError,
    }];
    this.#timers = [...duties, ...prunes, ...trims].map((duty) => repeat(this.#access.clock, duty));
  }

  /** Stops; what is under way ends. */
  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#timers) cancel();
    this.#cancelFiring();
  }

  /** Looks at the schedules soon: one has changed. */
  schedulesChanged(): void {
    this.#fireAt(this.#access.clock.nowMs());
  }

  /** Ends expired leases, goes on with the children of ended tasks, mends what a clock that was put back left; the tasks. */
  async rescue(): Promise<Task[]> {
    const found = await this.#access.read((reader, nowMs) => {
      // what was written in the future stays as it is in a queue whose tasks are being moved
      const isPutBack = this.#clockWatch.look(reader, nowMs) && closureIn(reader) === null;
      const isWorthwhile = hasExpired(reader, nowMs) || hasDeferredChildren(reader) ||
        hasExpiredSlot(reader, nowMs);
      const isToExpire = hasExpiredTask(reader, nowMs) && closureIn(reader) === null;
      const flow = flowOf(reader);
      const hasFarBucket = this.#rateWatch.isToLook(flow, nowMs) &&
        hasFarBuckets(reader, flow, nowMs) && closureIn(reader) === null;
      return { isPutBack, isWorthwhile, isToExpire, hasFarBucket };
    });
    const rows: SqlRow[] = [];
    if (found.isWorthwhile) {
      rows.push(
        ...await this.#access.write((tx, context) => {
          const rescued = rescue(tx, context);
          propagateDeferred(tx, context);
          for (const grp of freeExpiredSlots(tx, context.nowMs)) slotEnded(tx, grp, context.nowMs);
          return rescued;
        }),
      );
    }
    if (found.isPutBack) {
      rows.push(
        ...await this.#access.writeIfOpen((tx, context) => this.#clockWatch.mend(tx, context)),
      );
    }
    if (found.isToExpire) await this.#expire();
    if (found.hasFarBucket) await this.#mendBuckets();
    if (rows.length === 0) return [];
    const rescued = rows.map(taskOfRow);
    logRescued(rescued);
    return rescued;
  }

  /** Ends what has expired, some hundreds of tasks in each transaction, so that other work goes on in between. */
  async #expire(): Promise<void> {
    while (await this.#access.writeIfOpen(expireTasks) === EXPIRE_MAX && !this.#isStopped);
  }

  /** Puts buckets of rates back, some hundreds in each transaction. */
  async #mendBuckets(): Promise<void> {
    const mend = (tx: Transaction, { nowMs }: OperationContext): boolean => mendBuckets(tx, nowMs);
    while (await this.#access.writeIfOpen(mend) && !this.#isStopped);
  }

  /**
   * Counts what has happened, a part in each transaction, so that other work goes on in between. Before transitions are deleted,
   * too: what has yet to be counted is counted with the first of them, in one transaction.
   */
  async count(): Promise<void> {
    const isDue = await this.#access.read((reader) =>
      isCountDue(reader) && closureIn(reader) === null
    );
    if (!isDue) return;
    while (!this.#isStopped) {
      const counted = await this.#access.writeIfOpen((tx) => countTransitions(tx));
      if (counted < COUNT_MAX) return;
    }
  }

  /** Enqueues the tasks of schedules that are due; those tasks. */
  async fireSchedules(): Promise<Task[]> {
    const fired: Task[] = [];
    for (;;) {
      const outlook = await this.#access.read(lookAtSchedules);
      if (!outlook.isDue) {
        this.#unplannable.tell(outlook.unplannable);
        this.#fireAt(outlook.nextMs);
        return fired;
      }
      const rows = await this.#access.writeIfOpen(
        (tx, context) => fireSchedules(tx, context),
        "high_water",
      );
      this.#isFullReported = false;
      for (const row of rows) fired.push(taskOfRow(row));
    }
  }

  /** Deletes finished tasks, some hundreds in each transaction. */
  async prune({ statuses, keep, olderThanMs }: PreparedPrune): Promise<PruneReport> {
    const beforeMs = this.#access.clock.nowMs() - olderThanMs;
    const byStatus = { completed: 0, failed: 0, cancelled: 0 };
    await this.count();
    for (const status of statuses) {
      byStatus[status] = await this.#pruneStatus(status, { keep, beforeMs });
    }
    const pruned = byStatus.completed + byStatus.failed + byStatus.cancelled;
    logPruned(this.#access.ledger.location, { pruned, byStatus });
    return { pruned, byStatus };
  }

  async #endedAt(ids: readonly number[]): Promise<ReadonlyMap<number, number>> {
    return await this.#access.read((reader) => finishedAt(reader, ids));
  }

  /** One transaction after the other, so that other work goes on in between. */
  async #pruneStatus(
    status: FinalStatus,
    { keep, beforeMs }: { readonly keep: number; readonly beforeMs: number },
  ): Promise<number> {
    const bound = await this.#access.read((reader) => pruneBound(reader, status, keep));
    if (bound === undefined) return 0;
    for (let pruned = 0;;) {
      const ids = await this.#access.writeIfOpen((tx, { nowMs }) =>
        prune(tx, status, { bound, beforeMs, nowMs })
      );
      if (ids.length > 0) this.tellPruned(ids);
      pruned += ids.length;
      if (ids.length < PRUNE_MAX) return pruned;
    }
  }

  /** Tells that tasks were deleted, by a prune or by hand. */
  tellPruned(ids: readonly number[]): void {
    try {
      this.#onPruned(ids);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Fires on time what is to come before the next look; that one sees what another process has changed. */
  #fireAt(atMs: number | null): void {
    this.#cancelFiring();
    const delayMs = atMs === null ? Infinity : atMs - this.#access.clock.nowMs();
    if (this.#isStopped || delayMs > RESCUE_EVERY_MS) return;
    this.#cancelFiring = this.#access.clock.setTimer(() => {
      this.#fireByItself().catch((error) => {
        if (!this.#isStopped) this.#reportFiring(error);
      });
    }, Math.max(0, delayMs));
  }

  #fireByItself(): Promise<Task[]> {
    return this.failures.during("firing of schedules", () => this.fireSchedules());
  }

  /** A full queue is reported once, until a schedule has fired again. */
  #reportFiring(error: unknown): void {
    if (error instanceof QueueFullError) {
      if (this.#isFullReported) return;
      this.#isFullReported = true;
    }
    this.#report(error);
  }

  /**
   * A listener's own error is reported in the log only: there is no other listener. What a closed queue does not do by itself is
   * no failure.
   */
  #report(thrown: unknown): void {
    if (isClosedError(thrown)) return;
    const error = asError(thrown);
    logBackgroundError(this.#access.ledger.location, error);
    try {
      this.#onBackgroundError(error);
    } catch (failure) {
      logBackgroundError(this.#access.ledger.location, asError(failure));
    }
  }
}
