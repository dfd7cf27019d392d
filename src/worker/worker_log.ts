/**
 * The worker's structured log, in the category `holdfast`, `worker`. Nothing is written, and next to nothing is spent,
 * unless the application configures LogTape.
 */
import { getLogger } from "@logtape/logtape";
import type { Task } from "../domain/task.ts";
import type { ExecutionEnd } from "./execution.ts";

const logger = getLogger(["holdfast", "worker"]);

const LEVELS = {
  started: "debug",
  completed: "info",
  released: "info",
  cancelled: "info",
  retried: "warn",
  lost: "warn",
  failed: "error",
  error: "error",
} as const satisfies Record<WorkerEvent["kind"], "debug" | "info" | "warn" | "error">;

const TEXTS: Readonly<Record<WorkerEvent["kind"], string>> = {
  started: "Task {task} started",
  completed: "Task {task} completed",
  released: "Task {task} was given back",
  cancelled: "Task {task} was cancelled",
  retried: "Task {task} failed and will be tried again: {reason}",
  lost: "The outcome of task {task} does not count: {reason}",
  failed: "Task {task} failed: {reason}",
  error: "{reason}",
};

/** A worker with these settings begins. */
export function logStart(worker: string, settings: Readonly<Record<string, unknown>>): void {
  logger.info("Worker {worker} started", () => ({ worker, ...settings }));
}

/** A worker has ended. */
export function logStop(worker: string): void {
  logger.info("Worker {worker} stopped", { worker });
}

/** A worker has claimed tasks. */
export function logClaim(worker: string, tasks: readonly Task[]): void {
  if (tasks.length === 0) return;
  logger.debug(
    "Worker {worker} claimed {count} tasks",
    () => ({ worker, count: tasks.length, tasks: tasks.map(({ id }) => id) }),
  );
}

/** Something happened to a task, or to the worker. */
export function logEvent(worker: string, { kind, task, message, error }: WorkerEvent): void {
  logger[LEVELS[kind]](TEXTS[kind], () => ({
    worker,
    task: task?.id,
    run: task?.runId,
    type: task?.type,
    attempt: task?.attempts,
    reason: message,
    error,
  }));
}

/** What happened to a task, or to the worker itself (`error`). */
export interface WorkerEvent {
  /** What happened. */
  readonly kind: "started" | ExecutionEnd | "error";
  /** The task concerned, if it was one. */
  readonly task?: Task;
  /** Why, for people. */
  readonly message?: string;
  /** What was thrown, with its stack and cause, where something was: the handler's own error, unless it ran in a thread. */
  readonly error?: unknown;
  /**
   * Whether only a new process helps: threads of isolated handlers go on although they were told to end, and take memory, or
   * every processor; or the queue's tasks were moved to another one. Stop the worker then and end the process; `holdfast worker` and `serve` do so with exit code 4.
   */
  readonly isFatal?: boolean;
}
