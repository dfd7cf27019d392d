/**
 * BackgroundTaskManager: runs work in this process and keeps nothing when it ends.
 *
 * A run begins one microtask after `startTask`, so cancelling it in the same breath prevents it. Its `Run` says at every
 * moment where it is; once cancelled, nothing that its work still does can change it.
 */
import { type Clock, sleep, systemClock } from "../domain/clock.ts";
import { resultOfFailure } from "../domain/errors.ts";
import { exitCodeOf, type Run, secondsBetween } from "../domain/run.ts";
import type { TaskContext } from "../worker/handler_registry.ts";
import type { LogLevel, LogLine } from "../worker/log_store.ts";
import { IdleSignal } from "./idle_signal.ts";
import type { RunRegistry } from "./run_registry.ts";
import {
  CANCELLED_BY_USER,
  checkNewRun,
  closedError,
  failureMessage,
  knownRun,
  perform,
  PROCESS_ENDED,
  resolveGraceMs,
  takeWork,
} from "./run_rules.ts";
import type { CloseOptions, TaskManager, TaskWork } from "./task_manager.ts";

/** How to make a BackgroundTaskManager. */
export interface BackgroundTaskManagerOptions {
  /** The time that runs are stamped with; default the system's. */
  readonly clock?: Clock;
  /** Receives what work says through `context.log`; default nobody. */
  readonly onLog?: (runId: string, line: LogLine) => void;
}

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
  readonly #onLog: ((runId: string, line: LogLine) => void) | undefined;
  readonly #active = new Map<string, ActiveRun>();
  readonly #idle = new IdleSignal();
  #closed = false;

  /** Runs that an earlier process left active in the registry's history are failed: their work ended with it. */
  constructor(registry: RunRegistry, options: BackgroundTaskManagerOptions = {}) {
    this.registry = registry;
    this.#clock = options.clock ?? systemClock;
    this.#onLog = options.onLog;
    for (const run of registry.getInterruptedRuns()) this.#failInterrupted(run);
  }

  /** Starts a run, as `TaskManager` says. @throws TypeError without `work`: there is nothing that could run. */
  startTask(run: Run, work?: TaskWork): string {
    takeWork(work);
    if (this.#closed) throw closedError("start a run");
    checkNewRun(run, this.registry, { active: this.#active.has(run.runId) });
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
   * @throws RangeError for a grace time out of its range; StorageError when the history cannot be written.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const graceMs = resolveGraceMs(options.graceMs);
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
    run.status = "failed";
    run.errorMessage = PROCESS_ENDED;
    run.completedAt = this.#now();
    this.registry.updateRun(run);
  }

  async #execute(active: ActiveRun, work: TaskWork): Promise<void> {
    if (active.controller.signal.aborted) return;
    const { run } = active;
    run.status = "running";
    run.attempts = 1;
    run.startedAt = this.#now();
    this.registry.updateRun(run);
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
    run.status = outcome.status;
    run.completedAt = this.#now();
    run.durationSeconds = secondsBetween(run.startedAt, run.completedAt);
    run.result = outcome.result;
    run.exitCode = exitCodeOf(outcome.status, outcome.result);
    if (outcome.status === "completed") {
      run.progressPercent = 100;
    } else {
      run.errorMessage = outcome.errorMessage;
    }
    this.registry.updateRun(run);
    if (this.#active.size === 0) this.#idle.fire();
  }

  #contextOf(active: ActiveRun): TaskContext {
    const { run, controller } = active;
    return {
      signal: controller.signal,
      parentResults: () => Promise.resolve([]),
      runId: run.runId,
      attempt: 1,
      deadline: null,
      log: (level, message, details): void => this.#log(run, level, message, details),
      progress: (percent): void => this.#progress(active, percent),
    };
  }

  #log(run: Run, level: LogLevel, message: string, details: unknown): void {
    const at = this.#now().toISOString();
    this.#onLog?.(run.runId, { at, level, message, attempt: 1, details });
  }

  #progress(active: ActiveRun, percent: number): void {
    if (!(percent >= 0 && percent <= 100)) {
      throw new RangeError(
        `Cannot report progress ${percent}: a number from 0 to 100 is needed`,
      );
    }
    if (!this.#isCurrent(active)) return;
    active.run.progressPercent = percent;
    this.registry.updateRun(active.run);
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
