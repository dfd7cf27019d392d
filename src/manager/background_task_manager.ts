/**
 * BackgroundTaskManager: runs work in this process and keeps nothing when it ends.
 *
 * A run begins one microtask after `startTask`, so cancelling it in the same breath prevents it. Its `Run` says at every
 * moment where it is; once cancelled, nothing that its work still does can change it.
 */
import { type Clock, sleep, systemClock } from "../domain/clock.ts";
import { checkPercent } from "../domain/check.ts";
import { resultOfFailure } from "../domain/errors.ts";
import { CANCELLED_BY_USER } from "../domain/task.ts";
import { resolveGraceMs } from "../domain/grace_time.ts";
import { checkOptions } from "../domain/options.ts";
import { failureMessage } from "../domain/kept_text.ts";
import { exitCodeOf, type GivenRun, type Run, secondsBetween } from "../domain/run.ts";
import type { TaskContext } from "../worker/handler_registry.ts";
import { checkLogCall } from "../worker/log_line.ts";
import type { LogLevel } from "../worker/log_store.ts";
import { type LogListener, tellListener } from "./heard_logs.ts";
import { IdleSignal } from "./idle_signal.ts";
import { logUnshown } from "./manager_log.ts";
import { BACKGROUND_OPTIONS, type BackgroundTaskManagerOptions } from "./manager_options.ts";
import type { RunRegistry } from "./run_registry.ts";
import {
  closedError,
  knownRun,
  perform,
  PROCESS_ENDED,
  refuseSnooze,
  takeNewRun,
  takeWork,
} from "./run_rules.ts";
import type { CloseOptions, TaskManager, TaskWork } from "./task_manager.ts";

/** An active run and the way to stop it. */
interface ActiveRun {
  readonly run: Run;
  readonly controller: AbortController;
}

/** How work ended. */
type Outcome =
  | { readonly status: "completed"; readonly result: unknown }
  | {
    readonly status: "failed" | "cancelled";
    readonly errorMessage: string;
    readonly result: unknown;
  };

/** Runs work in this process. */
export class BackgroundTaskManager implements TaskManager {
  /** Every run that was started here and not cleaned up. */
  readonly registry: RunRegistry;
  readonly #clock: Clock;
  readonly #onLog: LogListener | undefined;
  readonly #payloadMaxBytes: number | undefined;
  readonly #active = new Map<string, ActiveRun>();
  readonly #idle = new IdleSignal();
  #closed = false;

  /** Runs that an earlier process left active in the registry's history are failed: their work ended with it. */
  constructor(registry: RunRegistry, options: BackgroundTaskManagerOptions = {}) {
    checkOptions(options, BACKGROUND_OPTIONS, "BackgroundTaskManager");
    this.registry = registry;
    this.#clock = options.clock ?? systemClock;
    this.#onLog = options.onLog;
    this.#payloadMaxBytes = options.payloadMaxBytes;
    for (const run of registry.takeInterruptedRuns()) this.#failInterrupted(run);
  }

