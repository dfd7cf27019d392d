/**
 * Tasks, runs, modules and statistics as JSON: snake_case, instants in UTC with milliseconds and `Z`.
 *
 * The result types are those of the schemas, so what is sent and what is documented cannot drift apart. A lease token
 * goes to the worker that claimed the task and to nobody else: who knows it could finish the task.
 */
import { z } from "@hono/zod-openapi";
import {
  type EnqueueResult,
  type Explanation,
  type HandlerEntry,
  type HandlerRegistry,
  type HealthReason,
  type HistoryEntry,
  type LedgerStats,
  type ModuleParameter,
  type ParentResult,
  type QueueStats,
  type Run,
  runOfTask,
  runStatusOf,
  type Task,
  type TaskTransition,
  type WorkerRecord,
} from "../src/mod.ts";
import type {
  EnqueuedBatchSchema,
  ExplanationSchema,
  HealthSchema,
  ModuleSchema,
  ParentListSchema,
  RunBatchSchema,
  RunSchema,
  StatsSchema,
  StorageSchema,
  TaskSchema,
  TransitionEventSchema,
  TransitionListSchema,
  WorkerListSchema,
} from "./schemas.ts";
import type { StatusEventSchema } from "./log_schemas.ts";
import type { ClaimSchema } from "./worker_schemas.ts";

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

/** A run of a batch. */
export function batchedRunJson(
  { task, created }: EnqueueResult,
): z.infer<typeof RunBatchSchema>["runs"][number] {
  const { runId, type, status } = task;
  return { run_id: runId, module_id: type, status: runStatusOf(status), created };
}

/** The run that shows a task, under the name of its module if that is here. */
export function runJsonOfTask(
  task: Task,
  handlers: HandlerRegistry,
): z.infer<typeof RunSchema> {
  return runJson(runOfTask(task, handlers.get(task.type)?.name));
}

/** A run. */
function runJson(run: Run): z.infer<typeof RunSchema> {
  return {
    run_id: run.runId,
    module_id: run.moduleId,
    module_name: run.moduleName,
    status: run.status,
    created_at: run.createdAt.toISOString(),
    started_at: instant(run.startedAt),
    completed_at: instant(run.completedAt),
    duration_seconds: run.durationSeconds,
    progress_percent: run.progressPercent,
    exit_code: run.exitCode,
    error_message: run.errorMessage,
    parameters: run.parameters,
    result: run.result,
    attempts: run.attempts,
    priority: run.priority,
  };
}

/** A task as the worker gets it that claimed it. */
export function claimedTaskJson(task: Task): z.infer<typeof ClaimSchema>["tasks"][number] {
  return { ...taskJson(task), lease_token: task.leaseToken, timeout_ms: task.timeoutMs };
}

/** How far a run is. */
export function statusJson(task: Task): z.infer<typeof StatusEventSchema> {
  return {
    run_id: task.runId,
    status: runStatusOf(task.status),
    attempts: task.attempts,
    progress_percent: task.progress,
    progress_message: task.progressMessage,
    error_message: task.errorMessage,
  };
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

/** What became of a task's parent. */
export function parentJson(
  { taskId, runId, status, result, errorMessage }: ParentResult,
): z.infer<typeof ParentListSchema>["parents"][number] {
  return { task_id: taskId, run_id: runId, status, result, error_message: errorMessage };
}

/** A worker. */
export function workerJson(
  worker: WorkerRecord,
): z.infer<typeof WorkerListSchema>["workers"][number] {
  return {
    worker_id: worker.workerId,
    state: worker.state,
    types: [...worker.types],
    capabilities: { ...worker.capabilities },
    concurrency: worker.concurrency,
    strategy: worker.strategy,
    type_limits: { ...worker.typeLimits },
    started_at: worker.startedAt.toISOString(),
    heartbeat_at: worker.heartbeatAt.toISOString(),
    leased_tasks: worker.leasedTasks,
    slots_in_use: worker.slotsInUse,
    type_slots_in_use: { ...worker.typeSlotsInUse },
  };
}

/** Why a run is where it is. */
export function explanationJson(explanation: Explanation): z.infer<typeof ExplanationSchema> {
  return {
    run_id: explanation.runId,
    task_id: explanation.taskId,
    status: runStatusOf(explanation.status),
    reason: explanation.reason,
    summary: explanation.summary,
    data: { ...explanation.data },
  };
}

/** What is not as it should be. */
export function healthReasonsJson(
  reasons: readonly HealthReason[],
): z.infer<typeof HealthSchema>["reasons"] {
  return reasons.map(({ code, severity, message }) => ({ code, severity, message }));
}

/** A module: what a handler says of itself. Its schema describes the input, before defaults and conversions. */
export function moduleJson(entry: HandlerEntry): z.infer<typeof ModuleSchema> {
  return {
    id: entry.type,
    name: entry.name,
    description: entry.description,
    parameters_schema: entry.payload === null
      ? null
      : z.toJSONSchema(entry.payload as z.ZodType, { io: "input", unrepresentable: "any" }),
    parameters: entry.parameters?.map(parameterJson) ?? null,
  };
}

function parameterJson(
  parameter: ModuleParameter,
): NonNullable<z.infer<typeof ModuleSchema>["parameters"]>[number] {
  const { minLength, maxLength, visibleWhen, options, ...same } = parameter;
  return {
    ...same,
    min_length: minLength,
    max_length: maxLength,
    options: options === null ? null : [...options],
    visible_when: visibleWhen === null
      ? null
      : { parameter: visibleWhen.parameter, one_of: [...visibleWhen.oneOf] },
  };
}

/** The queue in numbers. */
export function statsJson(stats: QueueStats): z.infer<typeof StatsSchema> {
  return {
    total: stats.total,
    by_status: { ...stats.byStatus },
    by_type: { ...stats.byType },
    scheduled: stats.scheduled,
    waiting_for_parents: stats.waitingForParents,
    oldest_due_created_at: instant(stats.oldestDueCreatedAt),
    storage: stats.storage === null ? null : storageJson(stats.storage),
  };
}

function storageJson(storage: LedgerStats): z.infer<typeof StorageSchema> {
  return {
    location: storage.location,
    sequence: storage.sequence,
    journal_bytes: storage.journalBytes,
    snapshot_bytes: storage.snapshotBytes,
    memory_used_bytes: storage.memoryUsedBytes,
    memory_max_bytes: storage.memoryMaxBytes,
    torn_tails: storage.tornTails,
    commits: storage.commits,
    syncs: storage.syncs,
  };
}

function instant(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}
