/**
 * TaskQueue: the port that workers, managers, the server and the command line know.
 *
 * Every method is asynchronous, so that a queue in memory, on a database and on a remote server can take each other's place. One contract suite runs against each implementation.
 */
import type { RetryPolicy } from "../domain/backoff.ts";
import type { ClaimOrder } from "../domain/claim_order.ts";
import type { QueueChanges } from "./changes.ts";
import type { ChangedBy, QueueLimits } from "./limits.ts";
import type { QueueOperator } from "./operator.ts";
import type { PartRequest } from "./page_request.ts";
import type { QueueSearch } from "./search.ts";
import type { EnqueueOutcome } from "../domain/unique.ts";
import type { LeaseLike, NewTask, Task, TaskReference, TaskStatus } from "../domain/task.ts";

/** The answer of `enqueue`. */
export interface EnqueueResult {
  /** The task as it is stored. */
  readonly task: Task;
  /** `false` when another task stands for it: see `outcome`. */
  readonly created: boolean;
  /**
   * `created`: it is a new task. `existing`: its idempotency key named a task that was there. `joined`: the task under its unique key
   * stands for it, unchanged; `replaced`: that one has taken over its payload and waits anew.
   */
  readonly outcome: EnqueueOutcome;
}

/** How to store a task, apart from what it is. */
export interface EnqueueOptions {
  /**
   * Gives a new task to this worker under a lease, in the transaction that stores it: its first attempt, which no other worker
   * can take. A task that waits for its time or for parents cannot be given so, and one that its idempotency key names already
   * stays as it is. One whose type is paused or has no slot free is stored without a lease, as `queued`. Default: the task waits
   * for a claim.
   */
  readonly leaseTo?: Pick<ClaimRequest, "workerId" | "leaseDurationMs">;
  /**
   * Cancels a new task in the transaction that stores it, so that no worker can begin it; one that its idempotency key names
   * already stays as it is. Not together with `leaseTo`. Default false.
   */
  readonly cancelled?: boolean;
  /**
   * A transaction that the caller has begun in the same database, at READ COMMITTED: a connected client of npm `pg`. The task is
   * committed with it, or not at all, and until then no worker sees it; when this enqueue is refused, the transaction can go on.
   * Only for a queue on PostgreSQL. Default: a transaction of its own.
   */
  readonly tx?: object;
}

/** A worker's request for tasks. */
export interface ClaimRequest {
  /** The worker's id, stored in `lockedBy`; 1–200 characters. */
  readonly workerId: string;
  /** Only tasks of these types: those the worker has handlers for. At least one, except with `taskId`. */
  readonly types: readonly string[];
  /** How many tasks at most, 1–1000; default 1. Fewer may come when their payloads are large. */
  readonly limit?: number;
  /** How long the lease lasts without renewal: 100 ms to 24 h; default 10,000 ms. */
  readonly leaseDurationMs?: number;
  /** Which due task comes first; default `priority`. */
  readonly strategy?: ClaimOrder;
  /** Only tasks each of whose compatibility pairs is here; default `{}`. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
  /** Only this task, whatever its type and compatibility; default any. */
  readonly taskId?: number;
}

/** Options of `complete`. */
export interface CompleteOptions {
  /**
   * Tasks to store in the same commit, at most 1,000: all of them with the completion, or nothing at all. They may depend on each
   * other's run ids, and on the task that is completed. Default none.
   */
  readonly enqueue?: readonly NewTask[];
}

/** Options of `release`. */
export interface ReleaseOptions {
  /** How long until the task is due again, in milliseconds, 0 to a year; default 0. */
  readonly delayMs?: number;
}

/** Options of `fail`. */
export interface FailOptions {
  /** The handler's retry policy; the task's own takes precedence over it. Default the queue's. */
  readonly retryPolicy?: Partial<RetryPolicy>;
  /**
   * Executions that the handler allows, 1–100, where the task allows more; default the task's own number.
   * `explain` names this number from then on.
   */
  readonly maxAttempts?: number;
}

/** How long to wait for a task. */
export interface WaitOptions {
  /** How long at most, in milliseconds, 0 to 7 days; default as long as it takes. */
  readonly timeoutMs?: number;
  /** Ends the waiting; the task goes on. Default: nothing does. */
  readonly signal?: AbortSignal;
}

