/**
 * Rows of a task: what is kept in `task` and, while it is not final, in `live`, read as one.
 */
import { QueueError } from "../../domain/errors.ts";
import { isFinal, type Task, type TaskStatus } from "../../domain/task.ts";
import type { LeaseState } from "../../queue_policy/attempt_end.ts";
import { keptFields, type KeptValues } from "../../queue_policy/kept_fields.ts";
import type { TaskChange } from "../../queue/task_queue.ts";
import type { RetryPolicy } from "../../domain/backoff.ts";
import type { Attempts } from "../../queue_policy/attempt_end.ts";
import { GIVEN_COLUMNS, namesOf } from "./columns.ts";
import type { Row } from "./database.ts";

/** What changes while a task lives, and how it ended. */
export interface TaskState {
  readonly status: TaskStatus;
  readonly attempts: number;
  readonly lease_token: number;
  readonly locked_by: string | null;
  readonly lease_until: number | null;
  readonly reserved_at: number | null;
  readonly processing_started: number | null;
  readonly run_after: number;
  readonly waits_for: number;
  /** Whether another task's turn comes first under its ordering key; `null` without one, and once it is final. */
  readonly is_behind: boolean | null;
  readonly finished_at: number | null;
  readonly updated_at: number;
  readonly progress_percent: number | null;
  readonly progress_message: string | null;
  readonly error_message: string | null;
  readonly result: string | null;
  /** Whether children, a webhook or tasks of its ordering key must hear of its end. Has no meaning once it is final. */
  readonly followed: boolean;
}

/** A task as the database has it. */
export interface TaskRow extends KeptValues, TaskState {
  readonly id: number;
  readonly run_id: string;
  readonly lane_id: number;
  readonly payload: string;
  readonly trace_parent: string | null;
  readonly unique_key: string | null;
  readonly ordering_place: number | null;
  readonly created_at: number;
}

/** Where a task is: `v` is its row of `live`, `t` that of `task`. */
export const STATUS =
  "case when v.id is null then t.outcome when v.state = 4 then 'leased' else 'queued' end";

/**
 * Reads tasks; a condition on `t` (task), `v` (live) or `lane` follows. A statement that has just changed them gives its own
 * rows of `task`, or its own join with rows of `live`.
 */
export function selectTasks(
  { task = "@task", live = "left join @live", more = "" }: {
    readonly task?: string;
    readonly live?: string;
    readonly more?: string;
  } = {},
): string {
  return `select ${namesOf(GIVEN_COLUMNS, "t.")}, lane.type, lane.compatibility,
    ${STATUS} as status,
    coalesce(v.attempts, t.attempts) as attempts,
    coalesce(v.lease_token, t.lease_token) as lease_token,
    coalesce(v.locked_by, t.locked_by) as locked_by,
    v.lease_until,
    coalesce(v.reserved_at, t.reserved_at) as reserved_at,
    coalesce(v.processing_started, t.processing_started) as processing_started,
    coalesce(v.run_after, t.run_after) as run_after,
    coalesce(v.waits_for, 0) as waits_for, v.is_behind,
    t.finished_at,
    coalesce(v.updated_at, t.updated_at) as updated_at,
    coalesce(v.progress_percent, t.progress_percent) as progress_percent,
    coalesce(v.progress_message, t.progress_message) as progress_message,
    coalesce(v.error_message, t.error_message) as error_message,
    t.result, coalesce(v.followed, false) as followed${more}
  from ${task} t join @lane lane on lane.lane_id = t.lane_id ${live} v on v.id = t.id`;
}

/** Reads tasks as they are. */
export const SELECT_TASKS = selectTasks();

/** The columns of a task that watchers hear of. */
export type ChangeRow = Pick<
  TaskRow,
  | "id"
  | "run_id"
  | "type"
  | "status"
  | "attempts"
  | "lease_token"
  | "locked_by"
  | "progress_percent"
>;

/** Reads what watchers hear of the tasks `$1`: each process reads it for each change of another, so it leaves the payload out. */
export const SELECT_CHANGES = `select t.id, t.run_id, lane.type, ${STATUS} as status,
    coalesce(v.attempts, t.attempts) as attempts,
    coalesce(v.lease_token, t.lease_token) as lease_token,
    coalesce(v.locked_by, t.locked_by) as locked_by,
    coalesce(v.progress_percent, t.progress_percent) as progress_percent
  from @task t join @lane lane on lane.lane_id = t.lane_id left join @live v on v.id = t.id
  where t.id = any($1)`;

/** The rows that `selectTasks` reads. */
export function taskRows(rows: readonly Row[]): TaskRow[] {
  return rows as unknown as TaskRow[];
}

/** The task in a row. */
export function taskOfRow(row: TaskRow): Task {
  return {
    id: row.id,
    runId: row.run_id,
    ...keptFields((column) => row[column]),
    payload: JSON.parse(row.payload),
    status: row.status,
    attempts: row.attempts,
    runAfter: new Date(row.run_after),
    leaseUntil: instant(row.lease_until),
    reservedAt: instant(row.reserved_at),
    processingStarted: instant(row.processing_started),
    finishedAt: instant(row.finished_at),
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
    lockedBy: row.locked_by,
    leaseToken: row.lease_token,
    errorMessage: row.error_message,
    result: row.result === null ? null : JSON.parse(row.result),
    progress: row.progress_percent,
    progressMessage: row.progress_message,
    waitsFor: row.waits_for,
    traceParent: row.trace_parent,
    uniqueKey: row.unique_key,
    orderingPlace: row.ordering_place,
  };
}

/** The part of a row that watchers get. */
export function changeOfRow(row: ChangeRow): TaskChange {
  return {
    taskId: row.id,
    runId: row.run_id,
    type: row.type,
    status: row.status,
    attempts: row.attempts,
    leaseToken: row.lease_token,
    lockedBy: row.locked_by,
    progress: row.progress_percent,
  };
}

/** Who holds the task of a row. */
export function leaseStateOf(row: TaskRow): LeaseState {
  return { status: row.status, leaseToken: row.lease_token, lockedBy: row.locked_by };
}

/** What a row says of its task's attempts. */
export function attemptsOf(row: TaskRow): Attempts {
  return {
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    retryPolicy: row.retry_policy === null ? null : JSON.parse(row.retry_policy) as RetryPolicy,
  };
}

/** How long a task has been running, from its row. */
export function runMsOf({ processing_started }: TaskRow, nowMs: number): number {
  return Math.max(0, nowMs - Number(processing_started));
}

/** Whether a row's task will never run again unless it is retried by hand. */
export function isFinalRow({ status }: TaskRow): boolean {
  return isFinal(status);
}

/** There is no task with this id. */
export function taskNotFound(id: number): QueueError {
  return new QueueError("task_not_found", `Cannot find task ${id}`);
}

function instant(atMs: number | null): Date | null {
  return atMs === null ? null : new Date(atMs);
}
