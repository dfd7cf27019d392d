/**
 * The task: the stored unit of work, what may be asked of it, and the limits of every field.
 *
 * Statuses: `queued → leased → completed | failed | cancelled`; `leased → queued` by a failure with attempts left,
 * by release or by rescue. Each status below says what moves a task in and out.
 */
import type { RetryPolicy } from "./backoff.ts";
import { FINAL_STATUSES, type FinalStatus } from "./final_status.ts";
import type { Unique } from "./unique.ts";
import type { Webhook } from "./webhook.ts";

/** Every status, in the order of a task's life. */
export const TASK_STATUSES = ["queued", "leased", ...FINAL_STATUSES] as const;

/**
 * Where a task is.
 *
 * - `queued`: put there by enqueue, retry, release, rescue or a failure with attempts left; waits until its parents are
 *   final, it is due and a worker claims it, or until it is cancelled or a parent's failure ends it.
 * - `leased`: put there by claim; one worker holds it until `leaseUntil`; left by complete, fail, release, cancel, rescue.
 * - `completed`: put there by the holder of the lease; final.
 * - `failed`: put there by the holder of the lease, by rescue when attempts are used up, or by a parent's failure; left
 *   by retry, and by cancel or replace where it holds up others of its ordering key.
 * - `cancelled`: put there by cancel, or by a parent's failure; left only by retry.
 */
export type TaskStatus = typeof TASK_STATUSES[number];

/** Every policy for a task one of whose parents fails or is cancelled; the default first. */
export const PARENT_FAILURE_POLICIES = ["fail", "skip", "run"] as const;

/**
 * The policy for a task one of whose parents fails or is cancelled.
 *
 * - `fail`: it fails at once, with a message that names the parent. `skip`: it is cancelled at once, likewise.
 * - `run`: it runs all the same, once every parent is final.
 */
export type ParentFailurePolicy = typeof PARENT_FAILURE_POLICIES[number];

/** Every policy for a task before which one of its ordering key has failed; the default first. */
export const PREDECESSOR_FAILURE_POLICIES = ["continue", "hold"] as const;

/**
 * The policy for a task before which one of its ordering key has failed for good.
 *
 * - `continue`: its turn comes all the same.
 * - `hold`: it waits until that one was retried and has completed, was cancelled, or is removed.
 */
export type PredecessorFailurePolicy = typeof PREDECESSOR_FAILURE_POLICIES[number];

/** How a task refers to another one: its id (a number) or its run id (a string). */
export type TaskReference = number | string;

/** The bounds of every field of a task, in the units of their names. */
export interface TaskLimits {
  /** Characters of a type. */
  readonly typeMaxLength: number;
  /** Characters of a run id. */
  readonly runIdMaxLength: number;
  /** Characters of a worker id. */
  readonly workerIdMaxLength: number;
  /** Characters of a group. */
  readonly groupMaxLength: number;
  /** Characters of an ordering key. */
  readonly orderingKeyMaxLength: number;
  /** Characters of a tag. */
  readonly tagMaxLength: number;
  /** Tags that a task can have. */
  readonly tagsMax: number;
  /** Characters of an idempotency key. */
  readonly idempotencyKeyMaxLength: number;
  /** The priority that runs first. */
  readonly priorityMin: number;
  /** The priority that runs last. */
  readonly priorityMax: number;
  /** The priority of a task that was given none. */
  readonly priorityDefault: number;
  /** Fewest executions that can be allowed. */
  readonly maxAttemptsMin: number;
  /** Most executions that can be allowed. */
  readonly maxAttemptsMax: number;
  /** Executions allowed when nothing is said. */
  readonly maxAttemptsDefault: number;
  /** Bytes of a payload as JSON, unless the queue was opened with another limit. */
  readonly payloadMaxBytes: number;
  /** Bytes of a compatibility object as JSON. */
  readonly compatibilityMaxBytes: number;
  /** Bytes of a result as JSON. */
  readonly resultMaxBytes: number;
  /** Characters of an error message that are kept. */
  readonly errorMessageMaxLength: number;
  /** Characters of a progress message that are kept. */
  readonly progressMessageMaxLength: number;
  /** The shortest lease, in milliseconds. */
  readonly leaseDurationMinMs: number;
  /** The longest lease, in milliseconds. */
  readonly leaseDurationMaxMs: number;
  /** The lease when nothing is said, in milliseconds. */
  readonly leaseDurationDefaultMs: number;
  /** The longest timeout, in milliseconds. */
  readonly timeoutMaxMs: number;
  /** Tasks that can be claimed at once. */
  readonly claimMax: number;
  /** Tasks that can be enqueued at once. */
  readonly batchMax: number;
  /** Tasks that one completion can store. */
  readonly enqueuedByTaskMax: number;
  /** Tasks that can be imported at once. */
  readonly importMax: number;
  /** Parents that a task can wait for. */
  readonly parentsMax: number;
  /** Parents that all tasks of a batch can name together. */
  readonly parentsBatchMax: number;
  /**
   * The highest id, lease token or count that an import can bring: as many numbers remain for what follows, all of them
   * integers that JavaScript and SQLite both hold exactly.
   */
  readonly importedNumberMax: number;
  /** Tasks that one page can list. */
  readonly listMax: number;
  /** Tasks that one page lists when nothing is said. */
  readonly listDefault: number;
  /** Characters that the tasks of one page have together, payloads, results and all; a page with one task may have more. */
  readonly listMaxLength: number;
}

