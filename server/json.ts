/**
 * Tasks, runs, modules and statistics as JSON: snake_case, instants in UTC with milliseconds and `Z`.
 *
 * The result types are those of the schemas, so what is sent and what is documented cannot drift apart. The lease
 * token is never part of it: who knows it could finish the task.
 */
import { z } from "@hono/zod-openapi";
import {
  type Explanation,
  type HandlerEntry,
  type HealthReason,
  type LedgerStats,
  type ModuleParameter,
  type QueueStats,
  type Run,
  runStatusOf,
  type Task,
} from "../src/mod.ts";
import type {
  ExplanationSchema,
  HealthSchema,
  ModuleSchema,
  RunSchema,
  StatsSchema,
  StorageSchema,
  TaskSchema,
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

/** A run. */
export function runJson(run: Run): z.infer<typeof RunSchema> {
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
      : z.toJSONSchema(entry.payload, { io: "input", unrepresentable: "any" }),
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
    torn_tails: storage.tornTails,
    commits: storage.commits,
    syncs: storage.syncs,
  };
}

function instant(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}
