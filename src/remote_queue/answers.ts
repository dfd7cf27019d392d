/**
 * What a server answers, as the port has it.
 */
import { CLAIM_ORDERS } from "../domain/claim_order.ts";
import type { RetryPolicy } from "../domain/backoff.ts";
import { RUN_STATUSES, taskStatusOf } from "../domain/run.ts";
import {
  KEPT_FIELD_NAMES,
  type KeptFieldName,
  TASK_FIELDS,
  type TaskField,
} from "../domain/task_fields.ts";
import type { CheckpointReport, StorageStats } from "../domain/storage_stats.ts";
import {
  PREDECESSOR_FAILURE_POLICIES,
  type Task,
  TASK_STATUSES,
  type TaskStatus,
} from "../domain/task.ts";
import { type Unique, UNIQUE_MODES } from "../domain/unique.ts";
import { type Webhook, WEBHOOK_EVENTS } from "../domain/webhook.ts";
import {
  type Explanation,
  EXPLANATION_REASONS,
  HEALTH_CODES,
  HEALTH_SEVERITIES,
  type HealthReason,
  type PruneReport,
  type QueueHealth,
} from "../queue/operator.ts";
import type { WorkerRecord } from "../queue/workers.ts";
import { CATCH_UP_POLICIES, type Schedule, type ScheduleRun } from "../queue/schedule.ts";
import type { ChildTask } from "../queue/children.ts";
import type { ParentResult, QueueStats, TaskChange } from "../queue/task_queue.ts";
import {
  type FieldChange,
  type HistoryEntry,
  type HistoryPage,
  type TaskTransition,
  TRANSITION_KINDS,
} from "../queue/task_transition.ts";
import {
  type Decode,
  type Fields,
  flag,
  instant,
  json,
  list,
  nullable,
  number,
  object,
  oneOf,
  pairs,
  record,
  text,
} from "./answer.ts";

const status: Decode<TaskStatus> = oneOf(TASK_STATUSES);

/** The parts of a retry policy. */
export const policyFields: Fields<RetryPolicy> = {
  initialDelayMs: number,
  multiplier: number,
  maxDelayMs: number,
};

/** A retry policy with every part. */
export const retryPolicy: Decode<RetryPolicy> = object(policyFields);

/** The fields that a task keeps as they were given, by their kinds. */
const keptFields = Object.fromEntries(
  KEPT_FIELD_NAMES.map((name) => [name, keptField(TASK_FIELDS[name])]),
) as unknown as Fields<Pick<Task, KeptFieldName>>;

function keptField(field: TaskField): Decode<unknown> {
  const { kind, isRequired, default: otherwise } = field;
  const decode: Decode<unknown> = kind === "integer"
    ? number
    : kind === "pairs"
    ? pairs
    : kind === "object"
    ? retryPolicy
    : kind === "instant"
    ? instant
    : kind === "names"
    ? list(text)
    : text;
  return isRequired || otherwise !== undefined ? decode : nullable(decode);
}

/** The fields of a task that its record has, too. */
export const taskFields: Fields<Omit<Task, "payload" | "result" | "waitsFor">> = {
  ...keptFields,
  id: number,
  runId: text,
  status,
  attempts: number,
  runAfter: ["run_after_utc", instant],
  leaseUntil: ["lease_until_utc", nullable(instant)],
  reservedAt: ["reserved_at_utc", nullable(instant)],
  processingStarted: ["processing_started_utc", nullable(instant)],
  finishedAt: ["finished_at_utc", nullable(instant)],
  createdAt: ["created_at_utc", instant],
  updatedAt: ["updated_at_utc", instant],
  lockedBy: nullable(text),
  leaseToken: number,
  errorMessage: nullable(text),
  progress: ["progress_percent", nullable(number)],
  progressMessage: nullable(text),
  traceParent: nullable(text),
  uniqueKey: nullable(text),
  orderingPlace: nullable(number),
};

/** A task. */
export const task: Decode<Task> = object<Task>({
  ...taskFields,
  payload: json,
  result: json,
  waitsFor: number,
});

/** A change of a task. */
export const change: Decode<TaskChange> = object<TaskChange>({
  taskId: number,
  runId: text,
  type: text,
  status,
  attempts: number,
  leaseToken: number,
  lockedBy: nullable(text),
  progress: ["progress_percent", nullable(number)],
});

/** What became of a parent. */
export const parent: Decode<ParentResult> = object<ParentResult>({
  taskId: number,
  runId: text,
  type: nullable(text),
  status: oneOf([...TASK_STATUSES, "pruned"]),
  result: json,
  errorMessage: nullable(text),
});

/** A task that depends on another. */
export const child: Decode<ChildTask> = object<ChildTask>({
  taskId: number,
  runId: text,
  type: text,
  status,
});

/** A task of a schedule. */
export const scheduleRun: Decode<ScheduleRun> = object<ScheduleRun>({
  taskId: number,
  runId: text,
  status,
  at: instant,
  finishedAt: nullable(instant),
});

const scalar: Decode<string | number | null> = nullable((value) =>
  typeof value === "number" ? value : text(value)
);