/** The bounds that apply. */
export const TASK_LIMITS: TaskLimits = Object.freeze({
  typeMaxLength: 200,
  runIdMaxLength: 200,
  workerIdMaxLength: 200,
  groupMaxLength: 200,
  orderingKeyMaxLength: 200,
  tagMaxLength: 100,
  tagsMax: 10,
  idempotencyKeyMaxLength: 255,
  priorityMin: 1,
  priorityMax: 1000,
  priorityDefault: 100,
  maxAttemptsMin: 1,
  maxAttemptsMax: 100,
  maxAttemptsDefault: 5,
  payloadMaxBytes: 256 * 1024,
  compatibilityMaxBytes: 4 * 1024,
  resultMaxBytes: 1024 * 1024,
  errorMessageMaxLength: 4000,
  progressMessageMaxLength: 500,
  leaseDurationMinMs: 100,
  leaseDurationMaxMs: 24 * 3_600_000,
  leaseDurationDefaultMs: 10_000,
  timeoutMaxMs: 7 * 24 * 3_600_000,
  claimMax: 1000,
  batchMax: 100_000,
  enqueuedByTaskMax: 1000,
  importMax: 1_000_000,
  parentsMax: 1000,
  parentsBatchMax: 250_000,
  importedNumberMax: 2 ** 52,
  listMax: 1000,
  listDefault: 100,
  listMaxLength: 16 * 1024 * 1024,
});

/** A task as it is stored. Instants have millisecond resolution; JSON writes them as ISO 8601 with `Z`. */
export interface Task {
  /** Unique for ever in this queue, ascending in order of arrival. */
  readonly id: number;
  /** The caller's name for it, or one made by the queue; unique. */
  readonly runId: string;
  /** Which handler executes it. */
  readonly type: string;
  /** 1–1000, lower runs first. */
  readonly priority: number;
  /** The handler's input, a JSON value. */
  readonly payload: unknown;
  /** Pairs that a worker's capabilities must contain. */
  readonly compatibility: Readonly<Record<string, unknown>>;
  /** Where it is; see `TaskStatus`. */
  readonly status: TaskStatus;
  /** Executions started so far, so a crash counts too. */
  readonly attempts: number;
  /** Executions allowed, 1–100. */
  readonly maxAttempts: number;
  /** Not claimed before this instant. */
  readonly runAfter: Date;
  /** When it is cancelled by itself unless it has started; `null` for never, and after a retry by hand. */
  readonly expiresAt: Date | null;
  /** When the current lease ends unless renewed; `null` when not leased. */
  readonly leaseUntil: Date | null;
  /** When it was last claimed; `null` while its own task manager runs it, in none of its worker's slots. */
  readonly reservedAt: Date | null;
  /** When its latest execution started. */
  readonly processingStarted: Date | null;
  /** When it reached its final status. */
  readonly finishedAt: Date | null;
  /** When it was stored. */
  readonly createdAt: Date;
  /** When it last changed. */
  readonly updatedAt: Date;
  /** The worker that holds the lease, or held the last one. */
  readonly lockedBy: string | null;
  /** Counts the leases of this task; only the current one may renew, complete, fail or release. */
  readonly leaseToken: number;
  /** Why it last failed or was cancelled. */
  readonly errorMessage: string | null;
  /** The key that it was stored with, if there was one. */
  readonly idempotencyKey: string | null;
  /** The JSON value that the handler returned. */
  readonly result: unknown;
  /** 0–100, or `null` when the handler reported none. */
  readonly progress: number | null;
  /** The handler's message about its progress, at most 500 characters. */
  readonly progressMessage: string | null;
  /** The key that makes it unique among the tasks of its type, if it was stored with one. */
  readonly uniqueKey: string | null;
  /** Overrides the handler's and the queue's retry policy. */
  readonly retryPolicy: RetryPolicy | null;
  /** Overrides the handler's timeout, in milliseconds. */
  readonly timeoutMs: number | null;
  /** Whose it is: tasks of different groups take turns; `null` for none. */
  readonly group: string | null;
  /** The key under which its tasks run one at a time, in order; `null` for none. */
  readonly orderingKey: string | null;
  /** What it does when one before it under its ordering key has failed; `null` for `continue`. */
  readonly onPredecessorFailure: PredecessorFailurePolicy | null;
  /** What it can be found by, in order, each once; empty for nothing. */
  readonly tags: readonly string[];
  /** Its place under its ordering key, where it is not its own id: that of the task that it has replaced. */
  readonly orderingPlace: number | null;
  /**
   * How many tasks it waits for: its parents that are not final yet, and one more when another task's turn comes first under its
   * ordering key. It is not claimed before this is 0. Always 0 unless queued.
   */
  readonly waitsFor: number;
  /** The enqueueing's place in a distributed trace, a W3C `traceparent`; `null` when it was not traced. */
  readonly traceParent: string | null;
}

