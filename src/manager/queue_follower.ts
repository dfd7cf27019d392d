/**
 * QueueFollower: keeps the runs of a registry true to the tasks of a queue, whichever process changes them.
 *
 * A change only says that a task is stale; what its run becomes is always read from the queue. One loop does all the
 * reading and applies what it read before it reads again, so an older state never overwrites a newer one.
 */
import { deferred } from "../domain/deferred.ts";
import { type Clock, sleep } from "../domain/clock.ts";
import { QueueError } from "../domain/errors.ts";
import { isActive, type Run } from "../domain/run.ts";
import { isFinal, type Task, type TaskStatus } from "../domain/task.ts";
import { WEBHOOK_TYPE } from "../domain/webhook.ts";
import type { TaskChange, TaskChanges, TaskQueue } from "../queue/task_queue.ts";
import { FollowedRuns } from "./followed_runs.ts";
import { IdleSignal } from "./idle_signal.ts";
import type { RunRegistry } from "./run_registry.ts";
import { PROCESS_ENDED } from "./run_rules.ts";
import { type StaleTask, StaleTasks, tellApplied } from "./stale_tasks.ts";

/** Tasks read from the queue at the same time. */
const READS_AT_ONCE = 64;

/** Tasks per page when all active ones are read: the most that `list` gives. */
const PAGE_SIZE = 1000;

/** How long to wait after a read failed, in milliseconds. */
const RETRY_DELAY_MS = 1000;

/** The part of a queue that is followed. */
export type FollowedQueue = Pick<TaskQueue, "get" | "getByRunId" | "list" | "watch">;

/** How to make a follower. */
export interface QueueFollowerOptions {
  readonly clock: Clock;
  /** Called for every read that failed; it is tried again after a second, unless the queue is closed. */
  readonly onError: (error: unknown) => void;
  /** Called with every task that was read, once its run says the same. */
  readonly onTask?: (task: Task) => void;
}

/** Knows which runs are active, and keeps all of them true. */
export class QueueFollower {
  readonly #queue: FollowedQueue;
  readonly #registry: RunRegistry;
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #runs: FollowedRuns;
  readonly #idle = new IdleSignal();
  readonly #stopped = new AbortController();
  readonly #unwatch: () => void;
  readonly #loaded = deferred<void>();
  /** Runs of an earlier process or manager of which only the queue knows what became. */
  readonly #interrupted: Run[];
  readonly #stale = new StaleTasks();
  #reloadWanted = true;
  #reading = false;
  #loop: Promise<void> = Promise.resolve();