  /** Starts a run, as `TaskManager` says. @throws TypeError without `work`: there is nothing that could run. */
  startTask(run: GivenRun, work?: TaskWork): string {
    takeWork(work);
    if (this.#closed) throw closedError("start a run");
    takeNewRun(run, this.registry, {
      active: this.#active.has(run?.runId),
      payloadMaxBytes: this.#payloadMaxBytes,
    });
    this.registry.addRun(run);
    const active = { run, controller: new AbortController() };
    this.#active.set(run.runId, active);
    queueMicrotask(() => this.#execute(active, work));
    return run.runId;
  }

  /** Cancels an active run; `false` when there is none with this id. */
  cancelTask(runId: string): Promise<boolean> {
    return Promise.resolve(this.#cancel(runId, CANCELLED_BY_USER));
  }

  /** Resolves when no run is active. */
  async waitAll(): Promise<void> {
    while (this.#active.size > 0) await this.#idle.wait();
  }

  /** How many runs are active. */
  getActiveTaskCount(): number {
    return this.#active.size;
  }

  /** The ids of the active runs, in the order in which they were started. */
  getActiveTaskIds(): string[] {
    return [...this.#active.keys()];
  }

  /** Whether a run with this id is active. */
  isTaskActive(runId: string): boolean {
    return this.#active.has(runId);
  }

  /** Resolves at once, as the durable manager's does when the run's task is on disk. @throws QueueError `task_not_found`. */
  async whenStored(runId: string): Promise<void> {
    await Promise.resolve(knownRun(this.registry, runId));
  }

  /** Resolves at once: nothing here is ever on disk. The durable manager's `flush` takes its place. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Refuses new runs, lets the active ones go on for the grace time, then cancels the rest, and has the registry write its
   * history.
   *
   * @throws TypeError, RangeError for a grace time out of its range; StorageError when the history cannot be written.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const graceMs = resolveGraceMs(options, "close");
    this.#closed = true;
    const graceOver = new AbortController();
    await Promise.race([this.waitAll(), sleep(this.#clock, graceMs, graceOver.signal)]);
    graceOver.abort();
    for (const runId of this.getActiveTaskIds()) {
      this.#cancel(runId, `Cancelled when the task manager was closed after ${graceMs} ms`);
    }
    await this.registry.flush();
  }

  #failInterrupted(run: Run): void {
    this.#show(run, {
      status: "failed",
      errorMessage: PROCESS_ENDED,
      completedAt: this.#now(),
    });
  }

  async #execute(active: ActiveRun, work: TaskWork): Promise<void> {
    if (active.controller.signal.aborted) return;
    const { run } = active;
    this.#show(run, { status: "running", attempts: 1, startedAt: this.#now() });
    this.#finish(active, await outcomeOf(work, this.#contextOf(active)));
  }

  #cancel(runId: string, errorMessage: string): boolean {
    const active = this.#active.get(runId);
    if (active === undefined) return false;
    this.#finish(active, { status: "cancelled", errorMessage, result: null });
    active.controller.abort(new DOMException(errorMessage, "AbortError"));
    return true;
  }

  #finish(active: ActiveRun, outcome: Outcome): void {
    const { run } = active;
    if (!this.#isCurrent(active)) return;
    this.#active.delete(run.runId);
    const { status, result } = outcome;
    const completedAt = this.#now();
    this.#show(run, {
      status,
      completedAt,
      durationSeconds: secondsBetween(run.startedAt, completedAt),
      result,
      exitCode: exitCodeOf(status, result),
      ...(status === "completed"
        ? { progressPercent: 100 }
        : { errorMessage: outcome.errorMessage }),
    });
    if (this.#active.size === 0) this.#idle.fire();
  }

  #contextOf(active: ActiveRun): TaskContext {
    const { run, controller } = active;
    return {
      signal: controller.signal,
      parentResults: () => Promise.resolve([]),
      runId: run.runId,
      attempt: 1,
      isLastAttempt: true,
      deadline: null,
      enqueue: () => {
        throw new TypeError(
          `Cannot enqueue from run ${JSON.stringify(run.runId)}: this task manager has no queue`,
        );
      },
      snooze: () => refuseSnooze(run.runId),
      log: (level, message, details): void => {
        checkLogCall(level, message);
        this.#log(run, level, message, details);
      },
      progress: (percent): void => this.#progress(active, percent),
    };
  }

  #log(run: Run, level: LogLevel, message: string, details: unknown): void {
    const at = this.#now().toISOString();
    tellListener(this.#onLog, run.runId, { at, level, message, attempt: 1, details });
  }

  #progress(active: ActiveRun, percent: number): void {
    checkPercent(percent);
    if (this.#isCurrent(active)) this.#show(active.run, { progressPercent: percent });
  }

  /** An error here concerns this run alone: its work goes on, and so do the others. */
  #show(run: Run, state: Partial<Run>): void {
    try {
      Object.assign(run, state);
      if (this.registry.getRun(run.runId) === run) this.registry.updateRun(run);
    } catch (error) {
      logUnshown(run.runId, error);
    }
  }

  #isCurrent(active: ActiveRun): boolean {
    return this.#active.get(active.run.runId) === active;
  }

  #now(): Date {
    return new Date(this.#clock.nowMs());
  }
}

async function outcomeOf(work: TaskWork, context: TaskContext): Promise<Outcome> {
  try {
    return { status: "completed", result: await perform(work, context) };
  } catch (error) {
    const result = resultOfFailure(error);
    return { status: "failed", errorMessage: failureMessage(error), result };
  }
}
