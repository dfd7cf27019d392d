/**
 * QueueFollower: keeps the runs of a registry true to the tasks of a queue, whichever process changes them.
 *
 * A change only says that a task is stale; what its run becomes is always read from the queue. One loop does all the
 * reading and applies what it read before it reads again, so an older state never overwrites a newer one.
 */
import { type Clock, sleep } from "../domain/clock.ts";
import { QueueError } from "../domain/errors.ts";
import {
  copyTaskState,
  isActive,
  type Run,
  runOfTask,
  type RunStatus,
  runStatusOf,
} from "../domain/run.ts";
import { isFinal, type Task, type TaskStatus } from "../domain/task.ts";
import { WEBHOOK_TYPE } from "../domain/webhook.ts";
import type { TaskChange, TaskChanges, TaskQueue } from "../queue/task_queue.ts";
import { IdleSignal } from "./idle_signal.ts";
import { logUnshown } from "./manager_log.ts";
import type { RunRegistry } from "./run_registry.ts";
import { PROCESS_ENDED } from "./run_rules.ts";

/** Tasks read from the queue at the same time. */
const READS_AT_ONCE = 64;

/** Tasks per page when all active ones are read: the most that `list` gives. */
const PAGE_SIZE = 1000;

/** How long to wait after a read failed, in milliseconds. */
const RETRY_DELAY_MS = 1000;

/** The message of a run whose task was pruned or removed before its end was seen. */
const VANISHED = "The task was removed from the queue before its outcome could be read";

/** The part of a queue that is followed. */
export type FollowedQueue = Pick<TaskQueue, "get" | "getByRunId" | "list" | "watch">;

/** How to make a follower. */
export interface QueueFollowerOptions {
  readonly clock: Clock;
  /** Hears of every read that failed; it is tried again after a second, unless the queue is closed. */
  readonly onError: (error: unknown) => void;
  /** Hears of every task that was read, once its run says the same. */
  readonly onTask?: (task: Task) => void;
}

/** An active run, and what was last seen of its task. */
interface ActiveRun {
  readonly run: Run;
  /** `null` until the queue has acknowledged the task. */
  readonly taskId: number | null;
}

/** Which lease of which task a run shows. */
interface SeenLease {
  readonly taskId: number;
  readonly leaseToken: number;
}

/** A task to be read again. */
interface StaleTask {
  readonly runId: string;
  /** `null` when only the run is known. */
  readonly taskId: number | null;
  /** The last change seen, if there was one: all that is left when the task is gone. */
  change: TaskChange | null;
  /** Called once a state read after now was applied. */
  readonly applied: (() => void)[];
}

/** Knows which runs are active, and keeps all of them true. */
export class QueueFollower {
  readonly #queue: FollowedQueue;
  readonly #registry: RunRegistry;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #onTask: (task: Task) => void;
  readonly #active = new Map<string, ActiveRun>();
  readonly #refused = new WeakSet<Run>();
  readonly #seen = new WeakMap<Run, SeenLease>();
  readonly #idle = new IdleSignal();
  readonly #stopped = new AbortController();
  readonly #unwatch: () => void;
  readonly #loaded = Promise.withResolvers<void>();
  /** Runs of an earlier process or manager of which only the queue knows what became. */
  readonly #interrupted: Run[];
  #stale = new Map<string, StaleTask>();
  #reloadWanted = true;
  #reading = false;
  #loop: Promise<void> = Promise.resolve();

