/**
 * New schedules: what a caller gives, checked before any effect, in the form in which it is stored.
 */
import { checkBoolean, checkInteger, checkName, checkOneOf } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { type NewTask, type PredecessorFailurePolicy, TASK_LIMITS } from "../domain/task.ts";
import { SCHEDULED_FIELD_NAMES, type ScheduledFieldName } from "../domain/task_fields.ts";
import {
  CATCH_UP_POLICIES,
  type CatchUpPolicy,
  type NewSchedule,
  SCHEDULE_LIMITS,
} from "../queue/schedule.ts";
import { checkCron } from "./cron.ts";
import { prepareTask } from "./new_task.ts";

/** A checked `NewSchedule`, in the forms of its columns. */
export interface PreparedSchedule {
  readonly schedule_id: string;
  readonly type: string;
  /** JSON. */
  readonly payload: string;
  readonly priority: number;
  /** Canonical JSON. */
  readonly compatibility: string;
  readonly max_attempts: number;
  /** JSON. */
  readonly retry_policy: string | null;
  readonly timeout_ms: number | null;
  /** An empty string for none. */
  readonly grp: string;
  readonly ordering_key: string | null;
  readonly on_predecessor_failure: PredecessorFailurePolicy | null;
  /** JSON. */
  readonly tags: string | null;
  readonly expires_in_ms: number | null;
  /** JSON. */
  readonly unique_by: string | null;
  readonly every_ms: number | null;
  readonly cron: string | null;
  readonly time_zone: string;
  readonly catch_up: CatchUpPolicy;
  readonly catch_up_max: number;
  readonly may_overlap: boolean;
  /** `null` where the caller did not say. */
  readonly is_paused: boolean | null;
  readonly webhook_url: string | null;
  /** Statuses, separated by blanks. */
  readonly webhook_events: string | null;
}

/**
 * Checks a schedule as `addSchedule` will, without a queue; its payload may have `payloadMaxBytes` bytes, by default 256 KiB.
 *
 * @throws TypeError, RangeError for a field out of its range.
 */
export function checkNewSchedule(
  schedule: NewSchedule,
  payloadMaxBytes: number = TASK_LIMITS.payloadMaxBytes,
): void {
  prepareSchedule(schedule, payloadMaxBytes);
}

const SCHEDULE_OPTIONS: ReadonlySet<string> = new Set([
  ...SCHEDULED_FIELD_NAMES,
  ...optionNames<Omit<NewSchedule, ScheduledFieldName>>({
    id: true,
    expiresInMs: true,
    everyMs: true,
    cron: true,
    timeZone: true,
    catchUp: true,
    catchUpMax: true,
    overlap: true,
    paused: true,
  }),
]);

/** What a schedule says of its tasks. */
function taskOf(schedule: NewSchedule): NewTask {
  const fields = SCHEDULED_FIELD_NAMES.map((name) => [name, schedule[name]]);
  return Object.fromEntries(fields);
}

/** Checks every field, before any effect. @throws TypeError, RangeError */
export function prepareSchedule(schedule: NewSchedule, payloadMaxBytes: number): PreparedSchedule {
  checkOptions(schedule, SCHEDULE_OPTIONS, "a schedule");
  return prepareDefinition(schedule, payloadMaxBytes);
}