/** Which tasks to list, newest (highest id) first. */
export interface ListRequest {
  /** Only tasks with this status; default all. */
  readonly status?: TaskStatus;
  /** Only tasks of this type; default all. */
  readonly type?: string;
  /** Only tasks of this group; default all. */
  readonly group?: string;
  /** Only tasks with this tag; default all. */
  readonly tag?: string;
  /** How many at most, 1–1000; default 100. Fewer come when they are large. */
  readonly limit?: number;
  /** How many to skip, 0 or more: as many as the pages before had together; default 0. */
  readonly offset?: number;
  /** Only tasks with a lower id: the last one of the page before; default all. */
  readonly beforeId?: number;
}

/** The queue in numbers. */
export interface QueueStats {
  /** Tasks in all. */
  readonly total: number;
  /** How many tasks have each status. */
  readonly byStatus: Readonly<Record<TaskStatus, number>>;
  /** The same for each type. */
  readonly byType: Readonly<Record<string, Readonly<Record<TaskStatus, number>>>>;
  /** Queued tasks that wait for their `runAfter`, and for no parents. */
  readonly scheduled: number;
  /** Queued tasks that wait for their parents. */
  readonly waitingForParents: number;
  /** Since when the task that has been due for longest is due: its `runAfter`, or its `createdAt` where that is later. */
  readonly oldestDueAt: Date | null;
}

/** The outcome of a task's parent. */
export interface ParentResult<Result = unknown> {
  /** The parent's task id; negative when it was pruned elsewhere, before the task was imported. */
  readonly taskId: number;
  /** Its run id. */
  readonly runId: string;
  /** Its type; `null` when it has been deleted. */
  readonly type: string | null;
  /** Where it is; `pruned` when it has been deleted since it ended. */
  readonly status: TaskStatus | "pruned";
  /** The value that its handler returned; `null` unless completed. */
  readonly result: Result;
  /** Why it failed or was cancelled. */
  readonly errorMessage: string | null;
}

/** A change of a task, as watchers get it. */
export interface TaskChange {
  /** The id of the task. */
  readonly taskId: number;
  /** Its run id. */
  readonly runId: string;
  /** Its type. */
  readonly type: string;
  /** Its status since this change. */
  readonly status: TaskStatus;
  /** Executions started so far. */
  readonly attempts: number;
  /** Counts the leases of this task. */
  readonly leaseToken: number;
  /** The worker that holds the lease, or held the last one. */
  readonly lockedBy: string | null;
  /** 0–100, or `null`. */
  readonly progress: number | null;
}

/**
 * Tasks that changed, in order; or `"reset"`: anything may have changed, read again; or `"room"`: tasks that a limit or a pause held
 * back may have room to start, claim again.
 */
export type TaskChanges = readonly TaskChange[] | "reset" | "room";

/** Whether a watcher wants to hear that this task has this status now. */
export type IsWanted = (taskId: number, status: TaskStatus) => boolean;

