/**
 * QueuedTaskManager: the TaskManager on a durable queue.
 *
 * `startTask` answers before its task is on disk; `flush` tells when it is. The queue is the truth: runs follow it,
 * whichever process works on them, and after a restart the active runs are the queue's.
 */
import { type Clock, systemClock } from "../domain/clock.ts";
import { messageOf, permanentError, QueueError } from "../domain/errors.ts";
import { checkName, checkOptions } from "../domain/check.ts";
import { resolveGraceMs } from "../domain/grace_time.ts";
import type { GivenRun, Run } from "../domain/run.ts";
import { isFinal, type NewTask, type Task, TASK_LIMITS, type TaskStatus } from "../domain/task.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { type Handler, type HandlerOptions, HandlerRegistry } from "../worker/handler_registry.ts";
import type { LogStore } from "../worker/log_store.ts";
import { Worker } from "../worker/worker.ts";
import type { WorkerEvent } from "../worker/worker_log.ts";
import type { WorkerOptions } from "../worker/worker_options.ts";
import { HeardLogs, type LogListener } from "./heard_logs.ts";
import { QueueFollower } from "./queue_follower.ts";
import type { RunRegistry } from "./run_registry.ts";
import { checkOwnType, closedError, knownRun, perform, takeNewRun, takeWork } from "./run_rules.ts";
import type { CloseOptions, TaskManager, TaskWork } from "./task_manager.ts";

/** How to make a QueuedTaskManager. */
export interface QueuedTaskManagerOptions {
  /** The handlers of the embedded worker; `registerTask` adds to them. Default none. */
  readonly handlers?: HandlerRegistry;
  /**
   * Options of the worker in this process, or `false` for none: other processes run the handlers then, and this one only what
   * is given to `startTask`. Default a worker with the defaults of `Worker`.
   */
  readonly worker?: false | Partial<Omit<WorkerOptions, "queue" | "handlers">>;
  /** Keeps what handlers log; default nowhere. */
  readonly logs?: LogStore;
  /** Called with what work says in this process through `context.log`; what it throws is not the work's failure. Default: none. */
  readonly onLog?: LogListener;
  /** How large a run's parameters may be, in bytes: what the queue was opened with; default 256 KiB. */
  readonly payloadMaxBytes?: number;
  /** Time and timers; default the system's. */
  readonly clock?: Clock;
  /** Whether `close` also closes the queue and the logs; default true. */
  readonly ownsQueue?: boolean;
}

/** How to schedule a task, apart from its type and payload. */
export type ScheduleOptions = Omit<NewTask, "type" | "payload">;

/** Where a task is. Everything but `status` and what was asked for is `null` when the status is `not_found`. */
export interface TaskStatusReport {
  /** The id of the task. */
  readonly taskId: number | null;
  /** The id of its run. */
  readonly runId: string | null;
  /** Where it is. */
  readonly status: TaskStatus | "not_found";
  /** Its type: the module's id. */
  readonly type: string | null;
  /** Executions started. */
  readonly attempts: number | null;
  /** Executions allowed. */
  readonly maxAttempts: number | null;
  /** Why it last failed or was cancelled, or why the queue would not store it. */
  readonly errorMessage: string | null;
  /** When it was stored. */
  readonly createdAt: Date | null;
  /** When its latest execution started. */
  readonly startedAt: Date | null;
  /** When it reached its final status. */
  readonly finishedAt: Date | null;
  /** The worker that holds the task, or held it last. */
  readonly lockedBy: string | null;
  /** 0–100. */
  readonly progress: number | null;
  /** What the handler returned. */
  readonly result: unknown;
}

/** A run whose task is on its way into the queue. */
interface PendingRun {
  readonly run: Run;
  /** What this process is to do for the run, when no registered handler does it. */
  readonly handler: Handler | null;
  /** Resolves to the task as it was stored, or to `null` when the queue refused it. */
  stored: Promise<Task | null>;
  /** Cancelled while it was pending, so its work must not begin. */
  cancelled: boolean;
}

