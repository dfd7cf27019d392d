/**
 * Integrity: what rows of the queue can never be, whatever happened.
 */
import type { Reader } from "../ledger/replica.ts";

/** Each impossibility, and how many rows show it. */
const IMPOSSIBLE: Readonly<Record<string, string>> = Object.freeze({
  "leased tasks without a lease": `SELECT count(*) FROM task_queue WHERE status = 'leased'
      AND (lease_until_utc IS NULL OR locked_by IS NULL OR processing_started_utc IS NULL)`,
  "tasks with a lease that are not leased":
    "SELECT count(*) FROM task_queue WHERE status <> 'leased' AND lease_until_utc IS NOT NULL",
  "final tasks that never finished": `SELECT count(*) FROM task_queue
      WHERE status IN ('completed', 'failed', 'cancelled') AND finished_at_utc IS NULL`,
  "ready tasks that are not queued":
    "SELECT count(*) FROM task_queue WHERE is_ready = 1 AND status <> 'queued'",
  "tasks with more attempts than allowed":
    "SELECT count(*) FROM task_queue WHERE attempts > max_attempts OR attempts < 0",
  "transitions of no task":
    "SELECT count(*) FROM task_logs WHERE task_id NOT IN (SELECT id FROM task_queue)",
});

/** What is wrong with the rows, one sentence each. */
export function impossibleRows(reader: Reader): string[] {
  return Object.entries(IMPOSSIBLE).flatMap(([what, select]) => {
    const count = Number(reader.read(select)[0]![0]);
    return count === 0 ? [] : [`there are ${count} ${what}`];
  });
}
