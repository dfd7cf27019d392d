/**
 * An execution: one attempt at one task, from the handler's start until the queue knows how it ended.
 *
 * The handler's own promise decides, unless the execution is interrupted first: then the signal fires, the handler gets a
 * short time to end by itself, and the interruption decides.
 */
import { type Clock, sleep } from "../domain/clock.ts";
import {
  isNamed,
  messageOf,
  PermanentError,
  QueueError,
  type QueueErrorCode,
  SnoozeError,
  StorageError,
} from "../domain/errors.ts";
import { CANCELLED_BY_USER, type Task, type TaskStatus } from "../domain/task.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { checkedHandler, checkedParents } from "./checked_handler.ts";
import { FollowingTasks } from "./following_tasks.ts";
import type { Handler, HandlerEntry, HandlerRegistry, TaskContext } from "./handler_registry.ts";
import { checkLogCall } from "./log_line.ts";
import type { LogLevel, LogStore } from "./log_store.ts";
import { allParentResults } from "./parent_results.ts";
import { ProgressReporter } from "./progress_reporter.ts";
import { stackOf, tangible } from "./thread_messages.ts";
import { onThreadEnding, type ThreadEndingListener } from "./thread_endings.ts";

/** Why an execution is ended from outside. */
export type Interruption = "cancelled" | "lease_lost" | "timeout" | "stopping";

/** How an execution ended: `lost` when the lease was another worker's, or none's, by then. */
export type ExecutionEnd = "completed" | "failed" | "retried" | "released" | "cancelled" | "lost";

/** How an execution ended, and why. */
export interface ExecutionReport {
  /** How it ended. */
  readonly kind: ExecutionEnd;
  /** Why, when it did not complete. */
  readonly message?: string;
  /** What was thrown, as it was. */
  readonly error?: unknown;
}

/** The dependencies of an execution. */
export interface ExecutionTools {
  readonly queue: TaskQueue;
  readonly clock: Clock;
  /** The handlers that are known here: they check what is enqueued. */
  readonly handlers: HandlerRegistry;
  readonly logs: LogStore | null;
  /** Is told when the handler has ended, while the queue has yet to be told how. */
  readonly onEnded: () => void;
  /** Is told of errors that are not the handler's. */
  readonly onError: (message: string) => void;
  /** Is told that the handler's thread is about to end, if it has one. */
  readonly onThreadEnding: ThreadEndingListener;
  /** Why a lease that was to end at this instant was lost, if it is known. */
  readonly whyLost: (leaseUntilMs: number) => string | undefined;
}

/** How long an interrupted handler gets to end by itself. */
export const INTERRUPT_GRACE_MS = 1000;

/** How long to wait after a storage error before the outcome is reported again. */
const REPORT_PAUSE_MS = 250;

/** `error` can be looked at as often as wanted; `thrown` is what it was made of. */
type Outcome =
  | { readonly result: unknown }
  | Failed
  | { readonly interruption: Interruption };

interface Failed {
  readonly error: unknown;
  readonly thrown: unknown;
}

/** What the queue may find wrong with the tasks that a handler enqueues. */
const FOLLOWING_REFUSED: readonly QueueErrorCode[] = [
  "idempotency_conflict",
  "run_id_conflict",
  "unknown_parent",
  "dependency_cycle",
];

/** One attempt at one task. */
export class Execution {
  readonly task: Task;
  readonly #tools: ExecutionTools;
  readonly #controller = new AbortController();
  /** The task's own, or the handler's where that allows fewer. */
  #maxAttempts: number;
  #interruption: Interruption | undefined;
  #interrupt: () => void = () => {};
  #leaseUntilMs: number;
  #isReporting = false;
  /** Whether the queue has said that the lease has ended otherwise. */
  #isLeaseGone = false;
  #hasHandlerEnded = false;
  #handlerEnded: Promise<unknown> = Promise.resolve();
  readonly #following = new FollowingTasks();
  readonly #progress: ProgressReporter;

