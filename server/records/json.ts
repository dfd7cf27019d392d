/**
 * Records as JSON, and back.
 */
import type { z } from "@hono/zod-openapi";
import {
  type FlowRecord,
  type RecordImport,
  type RecordImportRequest,
  type RetryPolicy,
  type Schedule,
  type ScheduleRecord,
  type Task,
  type TaskRecord,
  toRetryPolicy,
  toUnique,
} from "../../src/core.ts";
import { keptOf } from "../http/task_fields.ts";
import type { LimitRecordSchema } from "../limits/schemas.ts";
import { scheduleJson } from "../schedules/json.ts";
import { taskJson } from "../tasks/json.ts";
import type {
  ImportBody,
  ImportSchema,
  ScheduleRecordSchema,
  TaskRecordSchema,
} from "./schemas.ts";

/** A task as it is stored. */
export function taskRecordJson(record: TaskRecord): z.infer<typeof TaskRecordSchema> {
  const { payloadText, resultText, parents, webhook, ...fields } = record;
  const task: Task = { ...fields, payload: null, result: null, waitsFor: 0 };
  const { payload: _1, result: _2, waits_for: _3, ...json } = taskJson(task);
  return {
    ...json,
    payload_text: payloadText,
    result_text: resultText,
    parents: parents.map(({ taskId, runId, onFailure, state }) => {
      return { task_id: taskId, run_id: runId, on_failure: onFailure, state };
    }),
    webhook,
  };
}

/** A schedule as it is stored. */
export function scheduleRecordJson(
  record: ScheduleRecord,
): z.infer<typeof ScheduleRecordSchema> {
  const { payloadText, lastRunId, ...fields } = record;
  const schedule: Schedule = { ...fields, payload: null, lastTaskId: null, waitsForTaskId: null };
  const { payload: _1, last_task_id: _2, waits_for_task_id: _3, ...json } = scheduleJson(schedule);
  return { ...json, payload_text: payloadText, last_run_id: lastRunId };
}

/** The record that a body's task is. */
function taskRecordOf(task: z.infer<typeof TaskRecordSchema>): TaskRecord {
  return {
    id: task.id,
    runId: task.run_id,
    ...keptOf(task),
    payloadText: task.payload_text,
    resultText: task.result_text,
    status: task.status,
    attempts: task.attempts,
    runAfter: new Date(task.run_after_utc),
    leaseUntil: dateOf(task.lease_until_utc),
    reservedAt: dateOf(task.reserved_at_utc),
    processingStarted: dateOf(task.processing_started_utc),
    finishedAt: dateOf(task.finished_at_utc),
    createdAt: new Date(task.created_at_utc),
    updatedAt: new Date(task.updated_at_utc),
    lockedBy: task.locked_by,
    leaseToken: task.lease_token,
    errorMessage: task.error_message,
    progress: task.progress_percent,
    progressMessage: task.progress_message,
    traceParent: task.trace_parent,
    uniqueKey: task.unique_key,
    orderingPlace: task.ordering_place,
    parents: task.parents.map(({ task_id, run_id, on_failure, state }) => {
      return { taskId: task_id, runId: run_id, onFailure: on_failure, state };
    }),
    webhook: task.webhook,
  };
}

/** The record that a body's schedule is. */
function scheduleRecordOf(schedule: z.infer<typeof ScheduleRecordSchema>): ScheduleRecord {
  return {
    id: schedule.id,
    type: schedule.type,
    payloadText: schedule.payload_text,
    priority: schedule.priority,
    compatibility: schedule.compatibility,
    maxAttempts: schedule.max_attempts,
    retryPolicy: schedule.retry_policy && toRetryPolicy(schedule.retry_policy) as RetryPolicy,
    timeoutMs: schedule.timeout_ms,
    group: schedule.group,
    orderingKey: schedule.ordering_key,
    onPredecessorFailure: schedule.on_predecessor_failure,
    tags: schedule.tags,
    unique: schedule.unique && toUnique(schedule.unique),
    expiresInMs: schedule.expires_in_ms,
    everyMs: schedule.every_ms,
    cron: schedule.cron,
    timeZone: schedule.time_zone,
    catchUp: schedule.catch_up,
    catchUpMax: schedule.catch_up_max,
    overlap: schedule.overlap,
    paused: schedule.paused,
    webhook: schedule.webhook,
    nextAt: dateOf(schedule.next_at),
    lastFiredAt: dateOf(schedule.last_fired_at),
    lastRunId: schedule.last_run_id,
    firings: schedule.firings,
    createdAt: new Date(schedule.created_at),
    updatedAt: new Date(schedule.updated_at),
  };
}

/** The record that a body's limit is. */
function flowRecordOf(limit: z.infer<typeof LimitRecordSchema>): FlowRecord {
  const { type, group, concurrency, rate, weight, set_at, set_by, is_declared, paused } = limit;
  return {
    scope: { type: type ?? undefined, group: group ?? undefined },
    concurrency,
    rate: rate && { limit: rate.limit, periodMs: rate.period_ms, burst: rate.burst },
    weight,
    setAt: dateOf(set_at),
    setBy: set_by,
    isDeclared: is_declared,
    paused: paused && {
      ...paused,
      at: new Date(paused.at),
      until: dateOf(paused.until),
    },
  };
}

/** What a body wants to be imported, and how. */
export function importOf(
  { tasks, schedules = [], limits = [], dry_run, skip_invalid, renumber }: z.infer<
    typeof ImportBody
  >,
): { readonly records: TaskRecord[]; readonly options: RecordImportRequest } {
  const options = { dryRun: dry_run, skipInvalid: skip_invalid, renumber };
  return {
    records: tasks.map(taskRecordOf),
    options: {
      ...options,
      schedules: schedules.map(scheduleRecordOf),
      limits: limits.map(flowRecordOf),
    },
  };
}

/** What came of an import. */
export function importJson(result: RecordImport): z.infer<typeof ImportSchema> {
  const { additions, present } = result.schedules;
  return {
    stored: result.stored,
    additions: [...result.additions],
    stored_ids: [...result.storedIds],
    present: [...result.present],
    gone: [...result.gone],
    problems: result.problems.map((problem) => ({ ...problem })),
    conflicts: result.conflicts.map((conflict) => ({ ...conflict })),
    schedules: { additions: [...additions], present: [...present] },
    limits: { ...result.limits },
  };
}

function dateOf(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
