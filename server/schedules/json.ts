/**
 * Schedules as JSON.
 */
import type { z } from "@hono/zod-openapi";
import {
  type Schedule,
  type ScheduleRun,
  toRetryPolicyBody,
  toUniqueBody,
} from "../../src/core.ts";
import type { ScheduleRunListSchema, ScheduleSchema } from "./schemas.ts";

/** A task of a schedule as JSON. */
export function scheduleRunJson(
  { taskId, runId, status, at, finishedAt }: ScheduleRun,
): z.infer<typeof ScheduleRunListSchema>["runs"][number] {
  return {
    ...{ task_id: taskId, run_id: runId, status, at: at.toISOString() },
    finished_at: finishedAt?.toISOString() ?? null,
  };
}

/** A schedule as JSON. */
export function scheduleJson(schedule: Schedule): z.infer<typeof ScheduleSchema> {
  return {
    id: schedule.id,
    type: schedule.type,
    payload: schedule.payload,
    priority: schedule.priority,
    compatibility: { ...schedule.compatibility },
    max_attempts: schedule.maxAttempts,
    retry_policy: schedule.retryPolicy && toRetryPolicyBody(schedule.retryPolicy),
    timeout_ms: schedule.timeoutMs,
    group: schedule.group,
    ordering_key: schedule.orderingKey,
    on_predecessor_failure: schedule.onPredecessorFailure,
    tags: [...schedule.tags],
    unique: schedule.unique && toUniqueBody(schedule.unique),
    expires_in_ms: schedule.expiresInMs,
    every_ms: schedule.everyMs,
    cron: schedule.cron,
    time_zone: schedule.timeZone,
    catch_up: schedule.catchUp,
    catch_up_max: schedule.catchUpMax,
    overlap: schedule.overlap,
    paused: schedule.paused,
    webhook: schedule.webhook,
    next_at: schedule.nextAt?.toISOString() ?? null,
    last_fired_at: schedule.lastFiredAt?.toISOString() ?? null,
    last_task_id: schedule.lastTaskId,
    firings: schedule.firings,
    waits_for_task_id: schedule.waitsForTaskId,
    created_at: schedule.createdAt.toISOString(),
    updated_at: schedule.updatedAt.toISOString(),
  };
}
