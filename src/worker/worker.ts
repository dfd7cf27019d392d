/**
 * The worker: claims due tasks, runs their handlers under leases, and tells the queue how each ended.
 *
 * A storage error is never a handler's failure and never ends the loop; a handler's error never ends the process.
 */
import { checkInteger, checkName, checkPairs } from "../domain/check.ts";
import { CLAIM_ORDERS, type ClaimOrder, isClaimOrder } from "../domain/claim_order.ts";
import { type CancelTimer, type Clock, sleep, systemClock } from "../domain/clock.ts";
import { messageOf, QueueError } from "../domain/errors.ts";
import { isFinal, type NewTask, type Task, TASK_LIMITS, type TaskStatus } from "../domain/task.ts";
import type { WorkerBeat } from "../queue/operator.ts";
import type { ClaimRequest, TaskChange, TaskChanges, TaskQueue } from "../queue/task_queue.ts";
import { inAttemptSpan } from "./attempt_span.ts";
import { Doorbell } from "./doorbell.ts";
import { Execution, type ExecutionReport } from "./execution.ts";
import type { Handler, HandlerEntry, HandlerRegistry } from "./handler_registry.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { LogStore } from "./log_store.ts";
import type { StuckThread } from "./thread_endings.ts";
import { ThreadWatch } from "./thread_watch.ts";
import { logClaim, logEvent, logStart, logStop, type WorkerEvent } from "./worker_log.ts";

/** The kinds of a worker's settings. */
export interface WorkerDefaults {
  /** Tasks at the same time. */
  readonly concurrency: number;
  /** The most tasks at the same time that can be asked for. */
  readonly concurrencyMax: number;
  /** How long a lease lasts, in milliseconds. */
  readonly leaseDurationMs: number;
  /** How often to look for due tasks at least, in milliseconds. */
  readonly pollIntervalMs: number;
  /** The longest such interval that can be asked for, in milliseconds. */
  readonly pollIntervalMaxMs: number;
  /** How long running handlers may go on when the worker stops, in milliseconds. */
  readonly graceMs: number;
}

/** The worker's settings where nothing else is said. */
export const WORKER_DEFAULTS: WorkerDefaults = Object.freeze({
  concurrency: 4,
  concurrencyMax: 1000,
  leaseDurationMs: TASK_LIMITS.leaseDurationDefaultMs,
  pollIntervalMs: 1000,
  pollIntervalMaxMs: 60_000,
  graceMs: 10_000,
});

/** How a worker works. */
export interface WorkerOptions {
  /** Where its tasks come from, and where it says that it lives. */
  readonly queue: TaskQueue;
  /** Only tasks of these types, at most 1,000, are claimed. */
  readonly handlers: HandlerRegistry;
  /** 1–200 characters, unique among the workers of a queue; default a random one. */
  readonly workerId?: string;
  /** How many tasks run at the same time, 1–1000; default 4. */
  readonly concurrency?: number;
  /** What this worker can do; a task's compatibility pairs must all be here. Default `{}`. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
  /** Which due task comes first; default `priority`. */
  readonly strategy?: ClaimOrder;
  /** How long a lease lasts, renewed every third of it: 100 ms to 24 h; default 10,000 ms. */
  readonly leaseDurationMs?: number;
  /**
   * How often to look for due tasks at least, 1 to 60,000 ms; default 1000. New tasks and those whose time comes are
   * noticed anyway; this bounds what a clock that jumps can cost.
   */
  readonly pollIntervalMs?: number;
  /** Keeps what handlers log; default nowhere. */
  readonly logs?: LogStore;
  /** Default the system's. */
  readonly clock?: Clock;
  /** Is told of everything that happens; default nobody. */
  readonly onEvent?: (event: WorkerEvent) => void;
}

/** How a worker stops. */
export interface StopOptions {
  /**
   * How long running handlers may go on before their signal fires, in milliseconds, from 0; `Infinity` for as long as they
   * take; default 10,000.
   */
  readonly graceMs?: number;
}

/** How many adopted tasks are claimed together. */
const ADOPT_MAX = 256;

/** As many as the queue takes task types in a heartbeat. */
const HANDLERS_MAX = 1000;

