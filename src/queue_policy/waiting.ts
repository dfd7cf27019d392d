/**
 * Waiting for a task to become final: whoever waits hears of the queue's changes first and looks then, so that no end is missed.
 */
import { deferred } from "../domain/deferred.ts";
import { checkInteger, checkName, checkReference } from "../domain/check.ts";
import type { Clock } from "../domain/clock.ts";
import { QueueError, WaitTimeoutError } from "../domain/errors.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { shownValue } from "../domain/shown_value.ts";
import {
  isFinal,
  type Task,
  TASK_LIMITS,
  type TaskReference,
  type TaskStatus,
} from "../domain/task.ts";
import type { TaskChanges, TaskQueue, WaitOptions } from "../queue/task_queue.ts";

/** How long can be waited at most, in milliseconds. */
const TIMEOUT_MAX_MS = TASK_LIMITS.timeoutMaxMs;

const WAIT_OPTIONS = optionNames<WaitOptions>({ timeoutMs: true, signal: true });

/** Everybody who waits for a task of one queue. */
export class Waits {
  readonly #queue: Pick<TaskQueue, "get" | "getByRunId" | "watch">;
  readonly #clock: Clock;
  readonly #open = new Set<(reason: unknown) => void>();

  constructor(queue: Pick<TaskQueue, "get" | "getByRunId" | "watch">, clock: Clock) {
    this.#queue = queue;
    this.#clock = clock;
  }

  /** The task once it is final; see the port. */
  async wait(reference: TaskReference, options: WaitOptions): Promise<Task> {
    checkOptions(options, WAIT_OPTIONS, "wait");
    const { timeoutMs, signal } = options;
    checkAwaited(reference);
    if (timeoutMs !== undefined) checkInteger(timeoutMs, "timeoutMs", 0, TIMEOUT_MAX_MS);
    checkSignal(signal);
    signal?.throwIfAborted();
    const { promise, resolve, reject } = deferred<Task>();
    const watched = new Watched(reference, () => this.#read(reference), resolve);
    const unwatch = this.#queue.watch(
      (changes) => watched.onChanges(changes).catch(reject),
      (taskId, status) => watched.mayEnd(taskId, status),
    );
    const looked = watched.look();
    looked.catch(reject);
    // whoever waits no longer hears how the task is: the first look has always ended, or has told of its failure
    const giveUp = (): void =>
      void looked.then(() => reject(watched.timeoutError(timeoutMs!)), () => {});
    const cancelTimer = this.#clock.setTimer(giveUp, timeoutMs ?? Infinity);
    const abort = (): void => reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#open.add(reject);
    try {
      return await promise;
    } finally {
      unwatch();
      cancelTimer();
      signal?.removeEventListener("abort", abort);
      this.#open.delete(reject);
    }
  }

  /** The queue is closed: nobody will hear of anything any more. */
  close(): void {
    const closed = new QueueError("queue_closed", "Cannot wait for a task: the queue is closed");
    for (const reject of this.#open) reject(closed);
  }

  async #read(reference: TaskReference): Promise<Task> {
    const task = typeof reference === "number"
      ? await this.#queue.get(reference)
      : await this.#queue.getByRunId(reference);
    if (task !== undefined) return task;
    throw new QueueError(
      "task_not_found",
      `Cannot wait for ${nameOf(reference)}: there is no such task, or it was pruned`,
    );
  }
}

/** A task that somebody waits for. */
class Watched {
  readonly #reference: TaskReference;
  readonly #read: () => Promise<Task>;
  readonly #onFinal: (task: Task) => void;
  #seen: Task | undefined;

  constructor(
    reference: TaskReference,
    read: () => Promise<Task>,
    onFinal: (task: Task) => void,
  ) {
    this.#reference = reference;
    this.#read = read;
    this.#onFinal = onFinal;
  }

  async look(): Promise<void> {
    this.#seen = await this.#read();
    if (isFinal(this.#seen.status)) this.#onFinal(this.#seen);
  }

  /** Whether this status of a task may be the end that is waited for. */
  mayEnd(taskId: number, status: TaskStatus): boolean {
    return isFinal(status) && (typeof this.#reference === "string" || this.#reference === taskId);
  }

  async onChanges(changes: TaskChanges): Promise<void> {
    if (changes === "room") return;
    const isEnd = changes === "reset" ||
      changes.some(({ taskId, runId, status }) =>
        this.mayEnd(taskId, status) && (this.#reference === taskId || this.#reference === runId)
      );
    if (isEnd) await this.look();
  }

  timeoutError(timeoutMs: number): WaitTimeoutError {
    const what = nameOf(this.#reference);
    return new WaitTimeoutError(
      `Cannot wait longer for ${what}: after ${timeoutMs} ms it is still ${this.#seen?.status}`,
    );
  }
}

function checkAwaited(reference: TaskReference): void {
  checkReference(reference);
  if (typeof reference === "string") checkName(reference, "run id", TASK_LIMITS.runIdMaxLength);
}

function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal?.throwIfAborted === "function") return;
  throw new TypeError(`Cannot use ${shownValue(signal)} as signal: an AbortSignal is needed`);
}

function nameOf(reference: TaskReference): string {
  return typeof reference === "number" ? `task ${reference}` : `run ${JSON.stringify(reference)}`;
}
