/**
 * Tasks and their transitions as JSON.
 */
import type { z } from "@hono/zod-openapi";
import type {
  BulkReport,
  ChildTask,
  EnqueueResult,
  HistoryEntry,
  HistoryPage,
  ParentResult,
  SearchPage,
  Task,
  TaskChange,
  TaskTransition,
} from "../../src/core.ts";
import { instant } from "../http/fields.ts";
import { keptJson } from "../http/task_fields.ts";
import type { BulkSchema } from "./change_schemas.ts";
import type { SearchPageSchema } from "./search_schemas.ts";
import type {
  ChangesEventSchema,
  ChildListSchema,
  EnqueuedBatchSchema,
  EnqueuedSchema,
  HistorySchema,
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
    ...keptJson(task),
    payload: task.payload,
    status: task.status,
    attempts: task.attempts,
    waits_for: task.waitsFor,
    run_after_utc: task.runAfter.toISOString(),
    lease_until_utc: instant(task.leaseUntil),
    reserved_at_utc: instant(task.reservedAt),
    processing_started_utc: instant(task.processingStarted),
    finished_at_utc: instant(task.finishedAt),
    created_at_utc: task.createdAt.toISOString(),
    updated_at_utc: task.updatedAt.toISOString(),
    locked_by: task.lockedBy,
    lease_token: task.leaseToken,
    trace_parent: task.traceParent,
    unique_key: task.uniqueKey,
    ordering_place: task.orderingPlace,
    error_message: task.errorMessage,
    result: task.result,
    progress_percent: task.progress,
    progress_message: task.progressMessage,
  };
}

/** What a search has found. */
export function searchJson(page: SearchPage): z.infer<typeof SearchPageSchema> {
  const { tasks, searched, leftMax, cursor } = page;
  return { tasks: tasks.map(taskJson), searched, left_max: leftMax, cursor };
}

/** A task that was enqueued. */
export function enqueuedTaskJson(
  { task, created, outcome }: EnqueueResult,
): z.infer<typeof EnqueuedSchema> {
  return { ...taskJson(task), created, outcome };
}

/** A task of a batch. */
export function batchedTaskJson(
  { task, created, outcome }: EnqueueResult,
): z.infer<typeof EnqueuedBatchSchema>["tasks"][number] {
  const { id, runId, type, status, waitsFor } = task;
  return { id, run_id: runId, type, status, waits_for: waitsFor, created, outcome };
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
    handler_max_attempts: transition.handlerMaxAttempts,
    error: transition.error,
    delay_ms: transition.delayMs,
    by: transition.by,
    changes: transition.changes,
    caused_by: transition.causedBy,
    enqueued_count: transition.enqueuedCount,
    enqueued_runs: [...transition.enqueuedRuns],
    duration_ms: transition.durationMs,
  };
}

/** A step in the history of all tasks. */
export function transitionEventJson(entry: HistoryEntry): z.infer<typeof TransitionEventSchema> {
  const { taskId, runId, type } = entry;
  return { task_id: taskId, run_id: runId, type, ...transitionJson(entry) };
}

/** A part of the history of all tasks. */
export function historyJson({ entries, cursor }: HistoryPage): z.infer<typeof HistorySchema> {
  const told = entries.map((entry) => ({ ...transitionEventJson(entry), cursor: entry.cursor }));
  return { entries: told, cursor };
}

/** What became of a task. */
export function changeJson(change: TaskChange): z.infer<typeof ChangesEventSchema>[number] {
  return {
    task_id: change.taskId,
    run_id: change.runId,
    type: change.type,
    status: change.status,
    attempts: change.attempts,
    lease_token: change.leaseToken,
    locked_by: change.lockedBy,
    progress_percent: change.progress,
  };
}

/** What a bulk request has done. */
export function bulkJson(report: BulkReport): z.infer<typeof BulkSchema> {
  const { matched, changed, doneUpToId, upToId, cursor } = report;
  return { matched, changed, done_up_to_id: doneUpToId, up_to_id: upToId, cursor };
}

/** A task that depends on another. */
export function childJson(
  { taskId, runId, type, status }: ChildTask,
): z.infer<typeof ChildListSchema>["children"][number] {
  return { task_id: taskId, run_id: runId, type, status };
}

/** The outcome of a task's parent. */
export function parentJson(
  { taskId, runId, type, status, result, errorMessage }: ParentResult,
): z.infer<typeof ParentListSchema>["parents"][number] {
  return { task_id: taskId, run_id: runId, type, status, result, error_message: errorMessage };
}
