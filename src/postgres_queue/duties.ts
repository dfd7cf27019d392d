/**
 * Duties: what every process that has a queue open does for it by itself: it rescues tasks, ends those that have expired, fires schedules on time, and applies
 * retention. Processes need no leader: what one has locked, the others skip.
 */
import type { CancelTimer } from "../domain/clock.ts";
import { asError } from "../domain/errors.ts";
import type { Task } from "../domain/task.ts";
import type { PruneReport } from "../queue/operator.ts";
import { RateWatch } from "../queue_policy/buckets.ts";
import { isClosedError } from "../queue_policy/closure.ts";
import type { PreparedPrune } from "../queue_policy/prune_request.ts";
import { repeat } from "../queue_policy/repeat.ts";
import type { UnplannableSchedule } from "../queue_policy/schedule_firing.ts";
import type { PostgresAccess } from "./postgres_access.ts";
import { taskOfRow, type TaskRow } from "./rows/task_row.ts";
import { pruneAll } from "./tasks/prune.ts";
import { Firing } from "./firing.ts";
import { MOMENT, OUTLOOK, outlookOf } from "./schedules/plan_schedule.ts";
import { storageErrorOf } from "./storage_errors.ts";
import { closureIn } from "./rows/closure.ts";
import { COUNT_MAX, countTransitions } from "./rows/totals.ts";
import { EXPIRE_MAX, EXPIRED_TASKS, expireTasks } from "./tasks/expire.ts";
import { freeExpiredSlots, mendBuckets } from "./tasks/limits.ts";
import { propagateDeferred } from "./tasks/propagate.ts";
import { BackgroundFailures } from "../queue_policy/background_failures.ts";
import { rescue, RESCUE_MAX } from "./tasks/rescue.ts";
import { trimLogs } from "./tasks/trim_logs.ts";

/** Called for what a queue does by itself. */
export interface DutyListeners {
  /** Called when a rescue, a firing or a deletion of the queue's own failed; the queue goes on. */
  readonly onBackgroundError: (error: Error) => void;
  /** Called with the tasks that were pruned, once that is durable; what it throws is a background error. */
  readonly onPruned?: (taskIds: readonly number[]) => void;
  /** What the logs of all tasks together may take, in bytes. Default without a bound. */
  readonly logsMaxBytes?: number;
}

/** How often expired leases are looked for, and due schedules of which no timer knows. */
const LOOK_EVERY_MS = 1000;

/**
 * A look at the leases that took longer than `afterMs` is followed by none for so many times as long, up to `mostMs`: while an
 * old snapshot is kept, it walks past every lease that ended since.
 */
const SLOW_LOOK = { afterMs: 100, times: 20, mostMs: 10_000 } as const;

/** How often transitions are counted. */
const COUNT_EVERY_MS = 5000;

/** How often retention is applied, and the room of logs looked at. */
const RETENTION_EVERY_MS = 60_000;

const DUTY_SQL = {
  /** Everything that may be due, in one statement: it is all that an idle process asks each second. `$2`: also the leases. */
  look: `with ${MOMENT}, asked as materialized (select clock_timestamp() as at),
    leases as materialized (
      select case when $2::boolean then
        exists (select from @live where state = 4 and lease_until <= (select now from moment)) else false
        end as is_expired from asked)
    select ${OUTLOOK}, leases.is_expired or exists (select from @unsettled) as is_rescue_due,
      exists (select from @flow_slot where until <= moment.now) as is_slot_due,
      exists (${EXPIRED_TASKS}) as is_expiry_due,
      extract(epoch from clock_timestamp() - asked.at)::float8 * 1000 as took_ms
    from moment, asked, leases`,
} as const;

/** The duties of one queue. */
export class Duties {
  readonly #access: PostgresAccess;
  readonly #onBackgroundError: (error: Error) => void;
  readonly #onPruned: (taskIds: readonly number[]) => void;
  readonly #logsMaxBytes: number;
  readonly #firing: Firing;
  readonly #rateWatch = new RateWatch();
  /** What failed of it. */
  readonly failures: BackgroundFailures;
  #timers: readonly CancelTimer[] = [];
  #isStopped = false;
  /** Until then the leases are not looked at. */
  #leasesAtMs = -Infinity;

