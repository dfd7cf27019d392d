/**
 * Tasks and their transitions as JSON.
 */
import type { z } from "@hono/zod-openapi";
import type {
  EnqueueResult,
  HistoryEntry,
  ParentResult,
  Task,
  TaskTransition,
} from "../../src/mod.ts";
import { instant } from "../http/fields.ts";
import type {
  EnqueuedBatchSchema,
  ParentListSchema,
  TaskSchema,
  TransitionEventSchema,
  TransitionListSchema,
} from "./schemas.ts";

/** A task with the Python system's names. */
export function taskJson(task: Task): z.infer<typeof TaskSchema> {
  return {
    id: task.id,
    run_id: task.runId,
    type: task.type,
    priority: task.priority,
    payload: task.payload,
    compatibility: { ...task.compatibility },
    status: task.status,
    attempts: task.attempts,
    max_attempts: task.maxAttempts,
    waits_for: task.waitsFor,
    run_after_utc: task.runAfter.toISOString(),
    lease_until_utc: instant(task.leaseUntil),
    reserved_at_utc: instant(task.reservedAt),
    processing_started_utc: instant(task.processingStarted),
    finished_at_utc: instant(task.finishedAt),
    created_at_utc: task.createdAt.toISOString(),
    updated_at_utc: task.updatedAt.toISOString(),
    locked_by: task.lockedBy,
    error_message: task.errorMessage,
    idempotency_key: task.idempotencyKey,
    result: task.result,
    progress_percent: task.progress,
    progress_message: task.progressMessage,
  };
}

/** A task of a batch. */
export function batchedTaskJson(
  { task, created }: EnqueueResult,
): z.infer<typeof EnqueuedBatchSchema>["tasks"][number] {
  const { id, runId, type, status, waitsFor } = task;
  return { id, run_id: runId, type, status, waits_for: waitsFor, created };
}

/** A step of a task's life. */
export function transitionJson(
  transition: TaskTransition,
): z.infer<typeof TransitionListSchema>["transitions"][number] {
  return {
    at: transition.at.toISOString(),
    level: transition.level,
    kind: transition.kind,
    worker: transition.worker,
    attempt: transition.attempt,
    error: transition.error,
    delay_ms: transition.delayMs,
    duration_ms: transition.durationMs,
  };
}

/** A step in the history of all tasks. */
export function transitionEventJson(entry: HistoryEntry): z.infer<typeof TransitionEventSchema> {
  const { taskId, runId, type } = entry;
  return { task_id: taskId, run_id: runId, type, ...transitionJson(entry) };
}

/** The outcome of a task's parent. */
export function parentJson(
  { taskId, runId, status, result, errorMessage }: ParentResult,
): z.infer<typeof ParentListSchema>["parents"][number] {
  return { task_id: taskId, run_id: runId, status, result, error_message: errorMessage };
}
