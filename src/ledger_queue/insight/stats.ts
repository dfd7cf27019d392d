/**
 * Statistics: how many tasks there are by status and type, and what waits, from the counts that are kept.
 */
import { TASK_STATUSES, type TaskStatus } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { DuePart } from "../../queue_policy/limit_state.ts";
import type { QueueStats } from "../../queue/task_queue.ts";
import { dueByType, oldestDueMs } from "./due.ts";
import { noTasks, taskCounts } from "./task_counts.ts";

/** Tasks by status and type, and what waits. */
export function stats(reader: Reader, nowMs: number): QueueStats {
  return statsOf(reader, dueByType(reader, nowMs));
}

/** The same where what is due is known already. */
export function statsOf(reader: Reader, due: readonly DuePart[]): QueueStats {
  const byStatus = noTasks();
  const byType: [string, Record<TaskStatus, number>][] = [];
  let waitingForParents = 0;
  for (const [type, counts] of taskCounts(reader)) {
    for (const status of TASK_STATUSES) byStatus[status] += counts.byStatus[status];
    byType.push([type, { ...counts.byStatus }]);
    waitingForParents += counts.waiting;
  }
  const dueCount = due.reduce((sum, { count }) => sum + count, 0);
  const oldestMs = oldestDueMs(due);
  return {
    total: TASK_STATUSES.reduce((sum, status) => sum + byStatus[status], 0),
    byStatus,
    byType: Object.fromEntries(byType),
    scheduled: byStatus.queued - waitingForParents - dueCount,
    waitingForParents,
    oldestDueAt: oldestMs === null ? null : new Date(oldestMs),
  };
}
