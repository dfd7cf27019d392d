/**
 * Schedules in NDJSON: a line `{"schedule": {…}}` each, with every field and where its clock stands.
 */
import { toUniqueBody } from "../domain/task_body.ts";
import { KEPT_IN_SCHEDULES } from "../domain/task_fields.ts";
import type { ScheduleRecord } from "../queue/records.ts";
import {
  type Fields,
  instantOf,
  keptFields,
  keptFieldsOf,
  optionalInstantOf,
  parseExactly,
  payloadTextOf,
  uniqueOf,
  webhookOf,
} from "./line_fields.ts";

/** The line of a schedule, without its end. */
export function scheduleLineOf(record: ScheduleRecord): string {
  return JSON.stringify({
    schedule: {
      id: record.id,
      ...keptFields(record, KEPT_IN_SCHEDULES),
      payload: parseExactly(record.payloadText),
      webhook: record.webhook,
      unique: record.unique && toUniqueBody(record.unique),
      expires_in_ms: record.expiresInMs,
      every_ms: record.everyMs,
      cron: record.cron,
      time_zone: record.timeZone,
      catch_up: record.catchUp,
      catch_up_max: record.catchUpMax,
      overlap: record.overlap,
      paused: record.paused,
      next_at_utc: record.nextAt,
      last_fired_at_utc: record.lastFiredAt,
      last_run_id: record.lastRunId,
      firings: record.firings,
      created_at_utc: record.createdAt,
      updated_at_utc: record.updatedAt,
    },
  });
}

/** The schedule of a line; the queue checks what is in its fields. @throws TypeError, RangeError */
export function scheduleOfLine(value: unknown, exact: unknown): ScheduleRecord {
  if (typeof value !== "object" || value === null) {
    throw new TypeError("schedule: a JSON object is needed");
  }
  const line = value as Fields;
  if (line.next_at_utc === undefined) throw new TypeError("next_at_utc: an instant is needed");
  const createdAt = instantOf(line, "created_at_utc");
  return {
    id: line.id as string,
    ...keptFieldsOf(line, KEPT_IN_SCHEDULES),
    payloadText: payloadTextOf(exact as Fields),
    webhook: webhookOf(line.webhook ?? null),
    unique: uniqueOf(line.unique ?? null),
    expiresInMs: (line.expires_in_ms ?? null) as number | null,
    everyMs: (line.every_ms ?? null) as number | null,
    cron: (line.cron ?? null) as string | null,
    timeZone: (line.time_zone ?? "UTC") as string,
    catchUp: (line.catch_up ?? "once") as ScheduleRecord["catchUp"],
    catchUpMax: (line.catch_up_max ?? 100) as number,
    overlap: (line.overlap ?? false) as boolean,
    paused: (line.paused ?? false) as boolean,
    nextAt: optionalInstantOf(line, "next_at_utc"),
    lastFiredAt: optionalInstantOf(line, "last_fired_at_utc"),
    lastRunId: (line.last_run_id ?? null) as string | null,
    firings: (line.firings ?? 0) as number,
    createdAt,
    updatedAt: optionalInstantOf(line, "updated_at_utc") ?? createdAt,
  };
}
