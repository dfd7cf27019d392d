/**
 * QueuedTaskManager: the TaskManager on a durable queue.
 *
 * `startTask` answers before its task is on disk; `flush` resolves when it is. The queue is the truth: runs follow it,
 * whichever process works on them, and after a restart the active runs are the queue's.
 */
import { systemClock } from "../domain/clock.ts";
import { QueueError } from "../domain/errors.ts";
import { checkName } from "../domain/check.ts";
import { resolveGraceMs } from "../domain/grace_time.ts";
import { checkOptions } from "../domain/options.ts";
import type { GivenRun } from "../domain/run.ts";
import { shownValue } from "../domain/shown_value.ts";
import { isFinal, type NewTask, type Task, TASK_LIMITS } from "../domain/task.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { type Handler, type HandlerOptions, HandlerRegistry } from "../worker/handler_registry.ts";
import type { WorkerEvent } from "../worker/worker_log.ts";
import { HeardLogs } from "./heard_logs.ts";
import { handlerOf, OwnWork } from "./own_work.ts";
import { QUEUED_OPTIONS, type QueuedTaskManagerOptions } from "./manager_options.ts";
import { PendingRuns } from "./pending_runs.ts";
import { QueueFollower } from "./queue_follower.ts";
import type { RunRegistry } from "./run_registry.ts";
import { checkOwnType, closedError, knownRun, takeNewRun, takeWork } from "./run_rules.ts";
import { checkScheduleOptions, checkTaskFields, type ScheduleOptions } from "./schedule_options.ts";
import { notFound, reportOf, type TaskStatusReport } from "./task_status_report.ts";
import type { CloseOptions, TaskManager, TaskWork } from "./task_manager.ts";

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
  readonly #pending: PendingRuns;
  readonly #ownWork: OwnWork;
  readonly #heardLogs: HeardLogs | null;
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
    checkOptions(options, QUEUED_OPTIONS, "QueuedTaskManager");
    this.queue = queue;
    this.registry = registry;
    this.handlers = options.handlers ?? new HandlerRegistry();
    this.#options = options;
    this.#heardLogs = options.onLog ? new HeardLogs(options.logs, options.onLog) : null;
    this.#ownWork = new OwnWork({
      queue,
      handlers: this.handlers,
      worker: options.worker ?? {},
      clock: options.clock,
      logs: this.#heardLogs ?? options.logs,
      onEvent: (event) => this.#hear(event),
    });
    this.#follower = new QueueFollower(queue, registry, {
      clock: options.clock ?? systemClock,
      onError: (error) => this.#readFailed(error),
      onTask: (task) => this.#onTask(task),
    });
    this.#pending = new PendingRuns({
      queue,
      follower: this.#follower,
      ownWork: this.#ownWork,
      onRefused: (error) => this.#failure ??= { error },
    });
    this.#follower.loaded().then(() => this.#isLoaded = true);
    this.#ownWork.start();
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
    const handled = this.#ownWork.isEmbedded && this.handlers.has(type);
    const handler = handled || work === undefined ? null : handlerOf(work);
    this.#pending.store(run, type, handler);
    return run.runId;
  }

  /** Cancels an active run, also one of another process: its handler's signal fires within a second. `false` once closed. */
  async cancelTask(runId: string): Promise<boolean> {
    return await this.#unlessClosed(() => this.#cancelRun(runId)) ?? false;
  }

  async #cancelRun(runId: string): Promise<boolean> {
    const pending = this.#pending.cancel(runId);
    const task = await (pending?.stored ?? this.#taskOf(runId));
    if (!task) return false;
    if (isFinal(task.status)) {
      await this.#follower.refresh(runId, task.id); // a queue elsewhere tells of its changes later
      return pending !== undefined && task.status === "cancelled";
    }
    try {
      return await this.#cancel(runId, task.id);
    } catch (error) {
      if (pending?.handler) this.#ownWork.takeUp(task, pending.handler);
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
   * Enqueues a task and resolves to its id when it is on disk; it runs once, at its `runAfter`. (What repeats is stored by the
   * queue's `addSchedule`.) A known idempotency key gives the id of the task that has it.
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
    checkScheduleOptions(options);
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
      checkTaskFields(task);
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
   * @throws TypeError for neither; RangeError for a number that is not an integer of at least 0; StorageError, QueueError
   * `queue_closed`.
   */
  async getTaskStatus(idOrRunId: number | string): Promise<TaskStatusReport> {
    if (typeof idOrRunId !== "number" && typeof idOrRunId !== "string") {
      throw new TypeError(
        `Cannot look up ${shownValue(idOrRunId)}: a task id or a run id is needed`,
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
    await this.#pending.stored(runId);
    const refusal = this.#pending.refusalOf(knownRun(this.registry, runId));
    if (refusal !== undefined) throw refusal.error;
  }

  /**
   * Resolves when every run started so far is on disk.
   *
   * @throws The first error since the last `flush` that kept a run from being stored; each such run shows its own. After
   * the constructor also the error that kept the active runs from being read at first.
   */
  async flush(): Promise<void> {
    await this.#pending.allStored();
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
    this.#graceMs = Math.min(this.#graceMs, resolveGraceMs(options, "close"));
    this.#closed ??= this.#close();
    if (this.#isStopping) await this.#ownWork.stop(this.#graceMs);
    await this.#closed;
  }

  async #close(): Promise<void> {
    try {
      await this.#pending.allStored();
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
      await this.#options.logs?.close();
    }
  }

  async #stopWorking(graceMs: number): Promise<void> {
    try {
      await this.#ownWork.stop(graceMs);
      await this.#follower.caughtUp();
    } finally {
      await this.#follower.stop();
    }
  }

  #onTask(task: Task): void {
    this.#ownWork.forgetFinal(task);
    if (this.#closed === null) this.#ownWork.keepWorking(task);
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
    await this.#pending.stored(runId);
    return this.#follower.isRefused(runId) ? undefined : await this.queue.getByRunId(runId);
  }

  #notFound(idOrRunId: number | string): TaskStatusReport {
    const runId = typeof idOrRunId === "string" ? idOrRunId : null;
    const run = runId === null ? undefined : this.registry.getRun(runId);
    const taskId = typeof idOrRunId === "number" ? idOrRunId : null;
    return notFound({ taskId, runId, errorMessage: run?.errorMessage ?? null });
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
