/**
 * Looks at the rows of groups after each record: no group is forgotten. What is ready stands in a turn, and what is closed has a
 * reason, or a time at which it opens.
 */
import type { Reader } from "../../src/ledger/replica.ts";
import type { EventLog } from "./event_log.ts";

const PLACE = "type, compatibility, grp";

const SQL = {
  left: `SELECT DISTINCT ${PLACE} FROM task_queue AS task WHERE is_ready = 1 AND grp <> ''
    AND NOT EXISTS (SELECT 1 FROM group_lanes AS own WHERE own.type = task.type
      AND own.compatibility = task.compatibility AND own.grp = task.grp AND own.is_active = 1)`,
  idle: `SELECT ${PLACE} FROM group_lanes AS own WHERE is_active = 1
    AND NOT EXISTS (SELECT 1 FROM task_queue AS task WHERE is_ready = 1 AND own.type = task.type
      AND own.compatibility = task.compatibility AND own.grp = task.grp)`,
  /** Closed, without a time, and no limit has changed since. */
  closed: `SELECT ${PLACE} FROM group_lanes WHERE closed_at IS NOT NULL AND opens_at_utc IS NULL
    AND closed_at >= coalesce(
      (SELECT CAST(value AS INTEGER) FROM queue_notes WHERE name = 'group_limit_change'), 0)`,
} as const;

/** Whether a group's own limits and pauses let none of its tasks start, whatever the time is. */
type IsHeldBack = (type: string, grp: string) => boolean;

/** Checks them all. */
export function checkGroupRows(reader: Reader, log: EventLog, isHeldBack: IsHeldBack): void {
  const tell = (row: readonly unknown[], what: string): void =>
    log.violate(`group ${JSON.stringify(row)} ${what}`);
  for (const row of reader.read(SQL.left)) tell(row, "has ready tasks and no turn");
  for (const row of reader.read(SQL.idle)) tell(row, "has a turn and no ready task");
  for (const row of reader.read(SQL.closed)) {
    log.count("closed groups");
    const [type, , grp] = row.map(String) as [string, string, string];
    if (!isHeldBack(type, grp)) tell(row, "is closed and has room");
  }
}
