/**
 * Schedules: tasks that are enqueued by the clock, as callers give and see them.
 */
import type { RetryPolicy } from "../domain/backoff.ts";
import type { NewTask, PredecessorFailurePolicy, TaskStatus } from "../domain/task.ts";
import type { ScheduledFieldName } from "../domain/task_fields.ts";
import type { Unique } from "../domain/unique.ts";
import type { Webhook } from "../domain/webhook.ts";

/** Every policy for instants that were missed; the default first. */
export const CATCH_UP_POLICIES = ["once", "skip", "all"] as const;

/**
 * The policy for instants of a cron expression that were missed: they came more than a minute ago because no process
 * had the queue open, or while the schedule's last task was not final.
 *
 * - `once`: one firing makes up for all of them. `skip`: none does. `all`: one for each, the last `catchUpMax` at most.
 *
 * An instant of at most a minute ago is merely late and fires in any case. With `everyMs`, `once` fires at once and `skip`
 * waits for another interval; `all` has no meaning there.
 */
export type CatchUpPolicy = typeof CATCH_UP_POLICIES[number];

/** The bounds and defaults of a schedule's fields. */
export const SCHEDULE_LIMITS: {
  readonly idMaxLength: number;
  readonly everyMinMs: number;
  readonly everyMaxMs: number;
  readonly catchUpMax: number;
  readonly catchUpDefault: number;
  readonly lateMs: number;
  readonly schedulesMax: number;
  readonly expiresInMaxMs: number;
} = Object.freeze({
  /** Characters of an id. */
  idMaxLength: 160,
  /** The shortest and the longest interval, in milliseconds. */
  everyMinMs: 1000,
  everyMaxMs: 366 * 24 * 3_600_000,
  /** The longest time until a task expires, in milliseconds. */
  expiresInMaxMs: 366 * 24 * 3_600_000,
  /** The bounds and the default of `catchUpMax`. */
  catchUpMax: 1000,
  catchUpDefault: 100,
  /** An instant that came no longer ago than this, in milliseconds, is late and not missed. */
  lateMs: 60_000,
  /** Schedules in a queue. */
  schedulesMax: 10_000,
});

/** A schedule to add. Exactly one of `everyMs` and `cron` is needed. */
export interface NewSchedule extends Pick<NewTask, ScheduledFieldName> {
  /** Its name, 1–160 characters, unique in the queue. */
  readonly id: string;
  /** How long after a task has ended the next one is enqueued: 1 s to 366 days in milliseconds; the first comes at once. Default none. */
  readonly everyMs?: number;
  /**
   * When tasks are enqueued: five fields (minute, hour, day of the month, month, day of the week), six with seconds first,
   * or a name such as `@daily`; default none.
   */
  readonly cron?: string;
  /** The IANA time zone that `cron` is read in; default `UTC`. */
  readonly timeZone?: string;
  /** The policy for missed instants; default `once`. */
  readonly catchUp?: CatchUpPolicy;
  /** How many missed instants `all` makes up for, 1–1000; default 100. */
  readonly catchUpMax?: number;
  /** Whether a task may be enqueued while the one before is not final; only with `cron`, default false. */
  readonly overlap?: boolean;
  /**
   * How long each task has to start, from its firing, in milliseconds, 1 ms to 366 days; else it is cancelled by itself. Default for
   * ever.
   */
  readonly expiresInMs?: number;
  /** Whether it begins paused; default false, or as it was when it replaces another. */
  readonly paused?: boolean;
}

/** A schedule as it is stored. */
export interface Schedule {
  /** Its name. */
  readonly id: string;
  /** The type of its tasks. */
  readonly type: string;
  /** Their payload. */
  readonly payload: unknown;
  /** Their priority. */
  readonly priority: number;
  /** Pairs that a worker's capabilities must contain. */
  readonly compatibility: Readonly<Record<string, unknown>>;
  /** Executions allowed for each. */
  readonly maxAttempts: number;
  /** How their failures are retried; `null` for the handler's policy. */
  readonly retryPolicy: RetryPolicy | null;
  /** How long one attempt may take, in milliseconds; `null` for the handler's timeout. */
  readonly timeoutMs: number | null;
  /** The group of its tasks; `null` for none. */
  readonly group: string | null;
  /** Their ordering key; `null` for none. */
  readonly orderingKey: string | null;
  /** What they do when one before them under that key has failed; `null` for `continue`. */
  readonly onPredecessorFailure: PredecessorFailurePolicy | null;
  /** Their tags; empty for none. */
  readonly tags: readonly string[];
  /** What makes its tasks unique; `null` for nothing. */
  readonly unique: Unique | null;
  /** How long each task has to start, in milliseconds; `null` for ever. */
  readonly expiresInMs: number | null;
  /** The interval after a task has ended; `null` with `cron`. */
  readonly everyMs: number | null;
  /** The expression; `null` with `everyMs`. */
  readonly cron: string | null;
  /** The time zone of its expression. */
  readonly timeZone: string;
  /** The policy for missed instants. */
  readonly catchUp: CatchUpPolicy;
  /** How many of them `all` makes up for. */
  readonly catchUpMax: number;
  /** Whether its tasks may overlap. */
  readonly overlap: boolean;
  /** Whether it is paused. */
  readonly paused: boolean;
  /**
   * When it fires next: in the past for an instant that will be made up for, `null` while `everyMs` waits for a task to end
   * and when a cron expression has no later instant.
   */
  readonly nextAt: Date | null;
  /** When it last fired. */
  readonly lastFiredAt: Date | null;
  /** The task of its last firing. */
  readonly lastTaskId: number | null;
  /** The webhook of its tasks; `null` for none. */
  readonly webhook: Webhook | null;
  /** The number of its firings. */
  readonly firings: number;
  /** The task whose end the next firing waits for. */
  readonly waitsForTaskId: number | null;
  /** When it was stored. */
  readonly createdAt: Date;
  /** When it last changed. */
  readonly updatedAt: Date;
}

/** A task that a schedule has enqueued for one of its instants. */
export interface ScheduleRun {
  /** Its task id. */
  readonly taskId: number;
  /** Its run id: that of the schedule, `@` and the instant. */
  readonly runId: string;
  /** Where it is. */
  readonly status: TaskStatus;
  /** The instant. */
  readonly at: Date;
  /** When it became final; `null` while it is not. */
  readonly finishedAt: Date | null;
}

/** Which runs of a schedule. */
export interface ScheduleRunsRequest {
  /** How many at most, 1–1000; default 1000. */
  readonly limit?: number;
}

/** Which schedules to list, by their ids. */
export interface ScheduleListRequest {
  /** Only schedules with an id that comes after this one; default all. The last of a page gives the next page. */
  readonly afterId?: string;
  /** How many at most, 1–1000; default 1000. */
  readonly limit?: number;
}

/** The answer of `addSchedule`. */
export interface AddScheduleResult {
  /** The schedule as it is stored. */
  readonly schedule: Schedule;
  /** `false` when there was one with this id already. */
  readonly created: boolean;
}
