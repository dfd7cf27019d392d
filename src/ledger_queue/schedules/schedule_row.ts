/**
 * Rows of `schedules`.
 */
import type { Reader, Transaction, Values } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import type { StoredSchedule } from "../../queue_policy/stored_schedule.ts";
import { SCHEDULE_TABLE } from "../rows/schema.ts";

/** The columns of `schedules`, in order, each with what it holds. */
const COLUMNS: readonly (readonly [column: string, field: keyof StoredSchedule])[] = [
  ["schedule_id", "schedule_id"],
  ["type", "type"],
  ["payload", "payload"],
  ["priority", "priority"],
  ["compatibility", "compatibility"],
  ["max_attempts", "max_attempts"],
  ["retry_policy", "retry_policy"],
  ["timeout_ms", "timeout_ms"],
  ["every_ms", "every_ms"],
  ["cron", "cron"],
  ["time_zone", "time_zone"],
  ["catch_up", "catch_up"],
  ["catch_up_max", "catch_up_max"],
  ["overlaps", "may_overlap"],
  ["is_paused", "is_paused"],
  ["next_at_utc", "next_at"],
  ["last_fired_at_utc", "last_fired_at"],
  ["last_task_id", "last_task_id"],
  ["firings", "firings"],
  ["created_at_utc", "created_at"],
  ["updated_at_utc", "updated_at"],
  ["webhook_url", "webhook_url"],
  ["webhook_events", "webhook_events"],
  ["grp", "grp"],
  ["expires_in_ms", "expires_in_ms"],
  ["unique_by", "unique_by"],
  ["ordering_key", "ordering_key"],
  ["on_predecessor_failure", "on_predecessor_failure"],
  ["tags", "tags"],
];

/** The statements; a test reads their plans. */
export const SCHEDULE_SQL = {
  one: "SELECT * FROM schedules WHERE schedule_id = ?",
  all: "SELECT * FROM schedules ORDER BY schedule_id",
  idsAfter: "SELECT schedule_id FROM schedules WHERE schedule_id > ? ORDER BY schedule_id LIMIT ?",
  count: "SELECT count(*) FROM schedules",
  reached: `SELECT * FROM schedules INDEXED BY next_schedules
    WHERE is_paused = 0 AND next_at_utc IS NOT NULL AND next_at_utc <= +?
      AND (next_at_utc, schedule_id) > (+?, +?) ORDER BY next_at_utc, schedule_id LIMIT +?`,
  next: `SELECT next_at_utc FROM schedules INDEXED BY next_schedules
    WHERE is_paused = 0 AND next_at_utc IS NOT NULL AND next_at_utc > +? ORDER BY next_at_utc LIMIT 1`,
  putBack: `SELECT * FROM schedules INDEXED BY next_schedules
    WHERE is_paused = 0 AND next_at_utc IS NOT NULL AND next_at_utc > +? AND updated_at_utc > +?
    ORDER BY next_at_utc LIMIT +?`,
  lastTask: "SELECT status, finished_at_utc FROM task_queue WHERE id = ?",
  runId: "SELECT 1 FROM task_queue WHERE run_id = ?",
} as const;

/** Every schedule, by its id. */
export function allSchedules(reader: Reader): StoredSchedule[] {
  return reader.read(SCHEDULE_SQL.all).map(scheduleOfRow);
}

/** The schedule with this id. */
export function findSchedule(reader: Reader, id: string): StoredSchedule | undefined {
  return reader.read(SCHEDULE_SQL.one, [id]).map(scheduleOfRow)[0];
}

/** Adds the schedule, or changes the one with its id. */
export function put(tx: Transaction, schedule: StoredSchedule): StoredSchedule {
  const [known] = tx.read(SCHEDULE_SQL.one, [schedule.schedule_id]);
  const values = rowValues(schedule);
  if (known === undefined) tx.insert(SCHEDULE_TABLE, values);
  else tx.update(SCHEDULE_TABLE, known, values);
  return schedule;
}

/** The schedule in a row. */
export function scheduleOfRow(row: SqlRow): StoredSchedule {
  return Object.fromEntries(
    COLUMNS.map(([, field], i) => [field, isFlag(field) ? row[i] === 1 : row[i]]),
  ) as unknown as StoredSchedule;
}

/** A schedule in the columns of its row. */
export function rowValues(schedule: StoredSchedule): Values {
  return Object.fromEntries(
    COLUMNS.map(([column, field]): [string, SqlValue] => {
      const value = schedule[field];
      return [column, typeof value === "boolean" ? Number(value) : value];
    }),
  );
}

function isFlag(field: keyof StoredSchedule): boolean {
  return field === "may_overlap" || field === "is_paused";
}
