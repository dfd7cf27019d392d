/**
 * QueueOperator: the operator's part of the port: workers, why a task is where it is, its schedules, metrics,
 * health, pruning, and records to be carried elsewhere.
 */
import { FINAL_STATUSES, type FinalStatus } from "../domain/final_status.ts";
import type { Task, TaskStatus } from "../domain/task.ts";
import type { PartRequest } from "./page_request.ts";
import type {
  QueueRecords,
  RecordImport,
  RecordImportRequest,
  RecordRequest,
  TaskRecord,
} from "./records.ts";
import type { ChildrenRequest, ChildTask } from "./children.ts";
import type {
  AddScheduleResult,
  NewSchedule,
  Schedule,
  ScheduleListRequest,
  ScheduleRun,
  ScheduleRunsRequest,
} from "./schedule.ts";
import type { HistoryPage, HistoryRequest, TaskTransition } from "./task_transition.ts";
import type { WorkerBeat, WorkerRecord } from "./workers.ts";
import type { MetricsRequest, QueueMetrics } from "./metrics.ts";

/**
 * Why a task is where it is.
 *
 * - `queue_moving`: the queue is closed while its tasks are moved, or while it is filled. `queue_moved`: they are elsewhere.
 * - `expired`: it had not started by its `expiresAt`, and is about to be cancelled by itself.
 * - `waiting_for_parents`: tasks that it depends on are not final.
 * - `behind_in_order`: another task's turn comes first under its ordering key, or one before it has failed and holds it up.
 * - `scheduled`, `waiting_for_retry`: its time has not come.
 * - `paused`: its type, or the whole queue, is paused. `concurrency_limited`: a limit's slots are all in use.
 *   `rate_limited`: as many tasks of its scope have started as a rate allows.
 * - `no_worker`: no live worker at all. `no_handler`: none has a handler for its type. `no_capable_worker`: none of those
 *   has the capabilities that it needs.
 * - `type_at_limit`: its workers run as many tasks of its type as they may. `behind_others`: other tasks come first.
 *   `in_draw`: chance decides between it and others. `workers_busy`: it is next, and no slot is free. `next`: it is next.
 * - `leased`: a worker holds it. `lease_expired`: the worker fell silent, and the task will be rescued.
 * - `completed`, `failed`, `cancelled`: it is over.
 */
export type ExplanationReason = typeof EXPLANATION_REASONS[number];

/** Every reason why a task is where it is, in the order in which they are checked. */
export const EXPLANATION_REASONS = [
  "queue_moving",
  "queue_moved",
  "expired",
  "waiting_for_parents",
  "behind_in_order",
  "scheduled",
  "waiting_for_retry",
  "paused",
  "concurrency_limited",
  "rate_limited",
  "no_worker",
  "no_handler",
  "no_capable_worker",
  "type_at_limit",
  "behind_others",
  "in_draw",
  "workers_busy",
  "next",
  "leased",
  "lease_expired",
  ...FINAL_STATUSES,
] as const;