/** A durable queue of tasks. Every method rejects with `queue_closed` once `close` was called. */
export interface TaskQueue extends QueueOperator, QueueLimits, QueueChanges, QueueSearch {
  /**
   * Stores a task; resolves when it is durable.
   *
   * @throws TypeError, RangeError for a field out of its range.
   * @throws QueueError `idempotency_conflict`, `run_id_conflict`, `unknown_parent`, `dependency_cycle`.
   * @throws StorageError when it could not be made durable.
   */
  enqueue(task: NewTask, options?: EnqueueOptions): Promise<EnqueueResult>;
  /**
   * Stores up to 100,000 tasks in one transaction: all of them, or none. They may depend on each other, with at most
   * 250,000 parents in all.
   */
  enqueueBatch(tasks: readonly NewTask[]): Promise<EnqueueResult[]>;
  /** The task with this id. */
  get(id: number): Promise<Task | undefined>;
  /** The task with this run id. A number is never taken for a task id here. */
  getByRunId(runId: string): Promise<Task | undefined>;
  /**
   * The task with this id (a number) or run id (a string) once it is final, whichever process ends it; at once when it is.
   *
   * @throws TypeError, RangeError for an argument out of its range. @throws WaitTimeoutError when it is not final in time.
   * @throws QueueError `task_not_found`, also when it is pruned meanwhile. @throws The reason of `signal`.
   */
  wait(reference: TaskReference, options?: WaitOptions): Promise<Task>;
  /**
   * Tasks, newest first: as many as `limit` says, or fewer, one at least, when together they have more than 16 Mi characters.
   * So a page that is shorter than `limit` need not be the last; an empty page is.
   */
  list(request?: ListRequest): Promise<Task[]>;
  /**
   * The outcomes of a task's parents, in the order of its `dependsOn`: all, or fewer, one at least, when together their results
   * have more than 16 Mi characters. The next ones are those from `offset` on; an empty page is the last.
   *
   * @throws TypeError, RangeError. @throws QueueError `task_not_found`.
   */
  parentResults(taskId: number, request?: PartRequest): Promise<ParentResult[]>;
  /** How many tasks `list` would give without limit and offset. */
  count(request?: Pick<ListRequest, "status" | "type" | "group" | "tag">): Promise<number>;
  /**
   * When a claim may find more than now without a change of any task: the next task that is scheduled for later becomes due, of
   * whatever type, a pause ends by itself, or a cancelled task's slot comes free at the end of its lease; `null` when nothing does.
   */
  nextDueAt(): Promise<Date | null>;
  /** Takes due tasks under a lease; an empty array when none is due. */
  claim(request: ClaimRequest): Promise<Task[]>;
  /** Extends the lease to `leaseDurationMs` from now. @throws QueueError `lease_lost`, `task_not_found`. */
  renew(lease: LeaseLike, options?: { readonly leaseDurationMs?: number }): Promise<Task>;
  /** Reports progress, 0–100. @throws QueueError `lease_lost`, `task_not_found`. */
  reportProgress(lease: LeaseLike, percent: number, message?: string): Promise<Task>;
  /**
   * Finishes the task with a JSON result of at most 1 MiB, and stores the tasks that are to follow in the same commit.
   *
   * @throws QueueError `lease_lost`, `task_not_found`; with tasks to enqueue also as `enqueueBatch`, and the task stays leased.
   */
  complete(lease: LeaseLike, result?: unknown, options?: CompleteOptions): Promise<Task>;
  /**
   * Ends the attempt. With attempts left the task is queued again after its backoff; `PermanentError` fails it at once and
   * `RetryAfterError` sets the delay. @throws QueueError `lease_lost`, `task_not_found`.
   */
  fail(lease: LeaseLike, error: unknown, options?: FailOptions): Promise<Task>;
  /**
   * Gives the task back without using up an attempt, to be due at once or later. Of a task that was cancelled under a limit, this frees its slot: its worker
   * has stopped it. @throws QueueError `lease_lost`, `task_not_found`.
   */
  release(lease: LeaseLike, options?: ReleaseOptions): Promise<Task>;
  /** Cancels a queued or leased task. `false` when it is final already. @throws QueueError `task_not_found`. */
  cancel(id: number, options?: ChangedBy): Promise<boolean>;
  /**
   * Queues a failed or cancelled task again with fresh attempts; `false` for any other. It waits for those of its parents
   * that are not final; a failed one does not hold it up. Of its children, the queued ones wait for it again, and those that
   * had ended because of it are queued again behind it; one that has started since stays as it is.
   *
   * @throws QueueError `task_not_found`.
   */
  retry(id: number, options?: ChangedBy): Promise<boolean>;
  /**
   * Returns tasks whose lease expired to the queue, or fails them when attempts are used up; goes on with notifying children
   * of their parents where there were too many for one transaction. Also done every second by itself.
   */
  rescue(): Promise<Task[]>;
  /** The queue in numbers. */
  stats(): Promise<QueueStats>;
  /**
   * Calls `listener` soon after every change, of any process: at once for a change of this process, later for
   * another's. Several changes to one task may arrive as one. Returns a function that stops it.
   *
   * `isWanted` is a hint: a change by another process after which the task has a status for which it says `false` may be left out.
   */
  watch(listener: (changes: TaskChanges) => void, isWanted?: IsWanted): () => void;
  /**
   * Calls `listener` with the types of tasks that are about to be stored through this object and will be due at once: a claim
   * that it brings about becomes part of the same commit. A queue for which that makes no difference does without it. Returns
   * a function that stops it.
   */
  watchStoring?(listener: (types: readonly string[]) => void): () => void;
  /** Resolves when everything asked for so far is durable. */
  flush(): Promise<void>;
  /** Flushes, and releases everything that the queue holds. */
  close(): Promise<void>;
}
