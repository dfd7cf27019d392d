/**
 * Schedule records: schedules as they are stored, on their way from one queue to another.
 */
import { checkInteger, checkName } from "../domain/check.ts";
import { messageOf } from "../domain/errors.ts";
import { shownValue } from "../domain/shown_value.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import type { ScheduleRecord } from "../queue/records.ts";
import { prepareDefinition } from "./new_schedule.ts";
import { scheduleOf, type StoredSchedule } from "./stored_schedule.ts";
import { checkDate, checkJsonText } from "./task_record.ts";

/** A checked record. */
export interface PreparedScheduleRecord {
  readonly row: StoredSchedule;
  readonly lastRunId: string | null;
}

/** The record of a schedule; `lastRunId` is the run id of its last task, if that is there. */
export function recordOfSchedule(row: StoredSchedule, lastRunId: string | null): ScheduleRecord {
  const schedule = scheduleOf(row, { kind: "none" }, 0);
  const { payload: _payload, lastTaskId: _last, waitsForTaskId: _task, ...fields } = schedule;
  const nextAt = row.next_at === null ? null : new Date(row.next_at);
  return { ...fields, payloadText: row.payload, nextAt, lastRunId };
}

/** Checks records, alone and beside each other; the problems of the refused ones, in words. */
export function prepareScheduleRecords(
  records: readonly ScheduleRecord[],
  payloadMaxBytes: number,
): { readonly schedules: PreparedScheduleRecord[]; readonly problems: string[] } {
  const schedules = new Map<string, PreparedScheduleRecord>();
  const problems: string[] = [];
  for (const record of records) {
    try {
      const prepared = prepareOne(record, payloadMaxBytes);
      const id = prepared.row.schedule_id;
      if (schedules.has(id)) throw new TypeError("another one has this id");
      schedules.set(id, prepared);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      problems.push(`${scheduleName(record.id)}: ${messageOf(error)}`);
    }
  }
  return { schedules: [...schedules.values()], problems };
}

/** How messages call a schedule. */
export function scheduleName(id: unknown): string {
  return `Schedule ${shownValue(id)}`;
}

function prepareOne(record: ScheduleRecord, payloadMaxBytes: number): PreparedScheduleRecord {
  const { everyMs, cron, retryPolicy, timeoutMs, group, expiresInMs, unique, webhook } = record;
  const { orderingKey, onPredecessorFailure, lastRunId } = record;
  const defined = prepareDefinition({
    ...record,
    everyMs: everyMs ?? undefined,
    cron: cron ?? undefined,
    retryPolicy: retryPolicy ?? undefined,
    timeoutMs: timeoutMs ?? undefined,
    group: group ?? undefined,
    orderingKey: orderingKey ?? undefined,
    onPredecessorFailure: onPredecessorFailure ?? undefined,
    expiresInMs: expiresInMs ?? undefined,
    unique: unique ?? undefined,
    webhook: webhook ?? undefined,
  }, payloadMaxBytes);
  const row = {
    ...defined,
    payload: checkJsonText(record.payloadText, "payload", payloadMaxBytes),
    is_paused: defined.is_paused ?? false,
    next_at: optionalDate(record.nextAt, "nextAt"),
    last_fired_at: optionalDate(record.lastFiredAt, "lastFiredAt"),
    last_task_id: null,
    firings: checkInteger(record.firings, "firings", 0, TASK_LIMITS.importedNumberMax),
    created_at: checkDate(record.createdAt, "createdAt"),
    updated_at: checkDate(record.updatedAt, "updatedAt"),
  };
  if (row.schedule_id !== record.id || row.type !== record.type) {
    throw new TypeError("blanks around its id or its type are not allowed");
  }
  if (lastRunId !== null) checkName(lastRunId, "run id", TASK_LIMITS.runIdMaxLength);
  return { row, lastRunId };
}

function optionalDate(value: Date | null, what: string): number | null {
  return value === null ? null : checkDate(value, what);
}
