/**
 * Statistics: how many tasks there are by status and type, and what waits.
 */
import { TASK_STATUSES, type TaskStatus } from "../../domain/task.ts";
import type { QueueStats } from "../../queue/task_queue.ts";
import type { Statements } from "../rows/database.ts";

const STATS_SQL = {
  counts: `select type, status, sum(n) as n from (
      select lane_id, outcome as status, count(*) as n from @task where outcome is not null
      group by lane_id, outcome
      union all
      select lane_id, case when state = 4 then 'leased' else 'queued' end, count(*) from @live
      group by 1, 2) as counted join @lane using (lane_id) group by type, status order by type`,
  /** `$1` is now. */
  waiting: `select
      count(*) filter (where state = 2 and run_after > $1) as scheduled,
      count(*) filter (where state = 3) as held,
      min(greatest(created_at, run_after))
        filter (where state = 1 or state = 2 and run_after <= $1) as oldest
    from @live where state < 4`,
} as const;

/** Tasks by status and type, and what waits. */
export async function stats(tx: Statements, nowMs: number): Promise<QueueStats> {
  const [counts, [waiting]] = await Promise.all([
    tx.query(STATS_SQL.counts),
    tx.query(STATS_SQL.waiting, [nowMs]),
  ]);
  const byStatus = noTasks();
  const byType = new Map<string, Record<TaskStatus, number>>();
  for (const { type, status, n } of counts) {
    const ofType = byType.get(String(type)) ?? noTasks();
    byType.set(String(type), ofType);
    ofType[status as TaskStatus] += Number(n);
    byStatus[status as TaskStatus] += Number(n);
  }
  const oldest = waiting!.oldest ?? null;
  return {
    total: TASK_STATUSES.reduce((sum, status) => sum + byStatus[status], 0),
    byStatus,
    byType: Object.fromEntries(byType),
    scheduled: Number(waiting!.scheduled),
    waitingForParents: Number(waiting!.held),
    oldestDueAt: oldest === null ? null : new Date(Number(oldest)),
  };
}

function noTasks(): Record<TaskStatus, number> {
  return { queued: 0, leased: 0, completed: 0, failed: 0, cancelled: 0 };
}
