/**
 * The status of a task, as a manager reports it.
 */
import type { Task, TaskStatus } from "../domain/task.ts";

/** Where a task is. Everything but `status` and what was asked for is `null` when the status is `not_found`. */
export interface TaskStatusReport {
  /** The id of the task. */
  readonly taskId: number | null;
  /** The id of its run. */
  readonly runId: string | null;
  /** Where it is. */
  readonly status: TaskStatus | "not_found";
  /** Its type: the module's id. */
  readonly type: string | null;
  /** Executions started. */
  readonly attempts: number | null;
  /** Executions allowed. */
  readonly maxAttempts: number | null;
  /** Why it last failed or was cancelled, or why the queue would not store it. */
  readonly errorMessage: string | null;
  /** When it was stored. */
  readonly createdAt: Date | null;
  /** When its latest execution started. */
  readonly startedAt: Date | null;
  /** When it reached its final status. */
  readonly finishedAt: Date | null;
  /** The worker that holds the task, or held it last. */
  readonly lockedBy: string | null;
  /** 0–100. */
  readonly progress: number | null;
  /** The value that the handler returned. */
  readonly result: unknown;
}

const NOT_FOUND: TaskStatusReport = Object.freeze({
  taskId: null,
  runId: null,
  status: "not_found",
  type: null,
  attempts: null,
  maxAttempts: null,
  errorMessage: null,
  createdAt: null,
  startedAt: null,
  finishedAt: null,
  lockedBy: null,
  progress: null,
  result: null,
});

/** Nothing is known of the task; `known` is what was asked for, and why the queue would not store it. */
export function notFound(
  known: Partial<Pick<TaskStatusReport, "taskId" | "runId" | "errorMessage">>,
): TaskStatusReport {
  return { ...NOT_FOUND, ...known };
}

/** Where `task` is. */
export function reportOf(task: Task): TaskStatusReport {
  return {
    taskId: task.id,
    runId: task.runId,
    status: task.status,
    type: task.type,
    attempts: task.attempts,
    maxAttempts: task.maxAttempts,
    errorMessage: task.errorMessage,
    createdAt: task.createdAt,
    startedAt: task.processingStarted,
    finishedAt: task.finishedAt,
    lockedBy: task.lockedBy,
    progress: task.progress,
    result: task.result,
  };
}
