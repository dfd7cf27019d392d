/**
 * Runs as JSON.
 */
import type { z } from "@hono/zod-openapi";
import {
  type EnqueueResult,
  type Explanation,
  type HandlerRegistry,
  type Run,
  runOfTask,
  runStatusOf,
  type Task,
} from "../../src/core.ts";
import { instant } from "../http/fields.ts";
import type { StatusEventSchema } from "../logs/schemas.ts";
import type { RunBatchSchema } from "../modules/schemas.ts";
import type { ExplanationSchema, RunSchema } from "./schemas.ts";

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
