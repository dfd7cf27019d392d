/**
 * Changes: lets any number of requests wait for something to happen, with one watcher on the queue for all of them and
 * one look at a run's log at a time, however many follow it. While nothing waits there is neither watcher nor timer.
 */
import {
  type Clock,
  type LogStore,
  sleep,
  type TaskChanges,
  type TaskQueue,
} from "../../src/core.ts";
import { Bell } from "./bell.ts";

/** Another process's log lines are looked for this often, in milliseconds. */
const LOG_POLL_MS = 200;

/** What to wait for. */
export interface Interest {
  /** Only changes of this task; default any task. */
  readonly taskId?: number;
  /** Whether lines of its log count too; default false. */
  readonly withLog?: boolean;
}

/** One waiting request. */
export interface Waiter {
  /** From here on changes count; call it before looking, so that none is missed. */
  mark(): void;
  /** Resolves as soon as something has happened since `mark`, or `signal` aborts. */
  changed(signal: AbortSignal): Promise<void>;
  /** Waits no more; harmless when called again. */
  close(): void;
}

/** What requests wait on. */
export class Changes {
  readonly #queue: TaskQueue;
  readonly #logs: LogStore | undefined;
  readonly #clock: Clock;
  readonly #waiters = new Set<ChangeWaiter>();
  readonly #tails = new Map<number, LogTail>();
  #unwatch: (() => void) | undefined;

  constructor(queue: TaskQueue, logs: LogStore | undefined, clock: Clock) {
    this.#queue = queue;
    this.#logs = logs;
    this.#clock = clock;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiters.size;
  }

  /** Begins to wait; whatever happens from now on is noticed. */
  wait({ taskId, withLog = false }: Interest = {}): Waiter {
    const tail = taskId !== undefined && withLog ? this.#tailOf(taskId) : undefined;
    const waiter = new ChangeWaiter(taskId, tail, () => this.#leave(waiter));
    this.#waiters.add(waiter);
    tail?.add(waiter);
    this.#unwatch ??= this.#queue.watch((changes) => this.#tell(changes));
    return waiter;
  }

  #tell(changes: TaskChanges): void {
    const isForAll = changes === "reset" || changes === "room";
    const changed = isForAll ? undefined : new Set(changes.map(({ taskId }) => taskId));
    for (const waiter of this.#waiters) {
      const { taskId } = waiter;
      if (taskId === undefined || changed === undefined || changed.has(taskId)) waiter.note();
    }
  }

  #tailOf(taskId: number): LogTail | undefined {
    if (this.#logs === undefined) return undefined;
    const known = this.#tails.get(taskId);
    if (known !== undefined) return known;
    const tail = new LogTail(this.#logs, taskId, this.#clock, () => this.#tails.delete(taskId));
    this.#tails.set(taskId, tail);
    return tail;
  }

  #leave(waiter: ChangeWaiter): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}

class ChangeWaiter implements Waiter {
  readonly taskId: number | undefined;
  readonly #tail: LogTail | undefined;
  readonly #onClose: () => void;
  #hasChanged = false;
  readonly #bell = new Bell();

  constructor(taskId: number | undefined, tail: LogTail | undefined, onClose: () => void) {
    this.taskId = taskId;
    this.#tail = tail;
    this.#onClose = onClose;
  }

  note(): void {
    this.#hasChanged = true;
    this.#bell.ring();
  }

  mark(): void {
    this.#hasChanged = false;
  }

  async changed(signal: AbortSignal): Promise<void> {
    if (this.#hasChanged || signal.aborted) return;
    await this.#bell.rung(signal);
  }

  close(): void {
    this.#tail?.remove(this);
    this.#onClose();
  }
}

/** Looks now and then for new lines of one log, as long as a request waits for them. */
class LogTail {
  readonly #logs: LogStore;
  readonly #taskId: number;
  readonly #clock: Clock;
  readonly #onEmpty: () => void;
  readonly #waiters = new Set<ChangeWaiter>();
  readonly #ended = new AbortController();
  #end = 0;

  constructor(logs: LogStore, taskId: number, clock: Clock, onEmpty: () => void) {
    this.#logs = logs;
    this.#taskId = taskId;
    this.#clock = clock;
    this.#onEmpty = onEmpty;
  }

  add(waiter: ChangeWaiter): void {
    this.#waiters.add(waiter);
    if (this.#waiters.size === 1) this.#poll();
  }

  remove(waiter: ChangeWaiter): void {
    if (!this.#waiters.delete(waiter) || this.#waiters.size > 0) return;
    this.#ended.abort();
    this.#onEmpty();
  }

  async #poll(): Promise<void> {
    const { signal } = this.#ended;
    for (;;) {
      await sleep(this.#clock, LOG_POLL_MS, signal);
      if (signal.aborted) return;
      if (!await this.#hasGrown()) continue;
      for (const waiter of this.#waiters) waiter.note();
    }
  }

  /** Also true for lines that were there before. A log that cannot be read counts as grown: the next read says why it cannot be. */
  async #hasGrown(): Promise<boolean> {
    try {
      const end = await this.#logs.end(this.#taskId);
      const hasGrown = end !== this.#end;
      this.#end = end;
      return hasGrown;
    } catch {
      return true;
    }
  }
}