/** Runs work on a durable queue. */
export class QueuedTaskManager implements TaskManager {
  /** Every run this manager has seen: its own, those of other processes, and those active at the start. */
  readonly registry: RunRegistry;
  /** The queue beneath. */
  readonly queue: TaskQueue;
  /** The handlers of the embedded worker. */
  readonly handlers: HandlerRegistry;
  readonly #options: QueuedTaskManagerOptions;
  readonly #follower: QueueFollower;
  readonly #pending = new Map<string, PendingRun>();
  /** Work that this process was given, by task, until the task is final. */
  readonly #ownWork = new Map<number, Handler>();
  /** Whether the worker of this process runs registered handlers, or only the work that was given to `startTask`. */
  readonly #embedded: boolean;
  readonly #heardLogs: HeardLogs | null;
  #worker: Worker | null = null;
  /** Why the queue would not store a run, for whoever asks for this run. */
  readonly #refusals = new WeakMap<Run, { readonly error: unknown }>();
  /** What `open` or the next `flush` throws. */
  #failure: { readonly error: unknown } | null = null;
  #isLoaded = false;
  #closed: Promise<void> | null = null;
  /** The shortest grace time that was asked for so far. */
  #graceMs = Infinity;
  #isStopping = false;

  /**
   * Begins to work and to read the active runs at once; `open` also waits for the reading. Close the manager before its
   * queue: it is not notified when the queue is gone.
   *
   * @throws TypeError, RangeError for a worker's option out of its range.
   */
  constructor(queue: TaskQueue, registry: RunRegistry, options: QueuedTaskManagerOptions = {}) {
    this.queue = queue;
    this.registry = registry;
    this.handlers = options.handlers ?? new HandlerRegistry();
    this.#options = options;
    this.#embedded = options.worker !== false;
    this.#heardLogs = options.onLog ? new HeardLogs(options.logs, options.onLog) : null;
    if (this.#embedded) this.#worker = this.#makeWorker(this.handlers);
    this.#follower = new QueueFollower(queue, registry, {
      clock: options.clock ?? systemClock,
      onError: (error) => this.#readFailed(error),
      onTask: (task) => this.#keepWorking(task),
    });
    this.#follower.loaded().then(() => this.#isLoaded = true);
    this.#worker?.start();
  }

  /**
   * A manager that already knows the active runs of the queue.
   *
   * @throws StorageError, QueueError when they cannot be read; the queue stays open then.
   */
  static async open(
    queue: TaskQueue,
    registry: RunRegistry,
    options: QueuedTaskManagerOptions = {},
  ): Promise<QueuedTaskManager> {
    const manager = new QueuedTaskManager(queue, registry, options);
    try {
      await manager.#follower.loaded();
      manager.#throwFailure();
      return manager;
    } catch (error) {
      await manager.#stopWorking(0);
      throw error;
    }
  }

  /**
   * Registers the handler of a task type with the embedded worker.
   *
   * @param description One line for people.
   * @throws TypeError when the type is taken and `allowOverride` is not set, or an argument is out of its range.
   */
  registerTask(
    type: string,
    handler: Handler,
    description = "",
    options: Omit<HandlerOptions, "description"> = {},
  ): void {
    checkOwnType(type);
    this.handlers.register(type, handler, { ...options, description });
  }

  /**
   * Starts a run, as `TaskManager` says.
   *
   * The task's type is `run.moduleId`, its payload `run.parameters`. If the embedded worker has a handler for the type, that
   * runs it. Else this process does `work`, and only this one: the task is leased to it in the transaction that stores it, which
   * is its first attempt. Without `work` the task waits for a worker that has a handler. Work that throws fails its run at
   * once; if this process dies, the task is rescued like any other.
   *
   * The task is on disk when `flush` resolves. If it cannot be stored, the run fails, and `flush` rejects.
   */
  startTask(run: GivenRun, work?: TaskWork): string {
    if (work !== undefined) takeWork(work);
    this.#checkOpen("start a run");
    takeNewRun(run, this.registry, {
      active: this.#follower.isActive(run?.runId),
      payloadMaxBytes: this.#options.payloadMaxBytes,
      checkParameters: (type, parameters) => this.#checkPayload(type, parameters),
    });
    const type = run.moduleId.trim();
    const handled = this.#embedded && this.handlers.has(type);
    const handler = handled || work === undefined ? null : handlerOf(work);
    this.#follower.begin(run);
    const pending: PendingRun = { run, handler, stored: NOT_STORED, cancelled: false };
    this.#pending.set(run.runId, pending);
    pending.stored = this.#store(pending, type);
    return run.runId;
  }

  /** Cancels an active run, also one of another process: its handler hears of it within a second. `false` once closed. */
  async cancelTask(runId: string): Promise<boolean> {
    return await this.#unlessClosed(() => this.#cancelRun(runId)) ?? false;
  }

  async #cancelRun(runId: string): Promise<boolean> {
    const pending = this.#pending.get(runId);
    if (pending !== undefined) pending.cancelled = true;
    const task = await (pending?.stored ?? this.#taskOf(runId));
    if (!task) return false;
    try {
      return await this.#cancel(runId, task.id);
    } catch (error) {
      if (pending !== undefined) this.#takeUp(pending, task);
      throw error;
    }
  }

  /** Resolves when no run is active. It is active until its task is final, so one scheduled for later is waited for. */
  waitAll(): Promise<void> {
    return this.#follower.idle();
  }

  /** How many runs are active, those of other processes included. */
  getActiveTaskCount(): number {
    return this.#follower.activeCount();
  }

  /** The ids of the active runs, in the order in which this manager came to know them. */
  getActiveTaskIds(): string[] {
    return this.#follower.activeIds();
  }

  /** Whether a run with this id is active. */
  isTaskActive(runId: string): boolean {
    return this.#follower.isActive(runId);
  }

  /**
   * Stores a task and resolves to its id when it is on disk. A known idempotency key gives the id of the task that has it.
   *
   * @throws TypeError, RangeError for a field out of its range, or a payload that the registered handler refuses.
   * @throws QueueError `idempotency_conflict`, `run_id_conflict`, `queue_closed`.
   */
  async scheduleTask(
    type: string,
    payload: unknown = {},
    options: ScheduleOptions = {},
  ): Promise<number> {
    this.#checkOpen("schedule a task");
    checkOptions(options, SCHEDULE_OPTIONS, "scheduleTask");
    const check = this.#payloadCheck(type, payload);
    if (check !== undefined) await check;
    const { task } = await this.queue.enqueue({ ...options, type, payload });
    this.#follower.stored(task);
    return task.id;
  }

  /** Stores up to 100,000 tasks, all of them or none; resolves to their ids, in the same order. Errors as in `scheduleTask`. */
  async scheduleTasks(tasks: readonly NewTask[]): Promise<number[]> {
    this.#checkOpen("schedule tasks");
    for (const task of tasks) {
      checkOptions(task, TASK_OPTIONS, "a task");
      const check = this.#payloadCheck(task.type, task.payload);
      if (check !== undefined) await check;
    }
    const results = await this.queue.enqueueBatch(tasks);
    for (const { task } of results) this.#follower.stored(task);
    return results.map(({ task }) => task.id);
  }

  /**
   * Where a task is, by its id (a number) or its run id (a string); a number in a string is a run id.
   *
   * @throws TypeError for neither; RangeError for a number that is no integer of at least 0; StorageError, QueueError
   * `queue_closed`.
   */
  async getTaskStatus(idOrRunId: number | string): Promise<TaskStatusReport> {
    if (typeof idOrRunId !== "number" && typeof idOrRunId !== "string") {
      throw new TypeError(
        `Cannot look up ${
          JSON.stringify(idOrRunId) ?? typeof idOrRunId
        }: a task id or a run id is needed`,
      );
    }
    const task = typeof idOrRunId === "number"
      ? await this.queue.get(idOrRunId)
      : await this.#taskOf(idOrRunId);
    return task === undefined ? this.#notFound(idOrRunId) : reportOf(task);
  }

  /**
   * Resolves when the task of this run is on disk.
   *
   * @throws What kept this run from being stored; QueueError `task_not_found` when the registry knows no such run.
   */
  async whenStored(runId: string): Promise<void> {
    await this.#pending.get(runId)?.stored;
    const refusal = this.#refusals.get(knownRun(this.registry, runId));
    if (refusal !== undefined) throw refusal.error;
  }

  /**
   * Resolves when every run started so far is on disk.
   *
   * @throws The first error since the last `flush` that kept a run from being stored; each such run tells its own. After
   * the constructor also the error that kept the active runs from being read at first.
   */
  async flush(): Promise<void> {
    await this.#allStored();
    await this.#follower.loaded();
    await this.#unlessClosed(() => this.queue.flush());
    this.#throwFailure();
  }

  /**
   * Stops claiming, lets the runs of this process go on for the grace time, gives the rest back to the queue, and has the
   * registry write its history. Calling it again waits for the same end, which a shorter grace time brings about sooner.
   *
   * @throws TypeError, RangeError for a grace time out of its range; StorageError when the queue cannot be closed, or the history
   * cannot be written.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    this.#graceMs = Math.min(this.#graceMs, resolveGraceMs(options.graceMs));
    this.#closed ??= this.#close();
    if (this.#isStopping) await this.#worker?.stop({ graceMs: this.#graceMs });
    await this.#closed;
  }

  async #close(): Promise<void> {
    try {
      await this.#allStored();
      this.#isStopping = true;
      await this.#stopWorking(this.#graceMs);
      await this.registry.flush();
    } finally {
      if (this.#options.ownsQueue ?? true) await this.#closeQueue();
    }
  }

  async #closeQueue(): Promise<void> {
    try {
      await this.queue.close();
    } finally {
      this.#options.logs?.close();
    }
  }

  async #stopWorking(graceMs: number): Promise<void> {
    try {
      await this.#worker?.stop({ graceMs });
      await this.#follower.settled();
    } finally {
      await this.#follower.stop();
    }
  }

  async #allStored(): Promise<void> {
    await Promise.all([...this.#pending.values()].map((pending) => pending.stored));
  }

  /** Puts a run's task into the queue. */
  async #store(pending: PendingRun, type: string): Promise<Task | null> {
    const { run } = pending;
    const { runId, parameters: payload, priority, maxAttempts, retryPolicy } = run;
    const wanted = { type, payload, priority, runId, maxAttempts, retryPolicy };
    // What is cancelled in the same breath never begins.
    await Promise.resolve();
    try {
      return await this.#enqueue(pending, wanted);
    } catch (error) {
      this.#failure ??= { error };
      this.#refusals.set(run, { error });
      this.#follower.refuse(run, messageOf(error));
      return null;
    } finally {
      this.#pending.delete(runId);
    }
  }

  /** What this process was given it has from the start, unless it was cancelled meanwhile. */
  async #enqueue(pending: PendingRun, wanted: NewTask): Promise<Task> {
    const { handler } = pending;
    if (handler !== null && !pending.cancelled) {
      return await this.#ownWorker().enqueueOwn(wanted, (task) => this.#begin(pending, task));
    }
    const runAfter = pending.cancelled ? this.#notYet() : undefined;
    const { task } = await this.queue.enqueue({ ...wanted, runAfter });
    this.#follower.stored(task);
    return task;
  }

  /** What is cancelled before it is stored must not be done by another process before the queue knows. */
  #notYet(): Date {
    const { clock = systemClock } = this.#options;
    return new Date(clock.nowMs() + CANCEL_LEAD_MS);
  }

  /** What the worker is to do for a task that it has; its run says that it runs by then. */
  #begin(pending: PendingRun, task: Task): Handler | null {
    this.#follower.stored(task);
    if (pending.cancelled || pending.handler === null) return null;
    this.#ownWork.set(task.id, pending.handler);
    return pending.handler;
  }

  /** Does a run's own work after all. */
  #takeUp({ handler }: PendingRun, task: Task): void {
    if (handler === null || this.#ownWork.has(task.id)) return;
    this.#ownWork.set(task.id, handler);
    if (task.status === "leased") this.#ownWorker().resume(task, handler);
    else this.#ownWorker().adopt(task.id, handler);
  }

  #ownWorker(): Worker {
    this.#worker ??= this.#makeWorker(new HandlerRegistry());
    this.#worker.start();
    return this.#worker;
  }

  /** Takes up own work again that lost its lease, as after a suspend: no other process may have a handler for it. */
  #keepWorking(task: Task): void {
    const handler = this.#ownWork.get(task.id);
    if (handler === undefined) return;
    if (isFinal(task.status)) this.#ownWork.delete(task.id);
    else if (task.status === "queued" && this.#closed === null) {
      this.#worker?.adopt(task.id, handler);
    }
  }

  #makeWorker(handlers: HandlerRegistry): Worker {
    const { clock, worker } = this.#options;
    const logs = this.#heardLogs ?? this.#options.logs;
    const options = worker || {};
    return new Worker({
      clock,
      logs,
      ...options,
      queue: this.queue,
      handlers,
      onEvent: (event) => {
        this.#hear(event);
        options.onEvent?.(event);
      },
    });
  }

  /** Before the work of a task begins, its run says that it runs. */
  #hear({ kind, task }: WorkerEvent): void {
    if (task === undefined || kind === "error") return;
    if (kind !== "started") return this.#heardLogs?.ended(task);
    this.#heardLogs?.began(task);
    this.#follower.leased(task);
  }

  async #cancel(runId: string, taskId: number): Promise<boolean> {
    try {
      const cancelled = await this.queue.cancel(taskId);
      await this.#follower.refresh(runId, taskId);
      return cancelled;
    } catch (error) {
      if (error instanceof QueueError && error.code === "task_not_found") return false;
      throw error;
    }
  }

  async #taskOf(runId: string): Promise<Task | undefined> {
    await this.#pending.get(runId)?.stored;
    return this.#follower.isRefused(runId) ? undefined : await this.queue.getByRunId(runId);
  }

  #notFound(idOrRunId: number | string): TaskStatusReport {
    const runId = typeof idOrRunId === "string" ? idOrRunId : null;
    const run = runId === null ? undefined : this.registry.getRun(runId);
    return {
      ...NOT_FOUND,
      taskId: typeof idOrRunId === "number" ? idOrRunId : null,
      runId,
      errorMessage: run?.errorMessage ?? null,
    };
  }

  /** Nothing to wait for where there is no schema, so that what is stored is stored in this turn. */
  #payloadCheck(type: string, payload: unknown = {}): Promise<unknown> | undefined {
    const name = checkName(type, "task type", TASK_LIMITS.typeMaxLength);
    if ((this.handlers.get(name)?.payload ?? null) === null) return undefined;
    return this.handlers.checkPayloadAsync(name, payload);
  }

  #checkPayload(type: string, payload: unknown = {}): void {
    const name = checkName(type, "task type", TASK_LIMITS.typeMaxLength);
    if (this.handlers.has(name)) this.handlers.checkPayload(name, payload);
  }

  /** What a closed manager is asked is answered as it is in memory: there is nothing left to do. */
  async #unlessClosed<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      const isClosed = error instanceof QueueError && error.code === "queue_closed";
      if (isClosed && this.#closed !== null) return undefined;
      throw error;
    }
  }

  #checkOpen(what: string): void {
    if (this.#closed !== null) throw closedError(what);
  }

  /** A read is tried again until it succeeds, so only the first, which others wait for, reports that it failed. */
  #readFailed(error: unknown): void {
    if (!this.#isLoaded) this.#failure ??= { error };
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
  }
}

