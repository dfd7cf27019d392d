/**
 * The worker of a manager: it runs registered handlers if it is embedded, and always the work that this process was given.
 *
 * Work that was given to this process is done by no other one, and is taken up again until its task is final.
 */
import type { Clock } from "../domain/clock.ts";
import { permanentError } from "../domain/errors.ts";
import { isFinal, type NewTask, type Task } from "../domain/task.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { type Handler, HandlerRegistry } from "../worker/handler_registry.ts";
import type { LogStore } from "../worker/log_store.ts";
import { Worker } from "../worker/worker.ts";
import type { WorkerEvent } from "../worker/worker_log.ts";
import type { WorkerOptions } from "../worker/worker_options.ts";
import { perform, refuseSnooze } from "./run_rules.ts";
import type { TaskWork } from "./task_manager.ts";

/** What can be said of the worker of a manager. */
export type ManagedWorkerOptions = Partial<Omit<WorkerOptions, "queue" | "handlers">>;

/** The dependencies of own work. */
export interface OwnWorkOptions {
  readonly queue: TaskQueue;
  /** The handlers of an embedded worker. */
  readonly handlers: HandlerRegistry;
  /** `false` when registered handlers are for other processes to run. */
  readonly worker: false | ManagedWorkerOptions;
  /** The clock of a worker that has none of its own. */
  readonly clock: Clock | undefined;
  /** The logs of a worker that has none of its own. */
  readonly logs: LogStore | undefined;
  /** Called for everything that happens, before the worker's own listener. */
  readonly onEvent: (event: WorkerEvent) => void;
}

/** Does work in this process. */
export class OwnWork {
  /** Whether the worker of this process runs registered handlers, or only the work that it was given. */
  readonly isEmbedded: boolean;
  readonly #options: OwnWorkOptions;
  /** Work that this process was given, by task, until the task is final. */
  readonly #given = new Map<number, Handler>();
  #worker: Worker | null = null;

  /** An embedded worker begins with `start`. @throws TypeError, RangeError for a worker's option out of its range. */
  constructor(options: OwnWorkOptions) {
    this.#options = options;
    this.isEmbedded = options.worker !== false;
    if (this.isEmbedded) this.#worker = this.#makeWorker(options.handlers);
  }

  /** Starts the embedded worker, if there is one. */
  start(): void {
    this.#worker?.start();
  }

  /** Stops the worker; see `Worker`. */
  async stop(graceMs: number): Promise<void> {
    await this.#worker?.stop({ graceMs });
  }

  /** Enqueues a task that this process has from the start; `handlerOf` says what is run for it, if it is not to be left. */
  enqueue(wanted: NewTask, handlerOf: (task: Task) => Handler | null): Promise<Task> {
    return this.#startedWorker().enqueueOwn(wanted, (task) => {
      const handler = handlerOf(task);
      if (handler !== null) this.#given.set(task.id, handler);
      return handler;
    });
  }

  /** Does the work of a task that was left, after all. */
  takeUp(task: Task, handler: Handler): void {
    if (this.#given.has(task.id)) return;
    this.#given.set(task.id, handler);
    if (task.status === "leased") this.#startedWorker().resume(task, handler);
    else this.#startedWorker().adopt(task.id, handler);
  }

  /** Forgets the work of a task that is final. */
  forgetFinal(task: Task): void {
    if (isFinal(task.status)) this.#given.delete(task.id);
  }

  /** Takes up work again that lost its lease, as after a suspend: no other process may have a handler for it. */
  keepWorking(task: Task): void {
    const handler = this.#given.get(task.id);
    if (handler !== undefined && task.status === "queued") this.#worker?.adopt(task.id, handler);
  }

  #startedWorker(): Worker {
    this.#worker ??= this.#makeWorker(new HandlerRegistry());
    this.#worker.start();
    return this.#worker;
  }

  #makeWorker(handlers: HandlerRegistry): Worker {
    const { queue, clock, logs, worker, onEvent } = this.#options;
    const options = worker || {};
    return new Worker({
      clock,
      logs,
      ...options,
      queue,
      handlers,
      onEvent: (event) => {
        onEvent(event);
        options.onEvent?.(event);
      },
    });
  }
}

/** Does `work` for a task. It cannot be repeated as it is, so its errors are final, as they are in memory. */
export function handlerOf(work: TaskWork): Handler {
  return async (_task, context) => {
    try {
      const snooze = (): never => refuseSnooze(context.runId);
      return await perform(work, { ...context, isLastAttempt: true, snooze });
    } catch (error) {
      throw context.signal.aborted ? error : permanentError(error);
    }
  };
}
