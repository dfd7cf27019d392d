/**
 * A simulated process: the real ledger, queue and worker on a simulated disk, with a clock of its own.
 */
import type { CancelTimer, Clock } from "../../src/domain/clock.ts";
import { messageOf, StorageError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import type { Durability } from "../../src/domain/durability.ts";
import { foldFiles, type Folding } from "../../src/ledger/fold.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import type { RecoverySource } from "../../src/ledger/recovery.ts";
import type { SqlEngine } from "../../src/ledger/sql_engine.ts";
import { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { Worker } from "../../src/worker/worker.ts";
import { OrderMonitor, watchLedger } from "../support/order_monitor.ts";
import { Chance } from "./chance.ts";
import type { Call } from "./call.ts";
import { type Checker, isRefusedForGood, whyNotAllowed } from "./checker.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { Edit } from "./file_content.ts";
import type { EventLog } from "./event_log.ts";
import type { LockTable } from "./locks.ts";
import { type CallingProcess, type Promised, recordQueue } from "./recorded_queue.ts";
import type { ProcessId, Scheduler } from "./scheduler.ts";
import { scarceMemory } from "./scarce_memory.ts";
import type { Setup } from "./script.ts";
import { SimulatedStorage } from "./simulated_storage.ts";
import { EngineWatch } from "./engine_watch.ts";
import { CAPABILITIES, handlersFor } from "./task_source.ts";

/** What all processes of a simulation share. */
export interface World {
  readonly scheduler: Scheduler;
  readonly disk: SimulatedDisk;
  readonly locks: LockTable;
  readonly checker: Checker;
  readonly log: EventLog;
  readonly engine: SqlEngine;
  /** Is told of every change of a file, and how many of that file are not durable. */
  readonly onEdit: (kind: Edit["kind"], pendingCount: number) => void;
  /** Is told when a process's append has failed and is not undone yet. */
  readonly onHalfDone: (owner: ProcessId) => void;
  /** Is told of every answer, before its caller goes on. */
  readonly onAnswer: (call: Call, promises: Promised) => void;
  /** Is told of every refusal that says that nothing was written, before its caller goes on. */
  readonly onRefusalForGood: () => void;
}

/** How a process differs from others. */
export interface ProcessOptions {
  readonly seed: number;
  /** How far its clock is ahead of the true time. */
  readonly clockOffsetMs: number;
  readonly setup: Setup;
  readonly durability: Durability;
}

/** What a process's worker does. */
export interface WorkerSettings {
  readonly types: readonly string[];
  /** Whether it has what some tasks need. */
  readonly isCapable: boolean;
  readonly pollIntervalMs?: number;
}

/** Where a process is in its life. */
export type ProcessState = "opening" | "open" | "closing" | "closed" | "dead";

/** A clock that shows another time than the true one, and knows what has been set on it. */
class SkewedClock implements Clock {
  readonly #world: World;
  readonly #owner: SimulatedProcess;
  readonly #timers = new Set<() => void>();

  constructor(world: World, owner: SimulatedProcess) {
    this.#world = world;
    this.#owner = owner;
  }

  /** How many timers are set. */
  get timerCount(): number {
    return this.#timers.size;
  }

  nowMs(): number {
    const nowMs = Math.floor(this.#world.scheduler.nowMs + this.#owner.clockOffsetMs);
    this.#world.checker.noteClock(nowMs);
    return nowMs;
  }

  setTimer(fire: () => void, delayMs: number): CancelTimer {
    this.#timers.add(fire);
    const cancel = this.#world.scheduler.setTimer(this.#owner.id, () => {
      this.#timers.delete(fire);
      fire();
    }, delayMs);
    return () => {
      this.#timers.delete(fire);
      cancel();
    };
  }
}

/** One process. */
export class SimulatedProcess implements CallingProcess {
  readonly id: ProcessId;
  readonly storage: SimulatedStorage;
  /** How far its clock is ahead of the true time. */
  clockOffsetMs: number;
  /** Is told when it dies, while what it was doing is still under way. */
  onDeath: () => void = () => {};
  /** Tasks claimed by hand. */
  readonly held: Task[] = [];
  readonly #world: World;
  readonly #options: ProcessOptions;
  readonly #engine: EngineWatch;
  readonly #monitor: OrderMonitor;
  readonly #clock: SkewedClock;
  /** What handlers set on their clock is theirs. */
  readonly #handlerClock: SkewedClock;
  #state: ProcessState = "opening";
  #isDoubtful = false;
  #hasBackgroundErrors = false;
  #ledger: Ledger | undefined;
  #queue: EmbeddedQueue | undefined;
  #worker: Worker | undefined;
  #runIds = 0;

  constructor(id: ProcessId, world: World, options: ProcessOptions) {
    this.id = id;
    this.#world = world;
    this.#options = options;
    this.#engine = new EngineWatch(world.engine);
    this.clockOffsetMs = options.clockOffsetMs;
    this.#clock = new SkewedClock(world, this);
    this.#handlerClock = new SkewedClock(world, this);
    this.storage = new SimulatedStorage({
      owner: id,
      disk: world.disk,
      locks: world.locks,
      scheduler: world.scheduler,
      chance: new Chance(options.seed),
      shortReadProbability: options.setup.shortReadProbability,
      syncTurnsMax: options.setup.syncTurnsMax,
      forgetsFailedSyncs: options.setup.forgetsFailedSyncs,
      evictsForgotten: options.setup.evictsForgotten && options.setup.durability === "full",
      prefersRoom: options.seed % 4 < 2,
      pretendsToSync: options.setup.pretendsToSync ?? false,
      onDeath: () => this.#onDeath(),
      onMisuse: (what) => world.log.violate(`p${id}: ${what}`),
      onCount: (what) => world.log.count(what),
      onHalfDone: () => world.onHalfDone(id),
      onEdit: world.onEdit,
      onSync: () => this.#onSync(),
      onSnapshot: () => this.#onSnapshot(),
    });
    this.#monitor = new OrderMonitor(this.storage, {
      peek: (name) => this.storage.peek(name),
      onViolation: (what) => world.log.violate(`p${id}: too early: ${what}`),
    });
  }

  get state(): ProcessState {
    return this.#state;
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  get isClosing(): boolean {
    return this.#state === "closing" || this.#state === "closed";
  }

  /** Whether an injected failure has left its ledger refusing to go on. */
  get isDoubtful(): boolean {
    return this.#isDoubtful;
  }

  get durability(): Durability {
    return this.#options.durability;
  }

  /** Whether nobody has been told of a failure that may keep it from making durable what it has acknowledged. */
  get isTrusted(): boolean {
    return !this.#isDoubtful && !this.#hasBackgroundErrors;
  }

  /** Its queue while it is open. */
  get queue(): EmbeddedQueue | undefined {
    return this.#state === "open" ? this.#queue : undefined;
  }

  /** Its ledger while it is open. */
  get ledger(): Ledger | undefined {
    return this.#state === "open" ? this.#ledger : undefined;
  }

  /** Its worker, if it has one. */
  get worker(): Worker | undefined {
    return this.#worker;
  }

  /** Opens the queue. */
  async open(): Promise<void> {
    const call = this.#world.checker.begin(this.id, "open");
    try {
      const ledger = await this.#openLedger();
      if (this.isDead) return;
      this.#world.checker.end(call);
      this.#ledger = ledger;
      ledger.watch((changes) => {
        if (changes === "reset") this.#world.log.count("overtaken by a checkpoint");
      });
      this.#queue = recordQueue(this.#newQueue(ledger), this.#world.checker, this);
      this.#state = "open";
      this.#world.log.count("opened");
      this.#note("opened");
    } catch (error) {
      if (this.isDead) return;
      this.#world.checker.end(call);
      this.#note(`could not open: ${error}`);
      this.#world.checker.refused(call, error, { isClosing: false });
      this.#closed("opening failed");
    }
  }

  /** Takes a look at the journal, as it does by itself now and then. */
  peek(): void {
    this.ledger?.read(() => {}).catch(() => {});
  }

  /** Starts a worker for these types. */
  startWorker(
    chance: Chance,
    { types, isCapable, pollIntervalMs }: WorkerSettings,
  ): void {
    const queue = this.queue;
    if (queue === undefined || this.#worker !== undefined) return;
    this.#worker = new Worker({
      queue,
      handlers: handlersFor(types, this.#handlerClock),
      workerId: `worker-${this.id}`,
      concurrency: 1 + chance.below(3),
      capabilities: isCapable ? CAPABILITIES : {},
      strategy: chance.pick(["fifo", "lifo", "priority", "weighted_random"]),
      leaseDurationMs: this.#options.setup.leaseDurationMs,
      pollIntervalMs,
      clock: this.#clock,
      onEvent: ({ kind, task, message }) => {
        this.#world.log.count(`execution ${kind}`);
        this.#note(`worker ${kind} ${task?.id ?? ""} ${message ?? ""}`);
      },
    });
    this.#worker.start();
  }

  /** Stops the worker and closes the queue; afterwards nothing of it may be left. */
  async close(graceMs: number): Promise<void> {
    const queue = this.queue;
    if (queue === undefined) return;
    const call = this.#world.checker.begin(this.id, "stop and close");
    try {
      await this.#worker?.stop({ graceMs });
      this.#state = this.isDead ? "dead" : "closing";
      await queue.close();
    } catch (error) {
      this.#note(`closing failed: ${error}`);
    }
    if (this.isDead) return;
    this.#world.checker.end(call);
    this.#world.log.count("closed");
    this.#closed("closing");
  }

  /** The process dies. */
  kill(): void {
    if (this.#state !== "closed") this.storage.kill();
  }

  /** Frees what JavaScript does not. */
  dispose(): void {
    this.#engine.closeAll();
  }

  onAnswer(call: Call, promises: Promised): void {
    this.#note(`${call.name} answered`);
    this.#world.log.count(promises === "itself" ? "acknowledged" : "answered");
    this.#world.onAnswer(call, promises);
  }

  onRefusal(call: Call, error: unknown): void {
    this.#note(`${call.name} refused: ${messageOf(error)}`);
    if (messageOf(error).includes("open it again")) this.#isDoubtful = true;
    if (isRefusedForGood(error)) this.#world.onRefusalForGood();
  }

  #openLedger(): Promise<Ledger> {
    const { memoryPages } = this.#options.setup;
    const source: RecoverySource = {
      storage: this.#monitor,
      engine: this.#engine,
      schema: QUEUE_SCHEMA,
      newQueueId: () => this.id.toString(16).padStart(32, "0"),
      memoryMaxBytes: memoryPages === null
        ? undefined
        : scarceMemory(this.#world.engine, memoryPages),
    };
    return Ledger.open({
      ...source,
      clock: this.#clock,
      durability: this.#options.durability,
      folding: this.#options.seed % 2 === 0 ? undefined : this.#folding(source),
      onBackgroundError: (error) => this.#onBackgroundError(error),
    });
  }

  /** Half of the processes fold files, however small; the others export. */
  #folding(source: RecoverySource): Folding {
    return {
      minBytes: 0,
      fold: async (upTo) => {
        this.#world.log.count("files to be folded");
        const image = await foldFiles(source, upTo);
        this.#world.log.count("files folded");
        return image;
      },
    };
  }

  #newQueue(ledger: Ledger): LedgerQueue {
    const isFull = this.#options.durability === "full";
    return new LedgerQueue(isFull ? watchLedger(ledger, this.#monitor) : ledger, {
      clock: this.#clock,
      random: new Chance(this.#options.seed + 1).next,
      newRunId: () => `made-${this.id}-${++this.#runIds}`,
      retryPolicy: { initialDelayMs: 20, maxDelayMs: 500 },
      onBackgroundError: (error) => this.#onBackgroundError(error),
    });
  }

  #onBackgroundError(error: Error): void {
    if (this.isDead) return;
    this.#hasBackgroundErrors = true;
    this.#note(`background: ${error.message}`);
    this.#world.log.count("background errors");
    // the script lets seconds pass while a process holds the lock; one that nobody gave back would end the history
    if (isAboutLongLock(error)) return this.#world.log.count("told that the lock is held for long");
    const reason = whyNotAllowed(error, this.isClosing);
    if (reason !== undefined) this.#world.log.violate(`p${this.id} background: ${reason}`);
  }

  /** What was acknowledged before a successful fsync began is durable. */
  #onSync(): () => void {
    const { checker } = this.#world;
    const moment = checker.nextMoment();
    return () => checker.promiseAll(moment);
  }

  #onSnapshot(): void {
    const { checker, log } = this.#world;
    const isAskedFor = checker.isUnderWay(this.id, ["checkpoint"]);
    const isClosing = checker.isUnderWay(this.id, ["stop and close"]);
    const why = isAskedFor ? "asked for" : isClosing ? "on closing" : "of a long journal";
    log.count(`snapshots ${why}`);
  }

  #onDeath(): void {
    if (this.#state === "opening") this.#world.log.count("killed while opening");
    this.#state = "dead";
    this.#note("dies");
    this.#world.scheduler.drop(this.id);
    this.#world.checker.forget(this.id);
    this.onDeath();
  }

  #closed(what: string): void {
    this.#state = "closed";
    const left = {
      files: this.storage.openFileCount,
      timers: this.#clock.timerCount,
      databases: this.#engine.openCount,
    };
    for (const [kind, count] of Object.entries(left)) {
      if (count > 0) this.#world.log.violate(`p${this.id}: ${what} left ${count} ${kind} open`);
    }
  }

  #note(what: string): void {
    this.#world.log.note(`${this.#world.scheduler.nowMs} p${this.id} ${what}`);
  }
}

function isAboutLongLock(error: Error): boolean {
  return error instanceof StorageError && error.operation === "lock" &&
    error.message.includes("has held the commit lock for");
}
