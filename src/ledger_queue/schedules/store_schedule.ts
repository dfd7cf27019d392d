/**
 * Storing schedules: added, replaced, paused, removed.
 */
import { QueueError } from "../../domain/errors.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlValue } from "../../ledger/sql_engine.ts";
import {
  type AddScheduleResult,
  type Schedule,
  SCHEDULE_LIMITS,
  type ScheduleListRequest,
} from "../../queue/schedule.ts";
import { checkCron, nextInstant } from "../../queue_policy/cron.ts";
import { checkLimit } from "../../queue_policy/page_request.ts";
import { fillPage } from "../rows/page.ts";
import { SCHEDULE_TABLE } from "../rows/schema.ts";
import { checkScheduleId } from "../../queue_policy/new_schedule.ts";
import { nextByThisClock, scheduleOf } from "./plan_schedule.ts";
import type { PreparedSchedule } from "../../queue_policy/new_schedule.ts";
import {
  byColumn,
  cronTimeOf,
  findSchedule,
  isSame,
  put,
  SCHEDULE_SQL,
  type ScheduleRow,
  timeOf,
} from "./schedule_row.ts";

/** A checked `ScheduleListRequest`. */
export type PreparedScheduleList = Required<ScheduleListRequest>;

/** Checks a request. @throws TypeError, RangeError */
export function prepareScheduleList(
  { afterId, limit }: ScheduleListRequest,
): PreparedScheduleList {
  return {
    afterId: afterId === undefined ? "" : checkScheduleId(afterId),
    limit: checkLimit(limit),
  };
}

// --- stored and changed

/**
 * Stores a schedule; one with its id that says the same stays as it is, another is replaced or refused.
 *
 * @throws QueueError `schedule_conflict`. @throws RangeError when it never comes, or there are too many.
 */
export function addSchedule(
  tx: Transaction,
  schedule: PreparedSchedule,
  { replace, nowMs }: { readonly replace: boolean; readonly nowMs: number },
): AddScheduleResult {
  const known = findSchedule(tx, schedule.schedule_id);
  if (known === undefined) {
    checkRoom(tx);
    const row = newRow(schedule, nowMs);
    return { schedule: scheduleOf(tx, put(tx, row), nowMs), created: true };
  }
  const { is_paused: wanted } = schedule;
  const isPauseMeant = replace && wanted !== null && wanted !== known.is_paused;
  if (isSame(known, schedule) && !isPauseMeant) {
    return { schedule: scheduleOf(tx, known, nowMs), created: false };
  }
  if (!replace) {
    const id = JSON.stringify(known.schedule_id);
    throw new QueueError(
      "schedule_conflict",
      `Cannot add schedule ${id}: there is another one with this id, and replacing it was not asked for`,
    );
  }
  const row = replacement(known, schedule, nowMs);
  return { schedule: scheduleOf(tx, put(tx, row), nowMs), created: false };
}

/** What takes a schedule's place: it keeps its count, its pause unless told otherwise, and its next instant at the same time. */
function replacement(known: ScheduleRow, schedule: PreparedSchedule, nowMs: number): ScheduleRow {
  const { firings, last_fired_at_utc, last_task_id, created_at_utc } = known;
  const is_paused = schedule.is_paused ?? known.is_paused;
  const goesOn = known.is_paused === 1 && is_paused === 0;
  const isSameTime = timeOf(known) === timeOf(schedule);
  const nextAtMs = goesOn ? nextAfterPause : nextByThisClock;
  return {
    ...newRow(schedule, nowMs),
    ...{ firings, last_fired_at_utc, last_task_id, created_at_utc, is_paused },
    ...(isSameTime ? { next_at_utc: nextAtMs(known, nowMs) } : {}),
  };
}

/** The schedule with this id, at a time. */
export function getSchedule(reader: Reader, id: string, nowMs: number): Schedule | undefined {
  const row = findSchedule(reader, id);
  return row && scheduleOf(reader, row, nowMs);
}

/** A page of schedules, by their ids. Fewer, one at least, when they are large. */
export function listSchedules(
  reader: Reader,
  { afterId, limit }: PreparedScheduleList,
  nowMs: number,
): Schedule[] {
  const rows = reader.read(SCHEDULE_SQL.idsAfter, [afterId, limit]).values()
    .map(([id]) => reader.read(SCHEDULE_SQL.one, [id!])[0]!);
  return fillPage(rows).map((row) => scheduleOf(reader, byColumn(row), nowMs));
}

/** Deletes a schedule; its tasks stay. `false` when there is none. */
export function removeSchedule(tx: Transaction, id: string): boolean {
  if (findSchedule(tx, id) === undefined) return false;
  tx.remove(SCHEDULE_TABLE, [id]);
  return true;
}

/**
 * Pauses a schedule, or lets it go on: with the next instant of its expression, or when its interval is over.
 *
 * @throws QueueError `schedule_not_found`. @throws TypeError when it is to go on and this process cannot read its time.
 */
export function pauseSchedule(
  tx: Transaction,
  { id, paused }: { readonly id: string; readonly paused: boolean },
  nowMs: number,
): Schedule {
  const row = findSchedule(tx, id);
  if (row === undefined) {
    throw new QueueError("schedule_not_found", `Cannot find schedule ${JSON.stringify(id)}`);
  }
  if ((row.is_paused === 1) === paused) return scheduleOf(tx, row, nowMs);
  const changed = {
    ...row,
    is_paused: paused ? 1 : 0,
    next_at_utc: paused ? row.next_at_utc : nextAfterPause(row, nowMs),
    updated_at_utc: nowMs,
  };
  return scheduleOf(tx, put(tx, changed), nowMs);
}

/** When a schedule that goes on comes next: an instant of its pause is not made up for. @throws TypeError */
function nextAfterPause(row: ScheduleRow, nowMs: number): SqlValue {
  const cron = cronTimeOf(row);
  if (cron === null) return nextByThisClock(row, nowMs);
  checkCron(cron);
  const isReached = Number(row.next_at_utc ?? Infinity) <= nowMs;
  return isReached ? nextInstant(cron, nowMs) : nextByThisClock(row, nowMs);
}

/** @throws RangeError when the expression never comes. */
function newRow(schedule: PreparedSchedule, nowMs: number): ScheduleRow {
  const cron = cronTimeOf(schedule);
  const nextAtMs = cron === null ? nowMs : nextInstant(cron, nowMs);
  if (nextAtMs === null) {
    throw new RangeError(
      `Cannot use ${JSON.stringify(schedule.cron)} as cron: it never comes from now on`,
    );
  }
  return {
    ...schedule,
    is_paused: schedule.is_paused ?? 0,
    next_at_utc: nextAtMs,
    last_fired_at_utc: null,
    last_task_id: null,
    firings: 0,
    created_at_utc: nowMs,
    updated_at_utc: nowMs,
  };
}

function checkRoom(reader: Reader): void {
  const count = Number(reader.read(SCHEDULE_SQL.count)[0]![0]);
  const { schedulesMax } = SCHEDULE_LIMITS;
  if (count >= schedulesMax) {
    throw new RangeError(`Cannot add another schedule: at most ${schedulesMax} are allowed`);
  }
}
