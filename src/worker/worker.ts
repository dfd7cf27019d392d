/**
 * The worker: claims due tasks, runs their handlers under leases, and tells the queue how each ended.
 *
 * A storage error is never a handler's failure and never ends the loop; a handler's error never ends the process. While the
 * queue's tasks are being moved elsewhere the loop goes on asking; when they are there, it ends.
 */
import { deferred } from "../domain/deferred.ts";
import { checkInteger } from "../domain/check.ts";
import { type Clock, sleep, systemClock } from "../domain/clock.ts";
import { messageOf, QueueError } from "../domain/errors.ts";
import { isFinal, type NewTask, type Task, TASK_LIMITS } from "../domain/task.ts";
import { WORKER_LIMITS } from "../domain/worker_limits.ts";
import type { ClaimRequest, TaskChanges, TaskQueue } from "../queue/task_queue.ts";
import { inAttemptSpan } from "./attempt_span.ts";
import { Doorbell } from "./doorbell.ts";
import { Execution, type ExecutionReport } from "./execution.ts";
import { Executions } from "./executions.ts";
import { tellFailure } from "./failure_lines.ts";
import type { Handler, HandlerEntry, HandlerRegistry } from "./handler_registry.ts";
import { beatOf, Heartbeat } from "./heartbeat.ts";
import { LeaseKeeper } from "./lease_keeper.ts";
import type { LogStore } from "./log_store.ts";
import type { StuckThread } from "./thread_endings.ts";
import { ThreadWatch } from "./thread_watch.ts";
import { logClaim, logEvent, logStart, logStop, type WorkerEvent } from "./worker_log.ts";
import {
  graceOf,
  resolveSettings,
  type StopOptions,
  type WorkerOptions,
  type WorkerSettings,
} from "./worker_options.ts";

/** How many adopted tasks are claimed together. */
const ADOPT_MAX = 256;

/** How long the loop rests after a storage error. */
const ERROR_PAUSE_MS = 500;

/** Executes the tasks of a queue. */
export class Worker {
  /** The worker's id, as in `lockedBy`. */
  readonly workerId: string;
  readonly #queue: TaskQueue;
  readonly #handlers: HandlerRegistry;
  readonly #settings: WorkerSettings;
  readonly #logs: LogStore | null;
  readonly #clock: Clock;
  readonly #onEvent: (event: WorkerEvent) => void;
  readonly #isQuiet: boolean;
  readonly #executions: Executions;
  readonly #leases: LeaseKeeper;
  /** The threads of handlers, from the moment when they are to end. */
  readonly #threadsEnding = new Set<Promise<void>>();
  /** The handlers of single tasks that are to run here as soon as they can be claimed. */
  readonly #adopted = new Map<number, Handler>();
  #slotsTaken = 0;
  #looping: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #graceOver = deferred<void>();
  #unwatches: readonly ((() => void) | undefined)[] = [];
  #unwatchHandlers: () => void = () => {};
  #heartbeat: Heartbeat | undefined;
  readonly #doorbell: Doorbell;
  readonly #threadWatch: ThreadWatch;