/** Why a task is where it is. */
export interface Explanation {
  /** The task's id. */
  readonly taskId: number;
  /** The task's run id. */
  readonly runId: string;
  /** Where it is. */
  readonly status: TaskStatus;
  /** Why, for programs. */
  readonly reason: ExplanationReason;
  /** Why, in one sentence without a final period. */
  readonly summary: string;
  /** The facts of the sentence as JSON: instants in ISO 8601, names in snake_case. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** The verdict on a queue. */
export type Verdict = "healthy" | "degraded" | "unhealthy";

/** Everything that `health` can say of a queue; `HealthThresholds` says when. */
export const HEALTH_CODES = [
  "queue_moving",
  "queue_moved",
  "no_active_worker",
  "oldest_due_waits",
  "failure_rate",
  "expired_leases",
  "paused_long",
  "limit_full",
  "silent_workers",
  "journal_large",
  "memory_high",
  "lock_held",
  "clock_put_back",
  "background_error",
  "schedule_unplannable",
  "webhook_failing",
  "dead_rows",
  "old_snapshot",
  "wake_up_deaf",
] as const;

/** How bad a reason can be, the least first. */
export const HEALTH_SEVERITIES = ["notice", "degraded", "unhealthy"] as const;

/** One thing that `health` says of a queue. */
export interface HealthReason {
  /** Its code, for programs. */
  readonly code: typeof HEALTH_CODES[number];
  /** How bad it is; a `notice` says how the queue works, and leaves it healthy. */
  readonly severity: typeof HEALTH_SEVERITIES[number];
  /** For people, one sentence without a final period. */
  readonly message: string;
}

/** The health of a queue: a verdict, and why. */
export interface QueueHealth {
  /** The worst severity among the reasons; `healthy` without any but notices. */
  readonly verdict: Verdict;
  /** Only notices when healthy. */
  readonly reasons: readonly HealthReason[];
  /** When the verdict was made. */
  readonly at: Date;
}

/**
 * Which finished tasks to delete. At least one of `olderThanMs` and `keep` is needed; with both, a task goes only when
 * both apply.
 */
export interface PruneRequest {
  /** Only tasks that finished longer ago than this, in milliseconds, 0 or more; default any. */
  readonly olderThanMs?: number;
  /** How many of each status stay, those that finished last, 0 or more; default none. */
  readonly keep?: number;
  /** Only these final statuses; default all three. */
  readonly statuses?: readonly FinalStatus[];
}

/** The deleted tasks, counted. */
export interface PruneReport {
  /** Tasks, with their transitions, logs and idempotency keys. */
  readonly pruned: number;
  /** The same by status. */
  readonly byStatus: Readonly<Record<FinalStatus, number>>;
}

/** Operating a queue. Every method rejects with `queue_closed` once the queue is closed. */
export interface QueueOperator {
  /** Notes that a worker lives; durable once it resolves. @throws TypeError, RangeError */
  heartbeat(worker: WorkerBeat): Promise<void>;
  /** Forgets a worker that has stopped; harmless when it is unknown. */
  retireWorker(workerId: string): Promise<void>;
  /**
   * The workers that sent a heartbeat within the last day, the latest heartbeat first: at most 1000, or fewer, one at least,
   * when together they have more than 16 Mi characters. `metrics` counts them all.
   */
  listWorkers(): Promise<WorkerRecord[]>;
  /**
   * The transitions of a task, in order; none for an unknown one. At most 1,000: more may follow, from `offset` on.
   *
   * @throws TypeError, RangeError
   */
  transitions(taskId: number, request?: PartRequest): Promise<TaskTransition[]>;
  /**
   * The tasks that depend on a task, by their ids: at most 1,000, and the next ones are those with an `afterId`. One that has been
   * deleted is none any more.
   *
   * @throws TypeError, RangeError. @throws QueueError `task_not_found`.
   */
  children(taskId: number, request?: ChildrenRequest): Promise<ChildTask[]>;
  /**
   * The transitions of all tasks since one of them, in order; how a program follows the queue and misses nothing. At most 1,000,
   * of some 1,500 characters each at most. @throws TypeError, RangeError
   */
  history(request?: HistoryRequest): Promise<HistoryPage>;
  /** Why a task (a number is its id, a string its run id) is where it is; `undefined` when there is none. */
  explain(idOrRunId: number | string): Promise<Explanation | undefined>;
  /**
   * Stores a schedule, durable once it resolves. One with its id that says the same stays as it is, with what it has done
   * so far (so a program may add its schedules whenever it starts); another one is replaced when `replace` is true.
   *
   * @throws TypeError, RangeError for a field out of its range. @throws QueueError `schedule_conflict`.
   */
  addSchedule(
    schedule: NewSchedule,
    options?: { readonly replace?: boolean },
  ): Promise<AddScheduleResult>;
  /** The schedule with this id. */
  getSchedule(id: string): Promise<Schedule | undefined>;
  /**
   * Schedules, by their ids: as many as `limit` says, or fewer, one at least, when together they have more than 16 Mi
   * characters. There is nothing behind the page that is empty. @throws TypeError, RangeError
   */
  listSchedules(request?: ScheduleListRequest): Promise<Schedule[]>;
  /**
   * The tasks that a schedule has enqueued and that are there, the latest instant first; also of one that is removed, none of an
   * unknown one. One that was enqueued anew for an instant, because its task was there already, has a run id of its own and is not
   * among them. @throws TypeError, RangeError
   */
  scheduleRuns(id: string, request?: ScheduleRunsRequest): Promise<ScheduleRun[]>;
  /** Deletes a schedule; the tasks that it has enqueued stay. `false` when there is none. */
  removeSchedule(id: string): Promise<boolean>;
  /**
   * Pauses a schedule, or lets it go on: a cron expression with its next instant (those of the pause are not made up for),
   * an interval when it is over. @throws QueueError `schedule_not_found`.
   */
  pauseSchedule(id: string, paused: boolean): Promise<Schedule>;
  /** Enqueues the tasks of schedules that are due; those tasks. Also done by itself, on time, by every process. */
  fireSchedules(): Promise<Task[]>;
  /** How the queue goes. @throws RangeError */
  metrics(request?: MetricsRequest): Promise<QueueMetrics>;
  /** The health of the queue, by its thresholds (`HEALTH_THRESHOLDS` by default). */
  health(): Promise<QueueHealth>;
  /**
   * Deletes finished tasks for good, in transactions of at most 500; one with a child that is not final stays. Nothing is
   * pruned unasked, except by `retention`. @throws TypeError, RangeError
   */
  prune(request: PruneRequest): Promise<PruneReport>;
  /** The tasks of one moment as they are stored, in order of their ids, to be carried elsewhere. @throws TypeError */
  exportRecords(request?: RecordRequest): Promise<TaskRecord[]>;
  /** The tasks and the schedules of one moment. */
  exportAll(): Promise<QueueRecords>;
  /**
   * Stores tasks of another queue with their ids, attempts and times, and its schedules: all of them in one transaction, or
   * none when a record is wrong or does not go together with what is here. What is here already is not added again.
   *
   * @throws RangeError for more records than one transaction can hold.
   */
  importRecords(
    records: readonly TaskRecord[],
    options?: RecordImportRequest,
  ): Promise<RecordImport>;
}

/**
 * When a queue is no longer healthy.
 *
 * - `queue_moving`: the queue is closed while its tasks are moved elsewhere, or come from there: degraded.
 * - `queue_moved`: its tasks are in another queue: unhealthy.
 * - `no_active_worker`: a task has been due for longer than `noWorkerMs`, no worker is active and none holds a lease:
 *   unhealthy.
 * - `oldest_due_waits`: a task has been due for longer than `dueDegradedMs`: degraded; `dueUnhealthyMs`: unhealthy.
 * - `failure_rate`: of at least `failureMinFinished` tasks that finished within `failureWindowMs`, more than the share
 *   `failureDegraded` failed: degraded; `failureUnhealthy`: unhealthy.
 * - `expired_leases`: a lease expired longer ago than `expiredMs` and the task has not been rescued: degraded.
 * - `paused_long`: a pause has held back due tasks for longer than `pausedMs`: degraded.
 * - `limit_full`: a limit's slots are all held, or its rate lets none start, and a task behind it has been due for longer than
 *   `limitFullMs`: degraded.
 * - `silent_workers`: a worker is in limbo (see `WorkerState`): degraded.
 * - `journal_large`: the journal is larger than `journalBytes` and four times the snapshot, so checkpoints do not
 *   succeed: degraded.
 * - `memory_high`: the tasks take more than the share `memoryDegraded` of the memory that they may take: degraded; more
 *   than three quarters, so that none can be added: unhealthy.
 * - `lock_held`: another process holds the commit lock, so nothing can be changed, for longer than `lockDegradedMs`:
 *   degraded; `lockUnhealthyMs`: unhealthy.
 * - `clock_put_back`: leases or schedules were written more than half an hour in the future: degraded until the queue has
 *   mended them, leases after they have lasted as long as they were meant to. On PostgreSQL that clock is the server's, and the
 *   queue waits for it to catch up.
 * - `background_error`: what the queue does by itself in this process (rescue, schedules, retention) failed when it was done last:
 *   degraded until it succeeds.
 * - `schedule_unplannable`: this process cannot say when a schedule is due, as its time zone is not known here: degraded.
 * - `webhook_failing`: deliveries to a host have failed three times or more and are to be tried again, or failed for good within
 *   `failureWindowMs`: degraded. Of the deliveries that wait and of those that failed, 200 each are looked at.
 * - `dead_rows` (on PostgreSQL): a table whose rows change all the time has more than `deadRows` rows that vacuum has yet to
 *   remove: degraded.
 * - `old_snapshot` (on PostgreSQL): a session, prepared transaction or replication slot holds a snapshot, or has a transaction open, from before what happened to a task
 *   more than `snapshotMs` ago, so vacuum removes nothing that died since, and claims become slower: degraded.
 * - `wake_up_deaf` (on PostgreSQL): this process hears no notifications, as behind a pooler, and looks each second for what
 *   other processes have changed: a notice.
 */
export interface HealthThresholds {
  /** Milliseconds, 0 or more; default one minute. */
  readonly noWorkerMs: number;
  /** Milliseconds, 0 or more; default five minutes. */
  readonly dueDegradedMs: number;
  /** Milliseconds, 0 or more; default one hour. */
  readonly dueUnhealthyMs: number;
  /** Milliseconds, one second to seven days; default 15 minutes. */
  readonly failureWindowMs: number;
  /** 1 or more; default 20. */
  readonly failureMinFinished: number;
  /** A share, 0–1; default 0.1. */
  readonly failureDegraded: number;
  /** A share, 0–1; default 0.5. */
  readonly failureUnhealthy: number;
  /** Milliseconds, 0 or more; default ten seconds. */
  readonly expiredMs: number;
  /** Milliseconds, 0 or more; default one hour. */
  readonly pausedMs: number;
  /** Milliseconds, 0 or more; default 15 minutes. */
  readonly limitFullMs: number;
  /** Bytes, 0 or more; default 64 MiB. */
  readonly journalBytes: number;
  /** Milliseconds, 0 or more; default five seconds. */
  readonly lockDegradedMs: number;
  /** Milliseconds, 0 or more; default 30 seconds. */
  readonly lockUnhealthyMs: number;
  /** A share, 0–1; default 0.6. */
  readonly memoryDegraded: number;
  /** Rows, 0 or more; default 1,000,000: at full load autovacuum, which comes once a minute, has hundreds of thousands to remove. */
  readonly deadRows: number;
  /** Milliseconds, 0 or more; default five minutes. */
  readonly snapshotMs: number;
}