const SCHEDULE_OPTIONS = Object.keys(
  {
    priority: true,
    runAfter: true,
    idempotencyKey: true,
    maxAttempts: true,
    compatibility: true,
    runId: true,
    retryPolicy: true,
    timeoutMs: true,
    dependsOn: true,
    onParentFailure: true,
    webhook: true,
  } satisfies Record<keyof ScheduleOptions, true>,
);

const TASK_OPTIONS = ["type", "payload", ...SCHEDULE_OPTIONS];

/** Does `work` for a task. It cannot be repeated as it is, so its errors are final, as they are in memory. */
function handlerOf(work: TaskWork): Handler {
  return async (_task, context) => {
    try {
      return await perform(work, context);
    } catch (error) {
      throw context.signal.aborted ? error : permanentError(error);
    }
  };
}

/** How long no worker may begin a run that was cancelled before it was stored; cancelling takes one more commit. */
const CANCEL_LEAD_MS = 1000;

const NOT_STORED = Promise.resolve(null);

const NOT_FOUND: TaskStatusReport = Object.freeze({
  taskId: null,
  runId: null,
  status: "not_found",
  type: null,
  attempts: null,
  maxAttempts: null,
  errorMessage: null,
  createdAt: null,
  startedAt: null,
  finishedAt: null,
  lockedBy: null,
  progress: null,
  result: null,
});

function reportOf(task: Task): TaskStatusReport {
  return {
    taskId: task.id,
    runId: task.runId,
    status: task.status,
    type: task.type,
    attempts: task.attempts,
    maxAttempts: task.maxAttempts,
    errorMessage: task.errorMessage,
    createdAt: task.createdAt,
    startedAt: task.processingStarted,
    finishedAt: task.finishedAt,
    lockedBy: task.lockedBy,
    progress: task.progress,
    result: task.result,
  };
}
