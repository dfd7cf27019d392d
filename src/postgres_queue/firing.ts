/**
 * Firing: one process's part in firing schedules on time. Every process has it, without a leader.
 */
import type { CancelTimer } from "../domain/clock.ts";
import type { Task } from "../domain/task.ts";
import { UnplannableReports, type UnplannableSchedule } from "../queue_policy/schedule_firing.ts";
import type { PostgresAccess } from "./postgres_access.ts";
import { taskOfRow } from "./rows/task_row.ts";
import { DELIVERY_LANE } from "./rows/lanes.ts";
import { type Fired, fireSchedules } from "./schedules/fire_schedules.ts";
import {
  type DueSchedule,
  lookAtSchedules,
  planReached,
  type ReachedSchedules,
  type ScheduleOutlook,
} from "./schedules/plan_schedule.ts";

const NONE_REACHED: ReachedSchedules = { due: [], nextMs: null, unplannable: [] };

/** Who hears of what is fired in the background. */
export interface FiringTools {
  /** Is told why it failed. */
  readonly onError: (error: unknown) => void;
  /** Does it. */
  readonly during: <T>(fire: () => Promise<T>) => Promise<T>;
}

/** Fires schedules when their time has come, as far as it hears of it. */
export class Firing {
  readonly #access: PostgresAccess;
  readonly #onError: (error: unknown) => void;
  readonly #during: FiringTools["during"];
  readonly #unplannable: UnplannableReports;
  #lastTurn: Promise<unknown> = Promise.resolve();
  #turns = 0;
  #cancelTimer: CancelTimer = () => {};
  #timerAtMs = Infinity;
  #isStopped = false;

  constructor(access: PostgresAccess, { onError, during }: FiringTools) {
    this.#access = access;
    this.#onError = onError;
    this.#during = during;
    this.#unplannable = new UnplannableReports(onError);
  }

  /** The schedules that could not be planned at the last look. */
  get unplannable(): readonly UnplannableSchedule[] {
    return this.#unplannable.present;
  }

  /** Stops; what is under way ends. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  /** Takes note of what a look has found; what is due fires in the background. A turn that is under way looks by itself. */
  heed(outlook: ScheduleOutlook): void {
    if (this.#turns > 0) return;
    if (outlook.isReached) this.#fireInBackground();
    else this.#planned(outlook, NONE_REACHED);
  }

  /** Looks soon: a schedule has changed. */
  soon(): void {
    this.#fireAfter(0);
  }

  /** Fires what is due, after the turn that is under way; the tasks. What another process is firing is left to it. */
  fire(): Promise<Task[]> {
    const turn = this.#lastTurn.then(() => this.#fire());
    this.#turns++;
    this.#lastTurn = turn.catch(() => {}).finally(() => this.#turns--); // who asked hears of its failure
    return turn;
  }

  async #fire(): Promise<Task[]> {
    const { statements, testMs } = this.#access;
    const tasks: Task[] = [];
    for (;;) {
      const outlook = await lookAtSchedules(statements, testMs);
      const reached = outlook.isReached
        ? await planReached(statements, outlook.nowMs)
        : NONE_REACHED;
      if (reached.due.length === 0) {
        this.#planned(outlook, reached);
        return tasks;
      }
      const fired = await this.#fireDue(reached.due);
      if (fired.schedules === 0) { // another process has them
        this.#fireOnTime(outlook, null);
        return tasks;
      }
      tasks.push(...fired.tasks.map(taskOfRow));
    }
  }

  async #fireDue(due: readonly DueSchedule[]): Promise<Fired> {
    const { lanes } = this.#access;
    await lanes.ensure(due.some(({ hasWebhook }) => hasWebhook) ? [...due, DELIVERY_LANE] : due);
    const ids = due.map(({ id }) => id);
    return await this.#access.writeIfOpen((work) => fireSchedules(work, ids));
  }

  /** Nothing fires now; fires on time what is known to come. */
  #planned(outlook: ScheduleOutlook, reached: ReachedSchedules): void {
    this.#unplannable.tell(reached.unplannable);
    this.#fireOnTime(outlook, reached.nextMs);
  }

  #fireOnTime({ nowMs, nextMs }: ScheduleOutlook, reachedNextMs: number | null): void {
    this.#fireAfter(Math.min(nextMs ?? Infinity, reachedNextMs ?? Infinity) - nowMs);
  }

  /** An earlier look stays: it finds out what comes then. */
  #fireAfter(delayMs: number): void {
    const { clock } = this.#access;
    const atMs = clock.nowMs() + Math.max(0, delayMs);
    if (this.#isStopped || atMs >= this.#timerAtMs) return;
    this.#cancelTimer();
    this.#timerAtMs = atMs;
    this.#cancelTimer = clock.setTimer(() => {
      this.#timerAtMs = Infinity;
      this.#fireInBackground();
    }, Math.max(0, delayMs));
  }

  #fireInBackground(): void {
    if (this.#isStopped) return;
    this.#during(() => this.fire()).catch((error) => {
      if (!this.#isStopped) this.#onError(error);
    });
  }
}