  constructor(
    access: PostgresAccess,
    { onBackgroundError, onPruned = () => {}, logsMaxBytes = Infinity }: DutyListeners,
  ) {
    this.#access = access;
    this.#logsMaxBytes = logsMaxBytes;
    this.#onPruned = onPruned;
    this.failures = new BackgroundFailures(() => access.testMs ?? access.clock.nowMs());
    this.#firing = new Firing(access, {
      onError: (error) => this.report(error),
      during: (fire) => this.failures.during("firing of schedules", fire),
    });
    this.#onBackgroundError = onBackgroundError;
  }

  /** The schedules that could not be planned at the last look. */
  get unplannable(): readonly UnplannableSchedule[] {
    return this.#firing.unplannable;
  }

  /** Begins. */
  begin(retention: readonly PreparedPrune[]): void {
    const onError = (error: unknown): void => this.report(error);
    const looking = { everyMs: LOOK_EVERY_MS, run: () => this.#lookByItself(), onError };
    const prunes = retention.map((rule) => ({
      everyMs: RETENTION_EVERY_MS,
      run: () => this.failures.during("retention", () => this.prune(rule)),
      onError,
    }));
    const counting = {
      everyMs: COUNT_EVERY_MS,
      run: () => this.failures.during("counting of transitions", () => this.#count()),
      onError,
    };
    const trimming = {
      everyMs: RETENTION_EVERY_MS,
      run: () => this.failures.during("room of logs", () => this.#trimLogs()),
      onError,
    };
    this.#timers = [looking, counting, trimming, ...prunes].map((duty) =>
      repeat(this.#access.clock, duty)
    );
  }

  /** Stops; what is under way ends. */
  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#timers) cancel();
    this.#firing.stop();
  }

  async #lookByItself(): Promise<void> {
    const isTime = this.#access.clock.nowMs() >= this.#leasesAtMs;
    await this.failures.during("rescue of expired leases", () => this.#rescue(isTime));
  }

  /** Ends expired leases, goes on with the children of ended tasks; the tasks. Schedules that are due fire in the background. */
  async rescue(): Promise<Task[]> {
    return await this.#rescue(true);
  }

  async #rescue(withLeases: boolean): Promise<Task[]> {
    const { statements, testMs, clock } = this.#access;
    const rescued: TaskRow[] = [];
    const [look] = await statements.query(DUTY_SQL.look, [testMs, withLeases]);
    const tookMs = Number(look!.took_ms);
    if (tookMs > SLOW_LOOK.afterMs) {
      this.#leasesAtMs = clock.nowMs() + Math.min(SLOW_LOOK.times * tookMs, SLOW_LOOK.mostMs);
    }
    this.#firing.heed(outlookOf(look!));
    if (look!.is_expiry_due) await this.#expire();
    const flow = this.#access.flow.latest;
    if (flow !== undefined && this.#rateWatch.isToLook(flow, Number(look!.now))) {
      await this.#mendBuckets();
    }
    if (look!.is_slot_due) await this.#access.write(freeExpiredSlots);
    while (look!.is_rescue_due) {
      const rows = await this.#access.write(async (work) => {
        const ended = await rescue(work);
        await propagateDeferred(work);
        return ended;
      });
      rescued.push(...rows);
      if (rows.length < RESCUE_MAX) break;
    }
    return rescued.map(taskOfRow);
  }

  /** Ends what has expired, some hundreds of tasks in each transaction. In a queue whose tasks are being moved they stay as they are. */
  async #expire(): Promise<void> {
    const { statements } = this.#access;
    if (await closureIn(statements) !== null) return;
    while (await this.#access.writeIfOpen(expireTasks) === EXPIRE_MAX && !this.#isStopped);
  }

  /** Puts buckets of rates back. In a queue whose tasks are being moved they stay as they are. */
  async #mendBuckets(): Promise<void> {
    if (await closureIn(this.#access.statements) !== null) return;
    await this.#access.writeIfOpen(mendBuckets);
  }

  /** Counts what has happened, a part in each transaction. */
  async #count(): Promise<void> {
    if (await closureIn(this.#access.statements) !== null) return;
    while (!this.#isStopped) {
      const counted = await this.#access.writeIfOpen(({ tx }) => countTransitions(tx));
      if (counted < COUNT_MAX) return;
    }
  }

  /** Deletes logs of finished tasks where all together take too much. In a queue whose tasks are being moved they stay. */
  async #trimLogs(): Promise<void> {
    if (this.#logsMaxBytes === Infinity || await closureIn(this.#access.statements) !== null) {
      return;
    }
    await trimLogs((run) => this.#access.writeIfOpen(({ tx }) => run(tx)), this.#logsMaxBytes);
  }

  /** Looks at the schedules soon: one has changed. */
  schedulesChanged(): void {
    this.#firing.soon();
  }

  /** Enqueues the tasks of schedules that are due; those tasks. */
  async fireSchedules(): Promise<Task[]> {
    return await this.#firing.fire();
  }

  /** Deletes finished tasks, some hundreds in each transaction. */
  async prune(request: PreparedPrune): Promise<PruneReport> {
    return await pruneAll(this.#access, request, (taskIds) => this.tellPruned(taskIds));
  }

  /** Tells that tasks were deleted, by a prune or by hand. */
  tellPruned(taskIds: readonly number[]): void {
    try {
      this.#onPruned(taskIds);
    } catch (error) {
      this.report(error);
    }
  }

  /** Tells of a failure in the background. What a closed queue does not do by itself is none. */
  report(thrown: unknown): void {
    if (this.#isStopped || isClosedError(thrown)) return;
    this.#onBackgroundError(asError(storageErrorOf(thrown, this.#access.location)));
  }
}