/** How long the loop rests after a storage error. */
const ERROR_PAUSE_MS = 500;

/** Executes the tasks of a queue. */
export class Worker {
  /** Who this is in `lockedBy`. */
  readonly workerId: string;
  readonly #queue: TaskQueue;
  readonly #handlers: HandlerRegistry;
  readonly #settings: WorkerSettings;
  readonly #logs: LogStore | null;
  readonly #clock: Clock;
  readonly #onEvent: (event: WorkerEvent) => void;
  /** What runs, with the promise of its end. */
  readonly #running = new Map<Execution, Promise<void>>();
  /** The latest execution of each task that runs: one that lost its lease may still be ending beside its successor. */
  readonly #latest = new Map<number, Execution>();
  /** The threads of handlers, from the moment when they are told to end. */
  readonly #threadsEnding = new Set<Promise<void>>();
  readonly #adopted = new Map<number, Handler>();
  /** What happened to tasks while a claim was under way: one of them may be ours by now. */
  readonly #early = new Map<number, TaskChange>();
  #claimsUnderWay = 0;
  #giftsUnderWay = 0;
  #slotsTaken = 0;
  #looping: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #graceOver = Promise.withResolvers<void>();
  /** Whose renewal is under way. */
  readonly #renewing = new Set<Execution>();
  #unwatch: () => void = () => {};
  #unwatchHandlers: () => void = () => {};
  #heartbeat: Heartbeat | undefined;
  #cancelRenewal: CancelTimer = () => {};
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
  }

  /** How many handlers run at this moment. */
  get runningCount(): number {
    return this.#running.size;
  }

  /**
   * Begins to claim and run tasks. Calling it again has no effect; a stopped worker stays stopped.
   *
   * @throws RangeError when there are more than 1,000 handlers: the queue would refuse each heartbeat, and list no such worker.
   */
  start(): void {
    if (this.#looping !== undefined || this.#stopping !== undefined) return;
    checkInteger(this.#handlers.types().length, "number of handlers", 0, HANDLERS_MAX);
    this.#unwatch = this.#queue.watch((changes) => this.#onChanges(changes));
    this.#scheduleRenewal();
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
    const graceMs = checkGraceMs(options.graceMs ?? WORKER_DEFAULTS.graceMs);
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
   * can take it. `handlerOf` is told of it at once and says what is run for it, whatever its type; it takes no slot.
   * A task that it leaves, or that its idempotency key names already, is not run.
   *
   * @throws As the queue's `enqueue`.
   */
  async enqueueOwn(task: NewTask, handlerOf: (task: Task) => Handler | null): Promise<Task> {
    const { workerId, leaseDurationMs } = this.#settings;
    this.#giftsUnderWay++;
    try {
      const options = { leaseTo: { workerId, leaseDurationMs } };
      const { task: stored, created } = await this.#queue.enqueue(task, options);
      const handler = handlerOf(stored);
      if (created && handler !== null) this.#execute(stored, handler, false);
      return stored;
    } finally {
      this.#giftsUnderWay--;
      this.#forgetEarly();
    }
  }

  /** Runs `handler` for a task that `enqueueOwn` left. */
  resume(task: Task, handler: Handler): void {
    this.#lookAt(this.#execute(task, handler, false));
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
    return concurrency === null ? free : Math.min(free, concurrency - this.#countRunning(type));
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
      this.#execute(task, this.#handlers.get(task.type)!.handler, true);
    };
    return await this.#claim(request, execute) === 0;
  }

  /** Claims, and executes each task that it gets. Changes that arrive meanwhile are kept for the executions to come. */
  async #claim(
    request: Pick<ClaimRequest, "types" | "limit" | "taskId">,
    execute: (task: Task) => void,
  ): Promise<number> {
    this.#claimsUnderWay++;
    try {
      const tasks = await this.#queue.claim({ ...this.#settings, ...request });
      logClaim(this.workerId, tasks);
      for (const task of tasks) execute(task);
      return tasks.length;
    } finally {
      this.#claimsUnderWay--;
      this.#forgetEarly();
    }
  }

  #forgetEarly(): void {
    if (this.#claimsUnderWay + this.#giftsUnderWay === 0) this.#early.clear();
  }

  #freeSlots(): number {
    return this.#settings.concurrency - this.#slotsTaken;
  }

  #countRunning(type: string): number {
    let count = 0;
    for (const { task, hasEnded } of this.#running.keys()) {
      if (task.type === type && !hasEnded) count++;
    }
    return count;
  }

  // --- executing

  #execute(task: Task, handler: Handler, takesSlot: boolean): Execution {
    const execution = new Execution(task, {
      queue: this.#queue,
      clock: this.#clock,
      logs: this.#logs,
      onEnded: () => this.#freeSlot(takesSlot),
      whyLost: (leaseUntilMs) => this.#threadWatch.whyLost(leaseUntilMs),
      onError: (message) => this.#emitError(message, task),
      onThreadEnding: (ending) => this.#awaitThread(ending, task),
    });
    this.#threadWatch.noteTurn();
    this.#latest.set(task.id, execution);
    if (takesSlot) this.#slotsTaken++;
    this.#emit({ kind: "started", task });
    const entry = takesSlot ? this.#handlers.get(task.type) : undefined;
    const work = (): Promise<ExecutionReport> => execution.run(handler, entry);
    const end = inAttemptSpan(this.workerId, task, work).then(
      (report) => this.#emit({ ...report, task }),
      (error) => this.#emitError(messageOf(error), task),
    ).finally(() => {
      this.#running.delete(execution);
      if (this.#latest.get(task.id) === execution) this.#latest.delete(task.id);
    });
    this.#running.set(execution, end);
    const early = this.#early.get(task.id);
    if (early !== undefined) followTask(execution, early);
    this.#early.delete(task.id);
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
      beat: () => this.#describe(),
      onError: (error) => this.#emitError(`Cannot send a heartbeat: ${messageOf(error)}`),
    });
  }

  #describe(): WorkerBeat {
    const { workerId, capabilities, concurrency, strategy } = this.#settings;
    const limited = this.#handlers.entries().filter((entry) => entry.concurrency !== null);
    const typeLimits = Object.fromEntries(limited.map(({ type, concurrency }) => [
      type,
      concurrency!,
    ]));
    const types = this.#handlers.types();
    return { workerId, capabilities, types, concurrency, strategy, typeLimits };
  }

  /** There may be tasks that the new handler can take. */
  #onHandlers(): void {
    this.#heartbeat?.tellChange();
    this.#doorbell.ring();
  }

  /** Renews every lease each third of its length, except one whose last renewal has not been answered yet. */
  #scheduleRenewal(): void {
    const { leaseDurationMs } = this.#settings;
    this.#cancelRenewal = this.#clock.setTimer(() => {
      this.#threadWatch.noteTurn();
      for (const execution of this.#running.keys()) {
        if (execution.needsLease && !this.#renewing.has(execution)) this.#renew(execution);
      }
      this.#scheduleRenewal();
    }, leaseDurationMs / 3);
  }

  #renew(execution: Execution): void {
    const { leaseDurationMs } = this.#settings;
    this.#renewing.add(execution);
    this.#queue.renew(execution.task, { leaseDurationMs }).then(
      (task) => execution.renewed(task.leaseUntil),
      (error) => {
        if (error instanceof QueueError) this.#lookAt(execution);
        else this.#emitError(messageOf(error), execution.task);
      },
    ).finally(() => this.#renewing.delete(execution));
  }

  // --- watching

  #onChanges(changes: TaskChanges): void {
    this.#threadWatch.noteTurn();
    if (changes === "reset") return this.#lookAgain();
    for (const change of changes) {
      const execution = this.#latest.get(change.taskId);
      if (execution !== undefined) followTask(execution, change);
      if (this.#mayBecomeOurs(change)) this.#early.set(change.taskId, change);
      if (
        change.status === "queued" &&
        (this.#handlers.has(change.type) || this.#adopted.has(change.taskId))
      ) this.#doorbell.ring();
    }
  }

  /** While tasks of our own are being stored there may be no end of changes, so that only those are kept that end a lease. */
  #mayBecomeOurs({ taskId, status, lockedBy }: TaskChange): boolean {
    if (this.#claimsUnderWay > 0) return true;
    const endsLease = status === "cancelled" || status === "queued";
    return this.#giftsUnderWay > 0 && endsLease && lockedBy === this.workerId &&
      !this.#latest.has(taskId);
  }

  #lookAgain(): void {
    this.#doorbell.ring();
    for (const execution of this.#latest.values()) this.#lookAt(execution);
  }

  /** Ends an execution whose lease is no longer what the queue says. */
  #lookAt(execution: Execution): void {
    this.#queue.get(execution.task.id).then(
      (task) =>
        task === undefined ? execution.interrupt("lease_lost") : followTask(execution, task),
      (error) => this.#emitError(messageOf(error), execution.task),
    );
  }

  // --- stopping

  async #stop(): Promise<void> {
    this.#doorbell.ring();
    await this.#looping;
    await Promise.race([Promise.all(this.#running.values()), this.#graceOver.promise]);
    for (const execution of this.#running.keys()) execution.interrupt("stopping");
    await Promise.all(this.#running.values());
    await Promise.all(this.#threadsEnding);
    this.#unwatch();
    await this.#stopTimers();
    logStop(this.workerId);
  }

  /** Ends what the worker says of itself and of its leases from time to time. */
  async #stopTimers(): Promise<void> {
    this.#unwatchHandlers();
    this.#cancelRenewal();
    await this.#heartbeat?.stop();
  }

  /** A listener that throws is told so; if it throws at that too, nobody is left to tell. */
  #emit(event: WorkerEvent): void {
    logEvent(this.workerId, event);
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

type WorkerSettings = Required<
  Pick<
    WorkerOptions,
    "workerId" | "concurrency" | "capabilities" | "strategy" | "leaseDurationMs" | "pollIntervalMs"
  >
>;

/** Interrupts an execution when `current` says that its lease has ended. News from before its lease says nothing. */
function followTask(
  execution: Execution,
  current: { readonly status: TaskStatus; readonly leaseToken: number },
): void {
  const { leaseToken } = execution.task;
  if (current.leaseToken < leaseToken) return;
  if (current.leaseToken > leaseToken) execution.interrupt("lease_lost");
  else if (current.status === "cancelled") execution.interrupt("cancelled");
  else if (current.status !== "leased") execution.interrupt("lease_lost");
}

function checkGraceMs(graceMs: unknown): number {
  const problem = "as graceMs: a number of at least 0 is needed";
  if (typeof graceMs !== "number") {
    throw new TypeError(`Cannot use ${JSON.stringify(graceMs) ?? typeof graceMs} ${problem}`);
  }
  if (!(graceMs >= 0)) throw new RangeError(`Cannot use ${graceMs} ${problem}`);
  return graceMs;
}

function resolveSettings(options: WorkerOptions): WorkerSettings {
  const { leaseDurationMinMs, leaseDurationMaxMs, workerIdMaxLength } = TASK_LIMITS;
  const defaults = WORKER_DEFAULTS;
  const strategy = options.strategy ?? "priority";
  if (!isClaimOrder(strategy)) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(strategy)} as strategy: allowed are ${CLAIM_ORDERS.join(", ")}`,
    );
  }
  const leaseDurationMs = options.leaseDurationMs ?? defaults.leaseDurationMs;
  const pollIntervalMs = options.pollIntervalMs ?? defaults.pollIntervalMs;
  return {
    workerId: checkName(
      options.workerId ?? `worker-${crypto.randomUUID()}`,
      "worker id",
      workerIdMaxLength,
    ),
    concurrency: checkInteger(
      options.concurrency ?? defaults.concurrency,
      "concurrency",
      1,
      defaults.concurrencyMax,
    ),
    capabilities: checkPairs(options.capabilities ?? {}, "capabilities"),
    strategy,
    leaseDurationMs: checkInteger(
      leaseDurationMs,
      "leaseDurationMs",
      leaseDurationMinMs,
      leaseDurationMaxMs,
    ),
    pollIntervalMs: checkInteger(pollIntervalMs, "pollIntervalMs", 1, defaults.pollIntervalMaxMs),
  };
}
