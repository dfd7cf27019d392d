/**
 * What is due, by type, without reading all that is: ready tasks are counted, and indexed by since when they are due. Only tasks whose
 * time has come since the last claim are read one by one.
 */
import type { Reader } from "../../ledger/replica.ts";
import type { DuePart } from "../../queue_policy/limit_state.ts";
import { taskCounts } from "./task_counts.ts";

const SINCE = "max(created_at_utc, run_after_utc)";

/** The statements; a test reads their plans. */
export const DUE_SQL = {
  oldest: `SELECT ${SINCE} FROM task_queue INDEXED BY ready_by_due
    WHERE is_ready = 1 AND type = +? ORDER BY ${SINCE} LIMIT 1`,
  come: `SELECT type, count(*), min(${SINCE}) FROM task_queue INDEXED BY scheduled_tasks
    WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc <= +?
    GROUP BY type`,
} as const;

/** The due tasks of each type that has some. */
export function dueByType(reader: Reader, nowMs: number): DuePart[] {
  const due = new Map<string, DuePart>();
  for (const [type, { ready }] of taskCounts(reader)) {
    if (ready === 0) continue;
    const oldestMs = Number(reader.read(DUE_SQL.oldest, [type])[0]![0]);
    due.set(type, { type, grp: "", count: ready, oldestMs });
  }
  for (const row of reader.read(DUE_SQL.come, [nowMs])) {
    const [type, count, sinceMs] = [String(row[0]), Number(row[1]), Number(row[2])];
    const { count: known, oldestMs } = due.get(type) ?? { count: 0, oldestMs: Infinity };
    due.set(type, { type, grp: "", count: known + count, oldestMs: Math.min(oldestMs, sinceMs) });
  }
  return [...due.values()];
}

/** Since when the oldest of them is due; `null` without any. */
export function oldestDueMs(due: readonly DuePart[]): number | null {
  return due.length === 0
    ? null
    : due.reduce((oldest, { oldestMs }) => Math.min(oldest, oldestMs), Infinity);
}