const transitionFields: Fields<Omit<TaskTransition, "taskId">> = {
  at: instant,
  level: oneOf(["info", "warn", "error"]),
  kind: oneOf(TRANSITION_KINDS),
  worker: nullable(text),
  attempt: nullable(number),
  handlerMaxAttempts: nullable(number),
  error: nullable(text),
  delayMs: nullable(number),
  by: nullable(text),
  changes: nullable(record(object<FieldChange>({ from: scalar, to: scalar }))),
  causedBy: nullable(text),
  enqueuedCount: nullable(number),
  enqueuedRuns: list(text),
  durationMs: nullable(number),
};

/** A step of the life of the task `taskId`. */
export function transitionOf(taskId: number): Decode<TaskTransition> {
  return object<TaskTransition>({ taskId: ["kind", () => taskId], ...transitionFields });
}

/** A part of the history of all tasks. */
export const history: Decode<HistoryPage> = object<HistoryPage>({
  entries: list(
    object<HistoryEntry>({
      taskId: number,
      ...transitionFields,
      cursor: text,
      runId: text,
      type: text,
    }),
  ),
  cursor: text,
});

export const counts: Decode<Record<TaskStatus, number>> = object<Record<TaskStatus, number>>({
  queued: number,
  leased: number,
  completed: number,
  failed: number,
  cancelled: number,
});

/** The queue in numbers. */
export const stats: Decode<QueueStats> = object<QueueStats>({
  total: number,
  byStatus: counts,
  byType: record(counts),
  scheduled: number,
  waitingForParents: number,
  oldestDueAt: nullable(instant),
});

/** A worker. */
export const worker: Decode<WorkerRecord> = object<WorkerRecord>({
  workerId: text,
  capabilities: pairs,
  types: list(text),
  concurrency: number,
  strategy: oneOf(CLAIM_ORDERS),
  typeLimits: record(number),
  version: nullable(text),
  runtime: nullable(text),
  state: oneOf(["active", "limbo", "stale"]),
  startedAt: instant,
  heartbeatAt: instant,
  leasedTasks: number,
  slotsInUse: number,
  typeSlotsInUse: record(number),
});

/** Why a task is where it is. */
export const explanation: Decode<Explanation> = object<Explanation>({
  taskId: number,
  runId: text,
  status: (value) => taskStatusOf(oneOf(RUN_STATUSES)(value)),
  reason: oneOf(EXPLANATION_REASONS),
  summary: text,
  data: pairs,
});

/** What makes a schedule's tasks unique. */
export function unique(value: unknown): Unique {
  const { key, mode, window_ms: windowMs, max_wait_ms: maxWaitMs } = pairs(value);
  return {
    key: text(key),
    mode: oneOf(UNIQUE_MODES)(mode),
    ...(windowMs === undefined ? {} : { windowMs: number(windowMs) }),
    ...(maxWaitMs === undefined ? {} : { maxWaitMs: number(maxWaitMs) }),
  };
}

/** A webhook. */
export function webhook(value: unknown): Webhook {
  const { url, events } = pairs(value);
  return { url: text(url), events: list(oneOf(WEBHOOK_EVENTS))(events) };
}

/** The fields of a schedule that its record has, too. */
export const scheduleFields: Fields<
  Omit<Schedule, "payload" | "lastTaskId" | "waitsForTaskId">
> = {
  id: text,
  type: text,
  priority: number,
  compatibility: pairs,
  maxAttempts: number,
  retryPolicy: nullable(retryPolicy),
  timeoutMs: nullable(number),
  group: nullable(text),
  orderingKey: nullable(text),
  onPredecessorFailure: nullable(oneOf(PREDECESSOR_FAILURE_POLICIES)),
  tags: list(text),
  expiresInMs: nullable(number),
  unique: nullable(unique),
  everyMs: nullable(number),
  cron: nullable(text),
  timeZone: text,
  catchUp: oneOf(CATCH_UP_POLICIES),
  catchUpMax: number,
  overlap: flag,
  paused: flag,
  nextAt: nullable(instant),
  lastFiredAt: nullable(instant),
  webhook: nullable(webhook),
  firings: number,
  createdAt: instant,
  updatedAt: instant,
};

/** A schedule. */
export const schedule: Decode<Schedule> = object<Schedule>({
  ...scheduleFields,
  payload: json,
  lastTaskId: nullable(number),
  waitsForTaskId: nullable(number),
});

/** The verdict on the queue. */
export const health: Decode<QueueHealth> = object<QueueHealth>({
  verdict: ["status", oneOf(["healthy", "degraded", "unhealthy"])],
  reasons: list(object<HealthReason>({
    code: oneOf(HEALTH_CODES),
    severity: oneOf(HEALTH_SEVERITIES),
    message: text,
  })),
  at: instant,
});

/** The deleted tasks, counted. */
export const pruned: Decode<PruneReport> = object<PruneReport>({
  pruned: number,
  byStatus: object<PruneReport["byStatus"]>({
    completed: number,
    failed: number,
    cancelled: number,
  }),
});

/** What a checkpoint did. */
export const checkpointReport: Decode<CheckpointReport> = object<CheckpointReport>({
  sequence: number,
  snapshotBytes: number,
  removedSegments: number,
});

/** The files and the memory in numbers. */
export const storageStats: Decode<StorageStats> = object<StorageStats>({
  location: text,
  sequence: number,
  journalBytes: number,
  snapshotBytes: number,
  memoryUsedBytes: number,
  memoryMaxBytes: number,
  tornTails: number,
  commits: number,
  syncs: number,
});