  /** A worker that does nothing before `start`. @throws TypeError, RangeError for an option out of its range. */
  constructor(options: WorkerOptions) {
    this.#settings = resolveSettings(options);
    this.workerId = this.#settings.workerId;
    this.#queue = options.queue;
    this.#handlers = options.handlers;
    this.#logs = options.logs ?? null;
    this.#clock = options.clock ?? systemClock;
    this.#doorbell = new Doorbell(this.#clock);
    this.#threadWatch = new ThreadWatch(this.#clock, this.#settings.leaseDurationMs);
    this.#onEvent = options.onEvent ?? (() => {});
    this.#isQuiet = options.quiet ?? false;
    this.#executions = new Executions(this.workerId);
    this.#leases = new LeaseKeeper({
      queue: this.#queue,
      clock: this.#clock,
      executions: this.#executions,
      leaseDurationMs: this.#settings.leaseDurationMs,
      onTurn: () => this.#threadWatch.noteTurn(),
      onError: (message, task) => this.#emitError(message, task),
    });
  }

  /** How many handlers run at this moment. */
  get runningCount(): number {
    return this.#executions.size;
  }

  /**
   * Begins to claim and run tasks. Calling it again has no effect; a stopped worker stays stopped.
   *
   * @throws RangeError when there are more than 1,000 handlers: the queue would refuse each heartbeat, and list no such worker.
   */
  start(): void {
    if (this.#looping !== undefined || this.#stopping !== undefined) return;
    checkInteger(this.#handlers.types().length, "number of handlers", 0, WORKER_LIMITS.typesMax);
    this.#unwatches = [
      this.#queue.watch(
        (changes) => this.#onChanges(changes),
        (taskId, status) => this.#executions.mayConcern(taskId, status),
      ),
      this.#queue.watchStoring?.((types) => this.#onStoring(types)),
    ];
    this.#leases.start();
    this.#heartbeat = this.#startHeartbeat();
    this.#unwatchHandlers = this.#handlers.watch(() => this.#onHandlers());
    this.#looping = this.#loop();
    logStart(this.workerId, { ...this.#settings, types: this.#handlers.types() });
  }

  /**
   * Stops claiming, lets running handlers go on for the grace time, then fires their signals, gives their tasks back and
   * resolves. Calling it again waits for the same end, which a shorter grace time brings about sooner.
   *
   * @throws TypeError, RangeError for a grace time out of its range; the worker then goes on.
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const graceMs = graceOf(options);
    this.#stopping ??= this.#stop();
    const stopped = new AbortController();
    sleep(this.#clock, graceMs, stopped.signal).then(this.#graceOver.resolve);
    try {
      await this.#stopping;
    } finally {
      stopped.abort();
    }
  }

  /**
   * Stores a task that this worker has from the start: it is leased in the transaction that stores it, so that no other worker
   * can take it. `handlerOf` is called with it at once and says what is run for it, whatever its type; it takes no slot. Where a
   * pause or a limit lets it not start, it is run as soon as it may.
   * A task that it leaves, or that its idempotency key names already, is not run.
   *
   * @throws As the queue's `enqueue`.
   */
  async enqueueOwn(task: NewTask, handlerOf: (task: Task) => Handler | null): Promise<Task> {
    const { workerId, leaseDurationMs } = this.#settings;
    const arrived = this.#executions.expect("own");
    try {
      const options = { leaseTo: { workerId, leaseDurationMs } };
      const { task: stored, created } = await this.#queue.enqueue(task, options);
      const handler = handlerOf(stored);
      if (created && handler !== null) {
        if (stored.status === "leased") this.#execute(stored, handler, false);
        else this.adopt(stored.id, handler);
      }
      return stored;
    } finally {
      arrived();
    }
  }

  /** Runs `handler` for a task that `enqueueOwn` left. */
  resume(task: Task, handler: Handler): void {
    this.#leases.check(this.#execute(task, handler, false));
  }

  /**
   * Runs `handler` for this one task as soon as it is due and unleased, whatever its type; it takes no slot. The task
   * is forgotten when it ends otherwise.
   */
  adopt(taskId: number, handler: Handler): void {
    this.#adopted.set(taskId, handler);
    this.#doorbell.ring();
  }

  // --- claiming

  async #loop(): Promise<void> {
    while (this.#stopping === undefined) {
      try {
        this.#threadWatch.noteTurn();
        const { rings } = this.#doorbell;
        await this.#claimAdopted();
        const isSatisfied = await this.#claimByType();
        if (isSatisfied) await this.#doorbell.sleep(await this.#restMs(), rings);
      } catch (error) {
        if (error instanceof QueueError && error.code === "queue_closed") {
          return await this.#stopTimers();
        }
        if (error instanceof QueueError && error.code === "queue_moved") {
          this.#emit({ kind: "error", message: error.message, isFatal: true });
          return await this.#stopTimers();
        }
        this.#emitError(messageOf(error));
        await sleep(this.#clock, ERROR_PAUSE_MS);
      }
    }
  }

  /** Until the next task becomes due, or it is time to look anyway. */
  async #restMs(): Promise<number> {
    const { pollIntervalMs } = this.#settings;
    const dueAt = await this.#queue.nextDueAt();
    if (dueAt === null) return pollIntervalMs;
    return Math.min(pollIntervalMs, Math.max(1, dueAt.getTime() - this.#clock.nowMs()));
  }

  /** Many at once, so that the claims of a group become one commit. */
  async #claimAdopted(): Promise<void> {
    const adopted = [...this.#adopted];
    for (let at = 0; at < adopted.length && this.#stopping === undefined; at += ADOPT_MAX) {
      const group = adopted.slice(at, at + ADOPT_MAX);
      await Promise.all(group.map(([taskId, handler]) => this.#claimAdoptedTask(taskId, handler)));
    }
  }

  async #claimAdoptedTask(taskId: number, handler: Handler): Promise<void> {
    const claimed = await this.#claim(
      { types: [], limit: 1, taskId },
      (task) => void this.#execute(task, handler, false),
    );
    if (claimed > 0 || await this.#isOver(taskId)) this.#adopted.delete(taskId);
  }

  async #isOver(taskId: number): Promise<boolean> {
    const task = await this.#queue.get(taskId);
    return task === undefined || isFinal(task.status);
  }

  /**
   * Claims for the free slots; `true` when there is nothing more to claim at the moment. All types that have room are asked
   * for together, so that the best tasks come first whatever their type; no more of them than any one type has room for. The
   * rest of the slots goes to the types without a limit of their own, in one claim.
   */
  async #claimByType(): Promise<boolean> {
    const open = this.#handlers.entries().filter((entry) => this.#roomFor(entry) > 0);
    const room = Math.min(...open.map((entry) => this.#roomFor(entry)));
    if (await this.#claimSome(open, room)) return true;
    const common = open.filter(({ concurrency }) => concurrency === null);
    if (common.length < open.length) await this.#claimSome(common, this.#freeSlots());
    return false;
  }

  #roomFor({ type, concurrency }: HandlerEntry): number {
    const free = this.#freeSlots();
    return concurrency === null
      ? free
      : Math.min(free, concurrency - this.#executions.countHandlers(type));
  }

  /**
   * `true` when nothing was there, or nothing could be asked for. Fewer than asked for may be all that one claim can give
   * while more are due.
   */
  async #claimSome(entries: readonly HandlerEntry[], limit: number): Promise<boolean> {
    if (limit <= 0 || entries.length === 0 || this.#stopping !== undefined) return true;
    const types = entries.map(({ type }) => type);
    const request = { types, limit: Math.min(limit, TASK_LIMITS.claimMax) };
    const execute = (task: Task): void => {
      this.#execute(task, this.#handlers.inMiddleware(task.type), true);
    };
    return await this.#claim(request, execute) === 0;
  }

  /** Claims, and executes each task that it gets. Changes that arrive meanwhile are kept for the executions to come. */
  async #claim(
    request: Pick<ClaimRequest, "types" | "limit" | "taskId">,
    execute: (task: Task) => void,
  ): Promise<number> {
    const arrived = this.#executions.expect("claimed");
    try {
      const { workerId, capabilities, strategy, leaseDurationMs } = this.#settings;
      const common = { workerId, capabilities, strategy, leaseDurationMs };
      const tasks = await this.#queue.claim({ ...common, ...request });
      logClaim(this.workerId, tasks);
      for (const task of tasks) execute(task);
      return tasks.length;
    } finally {
      arrived();
    }
  }

  #freeSlots(): number {
    return this.#settings.concurrency - this.#slotsTaken;
  }

  // --- executing

  #execute(task: Task, handler: Handler, takesSlot: boolean): Execution {
    const execution = new Execution(task, {
      queue: this.#queue,
      clock: this.#clock,
      handlers: this.#handlers,
      logs: this.#logs,
      onEnded: () => this.#freeSlot(takesSlot),
      whyLost: (leaseUntilMs) => this.#threadWatch.whyLost(leaseUntilMs),
      onError: (message) => this.#emitError(message, task),
      onThreadEnding: (ending) => this.#awaitThread(ending, task),
    });
    this.#threadWatch.noteTurn();
    if (takesSlot) this.#slotsTaken++;
    this.#executions.run(execution, () => {
      this.#emit({ kind: "started", task });
      const entry = takesSlot ? this.#handlers.get(task.type) : undefined;
      const work = (): Promise<ExecutionReport> => execution.run(handler, entry);
      const by = { workerId: this.workerId, clock: this.#clock };
      return inAttemptSpan(by, task, work).then(
        (report) => this.#emit({ ...report, task }, takesSlot),
        (error) => this.#emitError(messageOf(error), task),
      );
    });
    return execution;
  }

  /** The next task can be claimed in the commit that tells how this one ended. */
  #freeSlot(wasTaken: boolean): void {
    this.#threadWatch.noteTurn();
    if (wasTaken) this.#slotsTaken--;
    this.#doorbell.ring();
  }

  #awaitThread(ending: Promise<StuckThread | null>, task: Task): void {
    const heard = ending.then((stuck) => {
      if (stuck === null) return;
      const message = `Cannot end the thread of task ${task.id}: ${stuck.problem}`;
      this.#emit({ kind: "error", task, message, isFatal: stuck.isFatal });
    }).finally(() => this.#threadsEnding.delete(heard));
    this.#threadsEnding.add(heard);
  }

  #startHeartbeat(): Heartbeat {
    return new Heartbeat({
      queue: this.#queue,
      clock: this.#clock,
      beat: () => beatOf(this.#settings, this.#handlers),
      onError: (error) => this.#emitError(`Cannot send a heartbeat: ${messageOf(error)}`),
    });
  }

  /** There may be tasks that the new handler can take. */
  #onHandlers(): void {
    this.#heartbeat?.tellChange();
    this.#doorbell.ring();
  }

  // --- watching

  #onChanges(changes: TaskChanges): void {
    this.#threadWatch.noteTurn();
    if (changes === "reset") this.#leases.checkAll();
    if (changes === "reset" || changes === "room") return this.#doorbell.ring();
    for (const change of changes) {
      this.#executions.onChange(change);
      if (
        change.status === "queued" &&
        (this.#handlers.has(change.type) || this.#adopted.has(change.taskId))
      ) this.#doorbell.ring();
    }
  }

  /** A claim becomes part of the commit that stores the tasks. */
  #onStoring(types: readonly string[]): void {
    const isWanted = this.#freeSlots() > 0 && types.some((type) => this.#handlers.has(type));
    if (isWanted) this.#doorbell.ring();
  }

  // --- stopping

  async #stop(): Promise<void> {
    this.#doorbell.ring();
    await this.#looping;
    await Promise.race([this.#executions.ended(), this.#graceOver.promise]);
    await this.#executions.stop();
    await Promise.all(this.#threadsEnding);
    for (const unwatch of this.#unwatches) unwatch?.();
    await this.#stopTimers();
    logStop(this.workerId);
  }

  /** Ends what the worker says of itself and of its leases from time to time. */
  async #stopTimers(): Promise<void> {
    this.#unwatchHandlers();
    this.#leases.stop();
    await this.#heartbeat?.stop();
  }

  /** A listener that throws is called with its own error; what it throws then is dropped. */
  #emit(event: WorkerEvent, isOfHandler = true): void {
    logEvent(this.workerId, event);
    if (!this.#isQuiet && isOfHandler) tellFailure(event);
    try {
      this.#onEvent(event);
    } catch (error) {
      if (event.kind !== "error") this.#emitError(`onEvent threw: ${messageOf(error)}`, event.task);
    }
  }

  #emitError(message: string, task?: Task): void {
    this.#emit({ kind: "error", task, message });
  }
}