/** A task to enqueue. */
export interface NewTask {
  /** 1–200 characters; surrounding blanks are trimmed. */
  readonly type: string;
  /** A JSON value of at most 256 KiB; default `{}`. */
  readonly payload?: unknown;
  /** 1–1000, lower runs first; default 100. */
  readonly priority?: number;
  /** Not before this instant: a `Date`, or an ISO 8601 text with a zone; default now. */
  readonly runAfter?: Date | string;
  /**
   * A task that has not started by this instant is cancelled by itself, whatever holds it back: its children and its webhook see a
   * cancelled task. Later than `runAfter`; default never.
   */
  readonly expiresAt?: Date | string;
  /**
   * Same key and same type, payload, parents and `onParentFailure` give the same task; an empty key counts as none. At most 255
   * characters; default none.
   */
  readonly idempotencyKey?: string;
  /**
   * What becomes of it when there is a task of its type under the same key: see `UniqueMode`. Not with `idempotencyKey`. Default none.
   */
  readonly unique?: Unique;
  /** Executions allowed, 1–100; default 5. */
  readonly maxAttempts?: number;
  /** A JSON object; only workers whose capabilities contain each pair may claim the task. Default `{}`. */
  readonly compatibility?: Readonly<Record<string, unknown>>;
  /** The caller's name for the run, 1–200 characters, unique; default a random UUID. */
  readonly runId?: string;
  /** How failures are retried; default the handler's policy, then the queue's. */
  readonly retryPolicy?: Partial<RetryPolicy>;
  /** How long one attempt may take, 1 ms to 7 days in milliseconds; default the handler's timeout, then no limit. */
  readonly timeoutMs?: number;
  /**
   * Its parents, at most 1,000: it is not claimed before all of them are final. Each is named by its task id (a number) or
   * its run id (a string), and in a batch also by the `runId` of another task of the same batch, earlier or later. The same
   * parent named twice counts once. Default none.
   */
  readonly dependsOn?: readonly TaskReference[];
  /** The policy for when a parent fails or is cancelled; default `fail`. Without parents it has no effect. */
  readonly onParentFailure?: ParentFailurePolicy;
  /**
   * Whose it is, such as a tenant, 1–200 characters and not `*`: tasks of different groups take turns, and a limit or a pause may
   * be for one. Default none.
   */
  readonly group?: string;
  /**
   * Tasks with the same key, of whatever types, run one at a time, in the order in which they were stored: one that waits for a retry,
   * for its time or for its parents holds up those behind it. 1–200 characters; default none.
   */
  readonly orderingKey?: string;
  /** The policy for when a task before it under its ordering key has failed for good; default `continue`. */
  readonly onPredecessorFailure?: PredecessorFailurePolicy;
  /**
   * What it can be found by, such as a customer or a release: lists and bulk actions look tags up in an index. At most 10, each of
   * 1–100 characters; their order and repeats have no meaning. They do not influence when it runs. Default none.
   */
  readonly tags?: readonly string[];
  /**
   * Tells a URL when the task has become final: a delivery is enqueued in the same transaction, as a task of the type
   * `holdfast.webhook`; a worker with `registerWebhooks` delivers it. Default none.
   */
  readonly webhook?: Webhook;
}

/** The right to run a task: what claim gives and renew, complete, fail and release ask for. */
export interface Lease {
  /** The id of the task. */
  readonly taskId: number;
  /** The worker that claimed it. */
  readonly workerId: string;
  /** Which of the task's leases this is, from 1. */
  readonly leaseToken: number;
}

/** A lease, or the claimed task itself. */
export type LeaseLike = Lease | Pick<Task, "id" | "lockedBy" | "leaseToken">;

/** Whether a task with this status will never run again unless it is retried by hand. */
export function isFinal(status: TaskStatus): status is FinalStatus {
  return status !== "queued" && status !== "leased";
}

/** The message of a task that was cancelled by hand, and of its run. */
export const CANCELLED_BY_USER = "Cancelled by user";

/** The message of a task that was cancelled by itself because it had not started in time. */
export function expiredMessage(expiresAtMs: number): string {
  return `Expired: it had not started by ${new Date(expiresAtMs).toISOString()}`;
}

/** Whether `text` names a status. */
export function isTaskStatus(text: string): text is TaskStatus {
  return (TASK_STATUSES as readonly string[]).includes(text);
}
