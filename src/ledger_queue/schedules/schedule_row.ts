/**
 * Rows of `schedules`, by column.
 */
import { isSameJson } from "../../domain/json.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import type { CronTime } from "../../queue_policy/cron.ts";
import type { PreparedSchedule } from "../../queue_policy/new_schedule.ts";
import { SCHEDULE_TABLE } from "../rows/schema.ts";

/** The columns of `schedules`, in order. */
const COLUMNS = [
  "schedule_id",
  "type",
  "payload",
  "priority",
  "compatibility",
  "max_attempts",
  "retry_policy",
  "timeout_ms",
  "every_ms",
  "cron",
  "time_zone",
  "catch_up",
  "catch_up_max",
  "overlaps",
  "is_paused",
  "next_at_utc",
  "last_fired_at_utc",
  "last_task_id",
  "firings",
  "created_at_utc",
  "updated_at_utc",
  "webhook_url",
  "webhook_events",
] as const;

type Column = typeof COLUMNS[number];

/** A row by column. */
export type ScheduleRow = Readonly<Record<Column, SqlValue>>;

/** Columns that a caller defines; two schedules with the same ones are the same. */
const DEFINED = [...COLUMNS.slice(1, 14), "webhook_url", "webhook_events"] as const;

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

/** The row of every schedule, by its id. */
export function allSchedules(reader: Reader): ScheduleRow[] {
  return reader.read(SCHEDULE_SQL.all).map(byColumn);
}

/** The row of a schedule. */
export function findSchedule(reader: Reader, id: string): ScheduleRow | undefined {
  return reader.read(SCHEDULE_SQL.one, [id]).map(byColumn)[0];
}

/** Adds the row, or changes the one with its id. */
export function put(tx: Transaction, row: ScheduleRow): ScheduleRow {
  const [known] = tx.read(SCHEDULE_SQL.one, [row.schedule_id]);
  if (known === undefined) tx.insert(SCHEDULE_TABLE, row);
  else tx.update(SCHEDULE_TABLE, known, row);
  return row;
}

/** Whether both were defined in the same way. */
export function isSame(known: ScheduleRow, wanted: PreparedSchedule | ScheduleRow): boolean {
  return DEFINED.every((column) => {
    const [a, b] = [known[column], (wanted as Partial<ScheduleRow>)[column]];
    return a === b || (column === "payload" && isSameJson(String(a), String(b)));
  });
}

/** When a schedule fires, as one string to compare. */
export function timeOf(
  { every_ms, cron, time_zone }: Pick<ScheduleRow, "every_ms" | "cron" | "time_zone">,
): string {
  return JSON.stringify([every_ms, cron, time_zone]);
}

/** The cron expression of a row, with its zone; `null` for an interval. */
export function cronTimeOf(
  { cron, time_zone }: Pick<ScheduleRow, "cron" | "time_zone">,
): CronTime | null {
  return cron === null ? null : { cron: String(cron), timeZone: String(time_zone) };
}

/** A row of the table by its columns. */
export function byColumn(row: SqlRow): ScheduleRow {
  return Object.fromEntries(COLUMNS.map((column, i) => [column, row[i]!])) as ScheduleRow;
}