  constructor(task: Task, tools: ExecutionTools) {
    this.task = task;
    this.#tools = tools;
    this.#leaseUntilMs = task.leaseUntil?.getTime() ?? 0;
    this.#maxAttempts = task.maxAttempts;
    this.#progress = new ProgressReporter({
      clock: tools.clock,
      store: ({ percent, message }) => tools.queue.reportProgress(task, percent, message),
      isRunning: () => this.#isRunning,
      onError: tools.onError,
    });
  }

  /** Whether the lease is still needed, so that it must be renewed. */
  get needsLease(): boolean {
    return this.#interruption !== "cancelled" && this.#interruption !== "lease_lost";
  }

  get #isRunning(): boolean {
    return !this.#isReporting && this.#interruption === undefined;
  }

  /** The lease now lasts until `leaseUntil`. */
  renewed(leaseUntil: Date | null): void {
    this.#leaseUntilMs = leaseUntil?.getTime() ?? this.#leaseUntilMs;
  }

  /** Ends the execution from outside; the first interruption counts. */
  interrupt(interruption: Interruption): void {
    if (this.#isReporting || this.#interruption !== undefined) return;
    this.#interruption = interruption;
    const name = interruption === "timeout" ? "TimeoutError" : "AbortError";
    this.#controller.abort(new DOMException(this.#describe(interruption), name));
    this.#interrupt();
  }

  /** Ends the execution when `current` says that its lease has ended. News from before its lease says nothing. */
  interruptUnlessLeased(
    current: { readonly status: TaskStatus; readonly leaseToken: number },
  ): void {
    const { leaseToken } = this.task;
    if (current.leaseToken < leaseToken) return;
    if (current.leaseToken > leaseToken) this.interrupt("lease_lost");
    else if (current.status === "cancelled") this.interrupt("cancelled");
    else if (current.status !== "leased") this.interrupt("lease_lost");
  }

  /** Runs the handler and tells the queue how it ended. */
  async run(handler: Handler, entry: HandlerEntry | undefined): Promise<ExecutionReport> {
    this.#maxAttempts = Math.min(this.task.maxAttempts, entry?.maxAttempts ?? Infinity);
    const outcome = await this.#attempt(handler, entry);
    // A failure shows how far it came: in the same commit, so that it costs none of its own.
    if ("error" in outcome) this.#progress.tellLast();
    this.#isReporting = true;
    this.#following.end();
    this.#progress.stop();
    const report = this.#report(outcome, entry);
    this.#tools.onEnded();
    const told = await report;
    if (this.#isLeaseGone) await this.#freeSlot();
    return told;
  }

  /** A task that was cancelled under a limit keeps its slot until its handler has ended. One that does not end is not waited for. */
  async #freeSlot(): Promise<void> {
    const freed = this.#handlerEnded.then(() => this.#tools.queue.release(this.task)).then(
      () => {},
      (error) => {
        if (!(error instanceof QueueError)) this.#tools.onError(messageOf(error));
      },
    );
    if (this.#hasHandlerEnded) await freed;
  }

  /** Whether the handler has ended, so that it needs no slot any more. */
  get hasEnded(): boolean {
    return this.#isReporting;
  }

  async #attempt(handler: Handler, entry: HandlerEntry | undefined): Promise<Outcome> {
    const timeoutMs = this.task.timeoutMs ?? entry?.timeoutMs ?? null;
    const { clock } = this.#tools;
    const cancelTimeout = timeoutMs === null
      ? undefined
      : clock.setTimer(() => this.interrupt("timeout"), timeoutMs);
    const deadline = timeoutMs === null ? null : new Date(clock.nowMs() + timeoutMs);
    const interrupted = new Promise<void>((resolve) => this.#interrupt = resolve);
    const ended = this.#call(handler, entry, deadline).finally(() => this.#hasHandlerEnded = true);
    this.#handlerEnded = ended;
    try {
      await Promise.race([ended, interrupted]);
      const interruption = this.#interruption;
      return interruption === undefined
        ? await ended
        : await this.#endAfterGrace(ended, interruption);
    } finally {
      cancelTimeout?.();
    }
  }

  async #call(
    handler: Handler,
    entry: HandlerEntry | undefined,
    deadline: Date | null,
  ): Promise<Outcome> {
    try {
      // Where nothing has to be waited for, the handler begins at once: changes reach it from then on.
      if (this.task.attempts === 1 && this.task.leaseToken > 1) await this.#logRound();
      this.#controller.signal.throwIfAborted();
      const checked = entry === undefined ? handler : checkedHandler(handler, entry);
      return { result: await checked(this.task, this.#context(deadline, entry)) ?? null };
    } catch (thrown) {
      return { error: tangible(thrown), thrown };
    }
  }

  /** A task that was queued again counts its attempts from 1: one line parts them from those before. */
  async #logRound(): Promise<void> {
    try {
      const again = (await this.#tools.queue.transitions(this.task.id, { offset: -2 })).at(-2);
      if (again?.kind !== "requeued") return;
      this.#log("info", `Queued again at ${again.at.toISOString()}: attempts count from 1 again`);
    } catch (error) {
      this.#tools.onError(messageOf(error));
    }
  }

  /** A handler that completes in time has completed, except when its time, or its lease, was over. */
  async #endAfterGrace(ended: Promise<Outcome>, interruption: Interruption): Promise<Outcome> {
    const giveUp = new AbortController();
    await Promise.race([ended, sleep(this.#tools.clock, INTERRUPT_GRACE_MS, giveUp.signal)]);
    giveUp.abort();
    if (interruption !== "stopping") return { interruption };
    const outcome = await Promise.race([ended, { interruption }]);
    return "result" in outcome ? outcome : { interruption };
  }

  async #report(outcome: Outcome, entry: HandlerEntry | undefined): Promise<ExecutionReport> {
    if ("result" in outcome) return await this.#complete(outcome.result, entry);
    if ("error" in outcome) return await this.#endByError(outcome, entry);
    const message = this.#describe(outcome.interruption);
    switch (outcome.interruption) {
      case "timeout":
        return await this.#failAs(new Error(message), entry);
      case "stopping":
        return await this.#release(0);
      case "cancelled":
        this.#log("warn", message);
        this.#isLeaseGone = true;
        return { kind: "cancelled" };
      case "lease_lost":
        return this.#leaseLost(message);
    }
  }

  async #complete(result: unknown, entry: HandlerEntry | undefined): Promise<ExecutionReport> {
    await this.#tools.logs?.flush?.(this.task.id);
    const { tasks } = this.#following;
    try {
      await this.#following.check(this.#tools.handlers);
      return await this.#tell(async () => {
        await this.#tools.queue.complete(this.task, result, { enqueue: tasks });
        return { kind: "completed" };
      });
    } catch (error) {
      const what = tasks.length === 0 ? "" : ", or a task that it enqueued,";
      const message = `The handler's result${what} was refused: ${messageOf(error)}`;
      return await this.#failAs(new PermanentError(message, { cause: error }), entry);
    }
  }

  async #endByError(failed: Failed, entry: HandlerEntry | undefined): Promise<ExecutionReport> {
    const { error } = failed;
    const delayMs = isNamed(error, "SnoozeError") ? (error as SnoozeError).delayMs : undefined;
    if (delayMs === undefined) return await this.#fail(failed, entry);
    const message = messageOf(error);
    this.#log("info", message);
    return await this.#release(delayMs, message);
  }

  async #release(delayMs: number, message?: string): Promise<ExecutionReport> {
    return await this.#tell(async () => {
      await this.#tools.queue.release(this.task, { delayMs });
      return { kind: "released", message };
    });
  }

  #failAs(error: Error, entry: HandlerEntry | undefined): Promise<ExecutionReport> {
    return this.#fail({ error, thrown: error }, entry);
  }

  async #fail(
    { error, thrown }: Failed,
    entry: HandlerEntry | undefined,
  ): Promise<ExecutionReport> {
    const message = messageOf(error);
    this.#log("error", message, error instanceof Error ? stackOf(error) : undefined);
    await this.#tools.logs?.flush?.(this.task.id);
    const options = {
      retryPolicy: entry?.retryPolicy ?? undefined,
      maxAttempts: entry?.maxAttempts ?? undefined,
    };
    return await this.#tell(async () => {
      const task = await this.#tools.queue.fail(this.task, error, options);
      return { kind: task.status === "queued" ? "retried" : "failed", message, error: thrown };
    });
  }

  /**
   * Tells the queue, again after a storage error for as long as the lease lasts: the disk's failure is not the handler's. A
   * queue in doubt will not take it any more; the next process that opens it will rescue the task.
   * What the queue refuses for another reason than a lost lease is thrown.
   */
  async #tell(report: () => Promise<ExecutionReport>): Promise<ExecutionReport> {
    for (;;) {
      try {
        return await report();
      } catch (error) {
        if (error instanceof QueueError && error.code === "lease_lost") {
          return this.#leaseLost(error.message);
        }
        if (error instanceof QueueError && !FOLLOWING_REFUSED.includes(error.code)) {
          return this.#lost(error.message);
        }
        if (!(error instanceof StorageError)) throw error;
        this.#tools.onError(error.message);
        const isHopeless = error.isInDoubt || this.#tools.clock.nowMs() >= this.#leaseUntilMs;
        if (isHopeless) return this.#lost(error.message);
        await sleep(this.#tools.clock, REPORT_PAUSE_MS);
      }
    }
  }

  #leaseLost(message: string): ExecutionReport {
    this.#isLeaseGone = true;
    return this.#lost(this.#tools.whyLost(this.#leaseUntilMs) ?? message);
  }

  #lost(message: string): ExecutionReport {
    this.#log("warn", `${message}; the outcome of this attempt does not count`);
    return { kind: "lost", message };
  }

  #context(deadline: Date | null, entry: HandlerEntry | undefined): TaskContext {
    const context: TaskContext = {
      signal: this.#controller.signal,
      runId: this.task.runId,
      attempt: this.task.attempts,
      isLastAttempt: this.task.attempts >= this.#maxAttempts,
      deadline,
      enqueue: (task) => this.#following.add(task),
      snooze: (delayMs) => {
        throw new SnoozeError(delayMs);
      },
      parentResults: () =>
        checkedParents(entry?.parents ?? null, allParentResults(this.#tools.queue, this.task.id)),
      log: (level, message, details) => {
        checkLogCall(level, message);
        this.#log(level, message, details);
      },
      progress: (percent, message) => this.#progress.report({ percent, message }),
    };
    onThreadEnding(context, this.#tools.onThreadEnding);
    return context;
  }

  /** A log that cannot be written is not the handler's failure. */
  #log(level: LogLevel, message: string, details?: unknown): void {
    const at = new Date(this.#tools.clock.nowMs()).toISOString();
    try {
      this.#tools.logs?.append(this.task.id, {
        at,
        level,
        message,
        attempt: this.task.attempts,
        details,
      });
    } catch (error) {
      this.#tools.onError(messageOf(error));
    }
  }

  #describe(interruption: Interruption): string {
    switch (interruption) {
      case "cancelled":
        return CANCELLED_BY_USER;
      case "lease_lost":
        return "The lease was lost";
      case "stopping":
        return "The worker stops";
      case "timeout":
        return `Timed out in attempt ${this.task.attempts} of ${this.#maxAttempts}`;
    }
  }
}