/** The same of something that says more than a new schedule does. @throws TypeError, RangeError */
export function prepareDefinition(
  schedule: NewSchedule,
  payloadMaxBytes: number,
): PreparedSchedule {
  const { idMaxLength, catchUpMax, catchUpDefault } = SCHEDULE_LIMITS;
  const id = checkScheduleId(schedule.id);
  const task = prepareTask(taskOf(schedule), payloadMaxBytes);
  checkName(`${id}@${new Date(0).toISOString()}`, "schedule id", idMaxLength + 40);
  const time = checkTime(schedule);
  return {
    schedule_id: id,
    type: task.kept.type,
    payload: task.payload,
    priority: task.kept.priority,
    compatibility: task.kept.compatibility,
    max_attempts: task.kept.max_attempts,
    retry_policy: task.kept.retry_policy,
    timeout_ms: task.kept.timeout_ms,
    grp: task.kept.grp,
    ordering_key: task.kept.ordering_key,
    on_predecessor_failure: task.kept.on_predecessor_failure,
    tags: task.kept.tags,
    expires_in_ms: checkExpiresIn(schedule),
    unique_by: task.unique && JSON.stringify(task.unique),
    ...time,
    catch_up: checkCatchUp(schedule),
    catch_up_max: checkInteger(schedule.catchUpMax ?? catchUpDefault, "catchUpMax", 1, catchUpMax),
    may_overlap: checkOverlap(schedule),
    is_paused: checkPaused(schedule),
    webhook_url: task.webhook?.url ?? null,
    webhook_events: task.webhook?.events ?? null,
  };
}

/** A schedule's id. @throws TypeError */
export function checkScheduleId(id: unknown): string {
  return checkName(id, "schedule id", SCHEDULE_LIMITS.idMaxLength);
}

/** Which schedule is to be paused, or no longer. @throws TypeError */
export function preparePausing(
  id: string,
  paused: boolean,
): { readonly id: string; readonly paused: boolean } {
  return { id: checkScheduleId(id), paused: checkBoolean(paused, "paused") };
}

/** How a schedule is added. */
export interface AddOptions {
  /** Whether it takes the place of another that has its id; default false. */
  readonly replace?: boolean;
}

const ADD_OPTIONS = optionNames<AddOptions>({ replace: true });

/** Whether a schedule may take the place of another. @throws TypeError */
export function prepareAdding(options: AddOptions): { readonly replace: boolean } {
  checkOptions(options, ADD_OPTIONS, "addSchedule");
  return { replace: checkBoolean(options.replace ?? false, "replace") };
}

function checkTime(
  { everyMs, cron, timeZone = "UTC" }: NewSchedule,
): Pick<PreparedSchedule, "every_ms" | "cron" | "time_zone"> {
  if ((everyMs === undefined) === (cron === undefined)) {
    const given = cron === undefined ? "neither" : "both";
    throw new TypeError(
      `Cannot use ${given} of everyMs and cron for a schedule: exactly one is needed`,
    );
  }
  const { everyMinMs, everyMaxMs } = SCHEDULE_LIMITS;
  if (cron === undefined) {
    const checkedMs = checkInteger(everyMs, "everyMs", everyMinMs, everyMaxMs);
    return { every_ms: checkedMs, cron: null, time_zone: "UTC" };
  }
  checkCron({ cron, timeZone });
  return { every_ms: null, cron: cron.trim().replaceAll(/\s+/g, " "), time_zone: timeZone };
}

function checkCatchUp({ catchUp = "once", everyMs }: NewSchedule): CatchUpPolicy {
  checkOneOf(catchUp, CATCH_UP_POLICIES, "catchUp");
  if (catchUp === "all" && everyMs !== undefined) {
    throw new TypeError(
      'Cannot use "all" as catchUp with everyMs: an interval begins when a task has ended, so only one can be missed',
    );
  }
  return catchUp;
}

function checkOverlap({ overlap = false, everyMs }: NewSchedule): boolean {
  if (checkBoolean(overlap, "overlap") && everyMs !== undefined) {
    throw new TypeError(
      "Cannot use overlap with everyMs: an interval begins when a task has ended",
    );
  }
  return overlap;
}

function checkExpiresIn({ expiresInMs }: NewSchedule): number | null {
  if (expiresInMs === undefined || expiresInMs === null) return null;
  return checkInteger(expiresInMs, "expiresInMs", 1, SCHEDULE_LIMITS.expiresInMaxMs);
}

function checkPaused({ paused }: NewSchedule): boolean | null {
  return paused === undefined || paused === null ? null : checkBoolean(paused, "paused");
}
