/**
 * Runs on their way into the queue: started, and not yet acknowledged.
 *
 * A run that is cancelled on the way never begins, and one that the queue refuses fails with the queue's error.
 */
import { messageOf } from "../domain/errors.ts";
import type { Run } from "../domain/run.ts";
import type { NewTask, Task } from "../domain/task.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import type { Handler } from "../worker/handler_registry.ts";
import type { OwnWork } from "./own_work.ts";
import type { QueueFollower } from "./queue_follower.ts";

/** The dependencies of pending runs. */
export interface PendingRunsOptions {
  readonly queue: Pick<TaskQueue, "enqueue">;
  /** Follows every run, and its task. */
  readonly follower: QueueFollower;
  /** Does the work of runs that have a handler of their own. */
  readonly ownWork: OwnWork;
  /** Called with the reason why the queue would not store a run. */
  readonly onRefused: (error: unknown) => void;
}

/** A run whose task is on its way into the queue. */
export interface PendingRun {
  readonly run: Run;
  /** What this process is to do for the run, when no registered handler does it. */
  readonly handler: Handler | null;
  /** Resolves to the task as it was stored, or to `null` when the queue refused it. */
  stored: Promise<Task | null>;
  /** Cancelled while it was pending, so its work must not begin. */
  cancelled: boolean;
}

const NOT_STORED = Promise.resolve(null);

/** Puts runs into the queue. */
export class PendingRuns {
  readonly #options: PendingRunsOptions;
  readonly #pending = new Map<string, PendingRun>();
  /** Why the queue would not store a run, for each caller that asks about this run. */
  readonly #refusals = new WeakMap<Run, { readonly error: unknown }>();

  /** None is pending yet. */
  constructor(options: PendingRunsOptions) {
    this.#options = options;
  }

  /** Takes up a run, and puts its task into the queue. */
  store(run: Run, type: string, handler: Handler | null): void {
    this.#options.follower.begin(run);
    const pending: PendingRun = { run, handler, stored: NOT_STORED, cancelled: false };
    this.#pending.set(run.runId, pending);
    pending.stored = this.#store(pending, type);
  }

  /** Cancels a run if it is pending, and not cancelled already: its work will not begin. */
  cancel(runId: string): PendingRun | undefined {
    const pending = this.#pending.get(runId);
    if (pending === undefined || pending.cancelled) return undefined;
    pending.cancelled = true;
    return pending;
  }

  /** Resolves when this run is not pending any more. */
  async stored(runId: string): Promise<void> {
    await this.#pending.get(runId)?.stored;
  }

  /** Resolves when none of those that are pending now is pending any more. */
  async allStored(): Promise<void> {
    await Promise.all([...this.#pending.values()].map((pending) => pending.stored));
  }

  /** Why the queue would not store this run; `undefined` when it did. */
  refusalOf(run: Run): { readonly error: unknown } | undefined {
    return this.#refusals.get(run);
  }

  async #store(pending: PendingRun, type: string): Promise<Task | null> {
    const { run } = pending;
    const { runId, parameters: payload, priority, maxAttempts, retryPolicy } = run;
    const wanted = { type, payload, priority, runId, maxAttempts, retryPolicy };
    // What is cancelled in the same breath never begins.
    await Promise.resolve();
    try {
      return await this.#enqueue(pending, wanted);
    } catch (error) {
      this.#options.onRefused(error);
      this.#refusals.set(run, { error });
      this.#options.follower.refuse(run, messageOf(error));
      return null;
    } finally {
      this.#pending.delete(runId);
    }
  }

  /** What this process was given it has from the start; what was cancelled meanwhile is stored so, for no process to begin. */
  async #enqueue(pending: PendingRun, wanted: NewTask): Promise<Task> {
    const { queue, follower, ownWork } = this.#options;
    if (pending.handler !== null && !pending.cancelled) {
      return await ownWork.enqueue(wanted, (task) => this.#begin(pending, task));
    }
    const { task } = await queue.enqueue(wanted, { cancelled: pending.cancelled });
    follower.stored(task);
    return task;
  }

  /** What the worker is to do for a task that it has; its run says that it runs by then. */
  #begin(pending: PendingRun, task: Task): Handler | null {
    this.#options.follower.stored(task);
    return pending.cancelled ? null : pending.handler;
  }
}
