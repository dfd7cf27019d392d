/**
 * Changes of stored schedules: what adding, replacing and pausing make of them, and why they are refused.
 */
import { QueueError } from "../domain/errors.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { SCHEDULE_LIMITS, type ScheduleListRequest } from "../queue/schedule.ts";
import { checkCron, nextInstant } from "./cron.ts";
import { checkScheduleId, type PreparedSchedule } from "./new_schedule.ts";
import { checkLimit } from "./page_request.ts";
import {
  cronTimeOf,
  isSameSchedule,
  nextByThisClock,
  type StoredSchedule,
} from "./stored_schedule.ts";

/** A checked `ScheduleListRequest`. */
export type PreparedScheduleList = Required<ScheduleListRequest>;

const LIST_OPTIONS = optionNames<ScheduleListRequest>({ afterId: true, limit: true });

/** Checks a request. @throws TypeError, RangeError */
export function prepareScheduleList(request: ScheduleListRequest): PreparedScheduleList {
  checkOptions(request, LIST_OPTIONS, "listSchedules");
  const { afterId, limit } = request;
  return {
    afterId: afterId === undefined ? "" : checkScheduleId(afterId),
    limit: checkLimit(limit),
  };
}

/** A new schedule, as it is stored. @throws RangeError when its expression never comes. */
export function newSchedule(schedule: PreparedSchedule, nowMs: number): StoredSchedule {
  const cron = cronTimeOf(schedule);
  const next_at = cron === null ? nowMs : nextInstant(cron, nowMs);
  if (next_at === null) {
    throw new RangeError(
      `Cannot use ${JSON.stringify(schedule.cron)} as cron: it never comes from now on`,
    );
  }
  return {
    ...schedule,
    is_paused: schedule.is_paused ?? false,
    next_at,
    last_fired_at: null,
    last_task_id: null,
    firings: 0,
    created_at: nowMs,
    updated_at: nowMs,
  };
}

/**
 * What becomes of a stored schedule when another one is added with its id; `known` itself when both say the same.
 *
 * @throws QueueError `schedule_conflict`. @throws RangeError when its expression never comes.
 */
export function replacedSchedule(
  known: StoredSchedule,
  schedule: PreparedSchedule,
  { replace, nowMs }: { readonly replace: boolean; readonly nowMs: number },
): StoredSchedule {
  const { is_paused: wanted } = schedule;
  const isPauseMeant = replace && wanted !== null && wanted !== known.is_paused;
  if (isSameSchedule(known, schedule) && !isPauseMeant) return known;
  if (replace) return replacement(known, schedule, nowMs);
  const id = JSON.stringify(known.schedule_id);
  throw new QueueError(
    "schedule_conflict",
    `Cannot add schedule ${id}: there is another one with this id, and replacing it was not asked for`,
  );
}

/** It keeps its count, its pause unless told otherwise, and its next instant at the same time. */
function replacement(
  known: StoredSchedule,
  schedule: PreparedSchedule,
  nowMs: number,
): StoredSchedule {
  const { firings, last_fired_at, last_task_id, created_at } = known;
  const is_paused = schedule.is_paused ?? known.is_paused;
  const goesOn = known.is_paused && !is_paused;
  const nextAt = goesOn ? nextAfterPause : nextByThisClock;
  return {
    ...newSchedule(schedule, nowMs),
    ...{ firings, last_fired_at, last_task_id, created_at, is_paused },
    ...(isSameTime(known, schedule) ? { next_at: nextAt(known, nowMs) } : {}),
  };
}

function isSameTime(known: PreparedSchedule, wanted: PreparedSchedule): boolean {
  return known.every_ms === wanted.every_ms && known.cron === wanted.cron &&
    known.time_zone === wanted.time_zone;
}

/**
 * A schedule that is paused, or goes on: with the next instant of its expression, or when its interval is over. `known`
 * itself when it is so already.
 *
 * @throws TypeError when it is to go on and this process cannot read its time.
 */
export function pausedSchedule(
  known: StoredSchedule,
  is_paused: boolean,
  nowMs: number,
): StoredSchedule {
  if (known.is_paused === is_paused) return known;
  const next_at = is_paused ? known.next_at : nextAfterPause(known, nowMs);
  return { ...known, is_paused, next_at, updated_at: nowMs };
}

/** When a schedule that goes on comes next: an instant of its pause is not made up for. @throws TypeError */
function nextAfterPause(known: StoredSchedule, nowMs: number): number | null {
  const cron = cronTimeOf(known);
  if (cron === null) return nextByThisClock(known, nowMs);
  checkCron(cron);
  const isReached = (known.next_at ?? Infinity) <= nowMs;
  return isReached ? nextInstant(cron, nowMs) : nextByThisClock(known, nowMs);
}

/** There is no schedule with this id. */
export function scheduleNotFound(id: string): QueueError {
  return new QueueError("schedule_not_found", `Cannot find schedule ${JSON.stringify(id)}`);
}

/** Whether a queue with `count` schedules may get another. @throws RangeError */
export function checkScheduleRoom(count: number): void {
  const { schedulesMax } = SCHEDULE_LIMITS;
  if (count < schedulesMax) return;
  throw new RangeError(`Cannot add another schedule: at most ${schedulesMax} are allowed`);
}