  /** Begins to follow: all active tasks of the queue are read first. */
  constructor(queue: FollowedQueue, registry: RunRegistry, options: QueueFollowerOptions) {
    this.#queue = queue;
    this.#registry = registry;
    this.#clock = options.clock;
    this.#onError = options.onError;
    this.#onTask = options.onTask ?? (() => {});
    this.#interrupted = [
      ...registry.takeInterruptedRuns(),
      ...registry.getRunsByStatus("failed").filter(isGivenUp),
    ];
    this.#unwatch = queue.watch((changes) => this.#see(changes));
    this.#wake();
  }

  /** The ids of the active runs, in the order in which they became known. */
  activeIds(): string[] {
    return [...this.#active.keys()];
  }

  /** How many runs are active. */
  activeCount(): number {
    return this.#active.size;
  }

  /** Whether this run is active. */
  isActive(runId: string): boolean {
    return this.#active.has(runId);
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

  /** Takes note of a task that was just stored. A run that is known already is newer than `task`, unless it was leased at once. */
  stored(task: Task): void {
    if (task.status === "leased") return this.leased(task);
    const active = this.#active.get(task.runId);
    if (active !== undefined) {
      this.#active.set(task.runId, { ...active, taskId: task.id });
    } else if (this.#registry.getRun(task.runId) === undefined) {
      this.#applyUnread(task);
    }
  }

  /** Takes note of a task that was just leased to this process, before its work begins. */
  leased(task: Task): void {
    const run = this.#registry.getRun(task.runId);
    const seen = run && this.#seen.get(run);
    const isKnown = seen?.taskId === task.id && seen.leaseToken >= task.leaseToken;
    if (!isKnown) this.#applyUnread(task);
  }

  #applyUnread(task: Task): void {
    this.#apply(task);
    if (isShownBy(task, this.#stale.get(task.runId))) this.#stale.delete(task.runId);
  }

  /** Fails a run that the queue would not store. */
  refuse(run: Run, errorMessage: string): void {
    this.#refused.add(run);
    this.#end(run, "failed", errorMessage);
    this.#announceIdle();
  }

  /** Reads a task again; resolves when its run says what was read, or when following has stopped. */
  refresh(runId: string, taskId: number): Promise<void> {
    if (this.#stopped.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#markStale({ runId, taskId, change: null, applied: [resolve] });
      this.#wake();
    });
  }

  /** Resolves when the active tasks were read for the first time, or that has failed. */
  loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  /** Resolves when no change waits to be applied, or a read has failed. */
  async settled(): Promise<void> {
    while (this.#reading) await this.#loop;
  }

  /** Resolves when no run is active, or when following has stopped. */
  async idle(): Promise<void> {
    while (!this.#isIdle()) await this.#idle.wait();
  }

  /** Stops following. Runs stay as they are; those that are active are left to the next manager of the registry. */
  async stop(): Promise<void> {
    this.#halt();
    await this.settled();
    this.#letGo();
    const active = [...this.#active.values()].map(({ run }) => run);
    this.#registry.leaveInterrupted([...active, ...this.#interrupted]);
  }

  #halt(): void {
    this.#stopped.abort();
    this.#unwatch();
  }

  /** Wakes all who wait for something that will not come any more. */
  #letGo(): void {
    for (const stale of this.#stale.values()) release(stale);
    this.#stale.clear();
    this.#loaded.resolve();
    this.#idle.fire();
  }

  #see(changes: TaskChanges): void {
    if (changes === "reset") {
      this.#reloadWanted = true;
      this.#doubtEnded();
    } else {
      for (const change of changes) this.#seeChange(change);
    }
    this.#wake();
  }

  /** What has failed or was cancelled may have been retried, and have ended again, unseen. */
  #doubtEnded(): void {
    for (const status of ["failed", "cancelled"] as const) {
      for (const { runId } of this.#registry.getRunsByStatus(status)) {
        this.#markStale({ runId, taskId: null, change: null, applied: [] });
      }
    }
  }

  #seeChange(change: TaskChange): void {
    if (change.type === WEBHOOK_TYPE) return;
    const run = this.#registry.getRun(change.runId);
    if (run === undefined || this.#reading || !this.#showsStateOf(run, change)) {
      const { runId, taskId } = change;
      return this.#markStale({ runId, taskId, change, applied: [] });
    }
    if (run.progressPercent === change.progress) return;
    this.#show(run, () => run.progressPercent = change.progress);
  }

  /** Whether `run` shows the same attempt in the same state, so that at most its progress has changed. */
  #showsStateOf(run: Run, change: TaskChange): boolean {
    if (run.status !== runStatusOf(change.status) || run.attempts !== change.attempts) return false;
    const seen = this.#seen.get(run);
    return seen === undefined || seen.leaseToken === change.leaseToken;
  }

  #markStale(task: StaleTask): void {
    const known = this.#stale.get(task.runId);
    if (known === undefined) {
      this.#stale.set(task.runId, task);
    } else {
      known.change = task.change ?? known.change;
      known.applied.push(...task.applied);
    }
  }

  #wake(): void {
    if (this.#reading || this.#stopped.signal.aborted || !this.#hasWork()) return;
    this.#reading = true;
    this.#loop = this.#catchUp();
  }

  #hasWork(): boolean {
    return this.#reloadWanted || this.#stale.size > 0;
  }

  async #catchUp(): Promise<void> {
    // Not inside the watcher's call: the queue may be in the middle of a commit, and more changes may follow at once.
    await Promise.resolve();
    while (this.#hasWork() && !this.#stopped.signal.aborted) {
      try {
        if (this.#reloadWanted) await this.#reload();
        else await this.#readStale();
      } catch (error) {
        this.#retryLater(error);
        break;
      } finally {
        this.#loaded.resolve();
      }
    }
    this.#reading = false;
    this.#announceIdle();
  }

  #retryLater(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    this.#onError(error);
    if (error instanceof QueueError && error.code === "queue_closed") {
      this.#halt();
      return this.#letGo();
    }
    sleep(this.#clock, RETRY_DELAY_MS, this.#stopped.signal).then(() => this.#wake());
  }

  async #reload(): Promise<void> {
    this.#reloadWanted = false;
    const unseen = new Map(this.#active);
    try {
      // A task that moves from one list to the other meanwhile is announced as a change, and read again.
      const tasks: Task[] = [];
      for (const status of ["queued", "leased"] as const) {
        for await (const task of this.#listAll(status)) tasks.push(task);
      }
      // Runs become known in the order in which they were stored.
      tasks.sort((a, b) => a.id - b.id);
      for (const task of tasks) {
        unseen.delete(task.runId);
        this.#apply(task);
      }
      await this.#readInterrupted();
    } catch (error) {
      this.#reloadWanted = true;
      throw error;
    }
    for (const [runId, { taskId }] of unseen) {
      if (taskId !== null) this.#markStale({ runId, taskId, change: null, applied: [] });
    }
  }

  /** What became of the runs of an earlier process whose tasks are active no more. */
  async #readInterrupted(): Promise<void> {
    for (let read = 1;; read++) {
      const run = this.#interrupted.at(-1);
      if (run === undefined) return;
      if ((isActive(run.status) || isGivenUp(run)) && !this.#active.has(run.runId)) {
        const task = await this.#queue.getByRunId(run.runId);
        if (task !== undefined) this.#apply(task);
        else if (isActive(run.status)) this.#end(run, "failed", PROCESS_ENDED);
      }
      this.#interrupted.pop();
      if (read % READS_AT_ONCE === 0) await this.#letOthersRun();
    }
  }

  async *#listAll(status: TaskStatus): AsyncGenerator<Task> {
    let beforeId: number | undefined;
    while (true) {
      const page = await this.#queue.list({ status, limit: PAGE_SIZE, beforeId });
      yield* page;
      if (page.length === 0) return;
      beforeId = page.at(-1)?.id;
      await this.#letOthersRun();
    }
  }

  async #readStale(): Promise<void> {
    const batch = this.#takeStale();
    try {
      const tasks = await Promise.all(batch.map((stale) => this.#read(stale)));
      for (const [i, stale] of batch.entries()) this.#applyRead(stale, tasks[i]);
    } catch (error) {
      for (const stale of batch) this.#restore(stale);
      throw error;
    }
    if (this.#stale.size > 0) await this.#letOthersRun();
  }

  #read({ runId, taskId }: StaleTask): Promise<Task | undefined> {
    return taskId === null ? this.#queue.getByRunId(runId) : this.#queue.get(taskId);
  }

  #takeStale(): StaleTask[] {
    const batch: StaleTask[] = [];
    for (const stale of this.#stale.values()) {
      if (batch.length === READS_AT_ONCE) break;
      batch.push(stale);
      this.#stale.delete(stale.runId);
    }
    return batch;
  }

  /** Reading from memory never leaves the microtask queue, so timers and sockets would have to wait for the last task. */
  #letOthersRun(): Promise<void> {
    return sleep(this.#clock, 0, this.#stopped.signal);
  }

  #applyRead(stale: StaleTask, task: Task | undefined): void {
    // A run that ended, was cleaned up and did not change since stays forgotten.
    const isForgotten = stale.change === null && this.#registry.getRun(stale.runId) === undefined;
    if (task === undefined) this.#applyGone(stale);
    else if (!isForgotten || !isFinal(task.status)) this.#apply(task);
    release(stale);
  }

  /** Puts back what could not be read. */
  #restore(stale: StaleTask): void {
    const newer = this.#stale.get(stale.runId);
    if (newer === undefined) this.#stale.set(stale.runId, stale);
    else newer.applied.push(...stale.applied);
  }

  /** Deliveries of webhooks are the queue's own tasks and no runs. */
  #apply(task: Task): void {
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
    this.#onTask(task);
  }

  #adopt(task: Task): Run {
    const run = runOfTask(task);
    this.#registry.addRun(run);
    return run;
  }

  /** The task was removed before it could be read: its last change is all that is known. */
  #applyGone(stale: StaleTask): void {
    const run = this.#registry.getRun(stale.runId);
    if (run === undefined || !isActive(run.status) || this.#refused.has(run)) return;
    const last = stale.change?.status ?? "failed";
    const status = isFinal(last) ? runStatusOf(last) : "failed";
    this.#end(run, status, status === "completed" ? null : VANISHED);
  }

  #end(run: Run, status: RunStatus, errorMessage: string | null): void {
    this.#show(run, () => {
      run.status = status;
      run.exitCode = status === "completed" ? 0 : null;
      run.errorMessage = errorMessage;
      run.completedAt = new Date(this.#clock.nowMs());
    });
    this.#active.delete(run.runId);
  }

  /** What goes wrong here is this run's own trouble, and not that of those that are read with it. */
  #show(run: Run, change: () => void): void {
    try {
      change();
      if (this.#registry.getRun(run.runId) === run) this.#registry.updateRun(run);
    } catch (error) {
      logUnshown(run.runId, error);
    }
  }

  #isIdle(): boolean {
    if (this.#stopped.signal.aborted) return true;
    return this.#active.size === 0 && !this.#reading && !this.#hasWork();
  }

  #announceIdle(): void {
    if (this.#isIdle()) this.#idle.fire();
  }
}

/** Whether a manager in memory failed the run, for all that it knew. */
function isGivenUp(run: Run): boolean {
  return run.status === "failed" && run.errorMessage === PROCESS_ENDED;
}

function release(stale: StaleTask): void {
  for (const resolve of stale.applied) resolve();
}

/** Whether `task` is as its last change said, so that it need not be read again. */
function isShownBy(task: Task, stale: StaleTask | undefined): boolean {
  const change = stale?.change;
  return !!change && stale.applied.length === 0 && change.status === task.status &&
    change.leaseToken === task.leaseToken && change.attempts === task.attempts &&
    change.progress === task.progress;
}