  /** Begins to follow: all active tasks of the queue are read first. */
  constructor(queue: FollowedQueue, registry: RunRegistry, options: QueueFollowerOptions) {
    this.#queue = queue;
    this.#registry = registry;
    this.#clock = options.clock;
    this.#onError = options.onError;
    this.#runs = new FollowedRuns(registry, {
      clock: options.clock,
      onTask: options.onTask ?? (() => {}),
    });
    this.#interrupted = [
      ...registry.takeInterruptedRuns(),
      ...registry.getRunsByStatus("failed").filter(isGivenUp),
    ];
    this.#unwatch = queue.watch((changes) => this.#see(changes));
    this.#wake();
  }

  /** The ids of the active runs, in the order in which they became known. */
  activeIds(): string[] {
    return [...this.#runs.active.keys()];
  }

  /** How many runs are active. */
  activeCount(): number {
    return this.#runs.active.size;
  }

  /** Whether this run is active. */
  isActive(runId: string): boolean {
    return this.#runs.active.has(runId);
  }

  /** Whether the queue refused this run, so that a task with its id is another's. */
  isRefused(runId: string): boolean {
    return this.#runs.isRefused(runId);
  }

  /** Takes up a run that is about to be enqueued. */
  begin(run: Run): void {
    this.#runs.begin(run);
  }

  /** Takes note of a task that was just stored. A run that is known already is newer than `task`, unless it was leased at once. */
  stored(task: Task): void {
    if (task.status === "leased") return this.leased(task);
    const isWaitedFor = this.#runs.acknowledge(task) || this.#runs.has(task.runId);
    // of one that was cancelled on its way, a caller hears now that it is over
    if (!isWaitedFor || isFinal(task.status)) this.#applyUnread(task);
  }

  /** Takes note of a task that was just leased to this process, before its work begins. */
  leased(task: Task): void {
    if (!this.#runs.showsLease(task)) this.#applyUnread(task);
  }

  #applyUnread(task: Task): void {
    this.#runs.apply(task);
    this.#stale.forgetApplied(task);
  }

  /** Fails a run that the queue would not store. */
  refuse(run: Run, errorMessage: string): void {
    this.#runs.refuse(run, errorMessage);
    this.#announceIdle();
  }

  /** Reads a task again; resolves when its run says what was read, or when following has stopped. */
  refresh(runId: string, taskId: number): Promise<void> {
    if (this.#stopped.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#stale.add({ runId, taskId, whenApplied: [resolve] });
      this.#wake();
    });
  }

  /** Resolves when the active tasks were read for the first time, or that has failed. */
  loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  /** Resolves when no change waits to be applied, or a read has failed. */
  async caughtUp(): Promise<void> {
    while (this.#reading) await this.#loop;
  }

  /** Resolves when no run is active, or when following has stopped. */
  async idle(): Promise<void> {
    while (!this.#isIdle()) await this.#idle.wait();
  }

  /** Stops following. Runs stay as they are; those that are active are left to the next manager of the registry. */
  async stop(): Promise<void> {
    this.#halt();
    await this.caughtUp();
    this.#answerAll();
    const active = [...this.#runs.active.values()].map(({ run }) => run);
    this.#registry.leaveInterrupted([...active, ...this.#interrupted]);
  }

  #halt(): void {
    this.#stopped.abort();
    this.#unwatch();
  }

  /** Answers all calls that wait for what will not come any more. */
  #answerAll(): void {
    this.#stale.clear();
    this.#loaded.resolve();
    this.#idle.fire();
  }

  #see(changes: TaskChanges): void {
    if (changes === "room") return;
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
        this.#stale.add({ runId, taskId: null });
      }
    }
  }

  #seeChange(change: TaskChange): void {
    if (change.type === WEBHOOK_TYPE) return;
    if (this.#reading || !this.#runs.showProgress(change)) {
      const { runId, taskId } = change;
      this.#stale.add({ runId, taskId, change });
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
      return this.#answerAll();
    }
    sleep(this.#clock, RETRY_DELAY_MS, this.#stopped.signal).then(() => this.#wake());
  }

  async #reload(): Promise<void> {
    this.#reloadWanted = false;
    const unseen = new Map(this.#runs.active);
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
        this.#runs.apply(task);
      }
      await this.#readInterrupted();
    } catch (error) {
      this.#reloadWanted = true;
      throw error;
    }
    for (const [runId, { taskId }] of unseen) {
      if (taskId !== null) this.#stale.add({ runId, taskId });
    }
  }

  /** What became of the runs of an earlier process whose tasks are active no more. */
  async #readInterrupted(): Promise<void> {
    for (let read = 1;; read++) {
      const run = this.#interrupted.at(-1);
      if (run === undefined) return;
      if ((isActive(run.status) || isGivenUp(run)) && !this.#runs.active.has(run.runId)) {
        const task = await this.#queue.getByRunId(run.runId);
        if (task !== undefined) this.#runs.apply(task);
        else if (isActive(run.status)) this.#runs.end(run, "failed", PROCESS_ENDED);
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
    const batch = this.#stale.take(READS_AT_ONCE);
    try {
      const tasks = await Promise.all(batch.map((stale) => this.#read(stale)));
      for (const [i, stale] of batch.entries()) this.#applyRead(stale, tasks[i]);
    } catch (error) {
      for (const stale of batch) this.#stale.restore(stale);
      throw error;
    }
    if (this.#stale.size > 0) await this.#letOthersRun();
  }

  #read({ runId, taskId }: StaleTask): Promise<Task | undefined> {
    return taskId === null ? this.#queue.getByRunId(runId) : this.#queue.get(taskId);
  }

  /** Reading from memory never leaves the microtask queue, so timers and sockets would have to wait for the last task. */
  #letOthersRun(): Promise<void> {
    return sleep(this.#clock, 0, this.#stopped.signal);
  }

  #applyRead(stale: StaleTask, task: Task | undefined): void {
    // A run that ended, was cleaned up and did not change since stays forgotten.
    const isForgotten = stale.change === null && !this.#runs.has(stale.runId);
    if (task === undefined) this.#runs.applyGone(stale.runId, stale.change);
    else if (!isForgotten || !isFinal(task.status)) this.#runs.apply(task);
    tellApplied(stale);
  }

  #isIdle(): boolean {
    if (this.#stopped.signal.aborted) return true;
    return this.#runs.active.size === 0 && !this.#reading && !this.#hasWork();
  }

  #announceIdle(): void {
    if (this.#isIdle()) this.#idle.fire();
  }
}

/** Whether a manager in memory failed the run, for all that it knew. */
function isGivenUp(run: Run): boolean {
  return run.status === "failed" && run.errorMessage === PROCESS_ENDED;
}
