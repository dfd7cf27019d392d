/**
 * Statistics: how many tasks there are by status and type, and what waits.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { QueueStats } from "../../queue/task_queue.ts";

/** Tasks by status and type, and what waits. */
export function stats(reader: Reader, nowMs: number): QueueStats {
  const byStatus = noTasks();
  const byType = new Map<string, Record<TaskStatus, number>>();
  let total = 0;
  for (
    const [status, type, n] of reader.read(
      "SELECT status, type, count(*) FROM task_queue GROUP BY status, type",
    )
  ) {
    const ofType = byType.get(String(type)) ?? noTasks();
    byType.set(String(type), ofType);
    ofType[status as TaskStatus] += Number(n);
    byStatus[status as TaskStatus] += Number(n);
    total += Number(n);
  }
  const waiting =
    "SELECT count(*) FROM task_queue WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc > ?";
  const oldest =
    "SELECT min(created_at_utc) FROM task_queue WHERE status = 'queued' AND waits_for = 0 AND run_after_utc <= ?";
  const held = "SELECT count(*) FROM task_queue WHERE waits_for > 0";
  const oldestDueMs = reader.read(oldest, [nowMs])[0]![0]!;
  return {
    total,
    byStatus,
    byType: Object.fromEntries(byType),
    scheduled: Number(reader.read(waiting, [nowMs])[0]![0]),
    waitingForParents: Number(reader.read(held)[0]![0]),
    oldestDueCreatedAt: oldestDueMs === null ? null : new Date(Number(oldestDueMs)),
  };
}

function noTasks(): Record<TaskStatus, number> {
  return { queued: 0, leased: 0, completed: 0, failed: 0, cancelled: 0 };
}
