/**
 * The runs that follow the tasks of a queue: which are active, and which lease of its task each shows.
 *
 * A state from before the lease that a run shows is left out, so that no run goes back in time.
 */
import type { Clock } from "../domain/clock.ts";
import {
  copyTaskState,
  isActive,
  type Run,
  runOfTask,
  type RunStatus,
  runStatusOf,
} from "../domain/run.ts";
import { isFinal, type Task } from "../domain/task.ts";
import { WEBHOOK_TYPE } from "../domain/webhook.ts";
import type { TaskChange } from "../queue/task_queue.ts";
import { logUnshown } from "./manager_log.ts";
import type { RunRegistry } from "./run_registry.ts";

/** The message of a run whose task was pruned or removed before its end was seen. */
const VANISHED = "The task was removed from the queue before its outcome could be read";

/** An active run, and what was last seen of its task. */
export interface ActiveRun {
  readonly run: Run;
  /** `null` until the queue has acknowledged the task. */
  readonly taskId: number | null;
}

/** Which lease of which task a run shows. */
interface SeenLease {
  readonly taskId: number;
  readonly leaseToken: number;
}

/** The dependencies of followed runs. */
export interface FollowedRunsOptions {
  readonly clock: Clock;
  /** Called with every task that was read, once its run says the same. */
  readonly onTask: (task: Task) => void;
}

/** Shows in each run what its task is. */
export class FollowedRuns {
  readonly #registry: RunRegistry;
  readonly #options: FollowedRunsOptions;
  readonly #active = new Map<string, ActiveRun>();
  readonly #refused = new WeakSet<Run>();
  readonly #seen = new WeakMap<Run, SeenLease>();

  /** Runs of `registry`, none of them active yet. */
  constructor(registry: RunRegistry, options: FollowedRunsOptions) {
    this.#registry = registry;
    this.#options = options;
  }

  /** The active runs by their ids, in the order in which they became known. */
  get active(): ReadonlyMap<string, ActiveRun> {
    return this.#active;
  }

  /** Whether a run with this id is known. */
  has(runId: string): boolean {
    return this.#registry.getRun(runId) !== undefined;
  }

  /** Whether the queue refused this run, so that a task with its id is another's. */
  isRefused(runId: string): boolean {
    const run = this.#registry.getRun(runId);
    return run !== undefined && this.#refused.has(run);
  }

  /** Takes up a run that is about to be enqueued. */
  begin(run: Run): void {
    this.#registry.addRun(run);
    this.#active.set(run.runId, { run, taskId: null });
  }

  /** The queue has acknowledged the task of an active run; `false` when no such run is active. */
  acknowledge({ id: taskId, runId }: Task): boolean {
    const active = this.#active.get(runId);
    if (active === undefined) return false;
    this.#active.set(runId, { ...active, taskId });
    return true;
  }

  /** Fails a run that the queue would not store. */
  refuse(run: Run, errorMessage: string): void {
    this.#refused.add(run);
    this.end(run, "failed", errorMessage);
  }

  /** Whether the task's run shows its lease, or a later one. */
  showsLease({ id, runId, leaseToken }: Task): boolean {
    const run = this.#registry.getRun(runId);
    const seen = run && this.#seen.get(run);
    return seen?.taskId === id && seen.leaseToken >= leaseToken;
  }

  /** Shows the progress in a change; `false` when more than that may have changed. */
  showProgress(change: TaskChange): boolean {
    const run = this.#registry.getRun(change.runId);
    if (run === undefined || !this.#showsStateOf(run, change)) return false;
    if (run.progressPercent !== change.progress) {
      this.#show(run, () => run.progressPercent = change.progress);
    }
    return true;
  }

  /** Whether `run` shows the same attempt in the same state, so that at most its progress has changed. */
  #showsStateOf(run: Run, change: TaskChange): boolean {
    if (run.status !== runStatusOf(change.status) || run.attempts !== change.attempts) return false;
    const seen = this.#seen.get(run);
    return seen === undefined || seen.leaseToken === change.leaseToken;
  }

  /** Shows what a task is. Deliveries of webhooks are the queue's own tasks and no runs. */
  apply(task: Task): void {
    if (task.type === WEBHOOK_TYPE) return;
    const run = this.#registry.getRun(task.runId) ?? this.#adopt(task);
    if (this.#refused.has(run)) return;
    const { id: taskId, leaseToken } = task;
    const seen = this.#seen.get(run);
    // Read before the lease that is known by now began.
    if (seen?.taskId === taskId && seen.leaseToken > leaseToken) return;
    this.#seen.set(run, { taskId, leaseToken });
    this.#show(run, () => copyTaskState(run, task));
    if (isFinal(task.status)) this.#active.delete(task.runId);
    else this.#active.set(task.runId, { run, taskId });
    this.#options.onTask(task);
  }

  #adopt(task: Task): Run {
    const run = runOfTask(task);
    this.#registry.addRun(run);
    return run;
  }

  /** The task was removed before it could be read: its last change is all that is known. */
  applyGone(runId: string, change: TaskChange | null): void {
    const run = this.#registry.getRun(runId);
    if (run === undefined || !isActive(run.status) || this.#refused.has(run)) return;
    const last = change?.status ?? "failed";
    const status = isFinal(last) ? runStatusOf(last) : "failed";
    this.end(run, status, status === "completed" ? null : VANISHED);
  }

  /** Ends a run whose task cannot be read. */
  end(run: Run, status: RunStatus, errorMessage: string | null): void {
    this.#show(run, () => {
      run.status = status;
      run.exitCode = status === "completed" ? 0 : null;
      run.errorMessage = errorMessage;
      run.completedAt = new Date(this.#options.clock.nowMs());
    });
    this.#active.delete(run.runId);
  }

  /** An error here concerns this run alone, and not those that are read with it. */
  #show(run: Run, change: () => void): void {
    try {
      change();
      if (this.#registry.getRun(run.runId) === run) this.#registry.updateRun(run);
    } catch (error) {
      logUnshown(run.runId, error);
    }
  }
}
