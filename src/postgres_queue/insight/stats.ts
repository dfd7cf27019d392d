/**
 * Statistics: how many tasks there are by status and type, and what waits.
 */
import { TASK_STATUSES, type TaskStatus } from "../../domain/task.ts";
import type { QueueStats } from "../../queue/task_queue.ts";
import type { Statements } from "../rows/database.ts";

const STATS_SQL = {
  final: `select l.type, c.outcome as status, sum(c.n) as n from (
      select lane_id, outcome, count(*) as n from @task where outcome is not null group by 1, 2) as c
    join @lane l using (lane_id) group by 1, 2`,
  /** `$1` is now, `$2` whether groups are told apart. One look at each row for all that is asked of them. */
  live: `select l.type, c.stage, c.grp, sum(c.n) as n, min(c.oldest) as oldest from (
      select lane_id, case when state = 4 then 'leased' when state = 3 then 'held'
          when state = 1 or run_after <= $1 then 'due' else 'later' end as stage,
        case when $2 then grp else '' end as grp,
        count(*) as n, min(greatest(created_at, run_after)) as oldest
      from @live group by 1, 2, 3) as c
    join @lane l using (lane_id) group by 1, 2, 3`,
} as const;

/** The tasks of a type and group that are not final, at one stage; an empty string is no group. */
export interface LiveCount {
  readonly type: string;
  readonly grp: string;
  readonly stage: "leased" | "held" | "due" | "later";
  readonly count: number;
  /** Since when the oldest is due, or from when on. */
  readonly oldestMs: number;
}

/** Tasks that are not final, by type and stage, and by group if these are told apart. */
export async function liveCounts(
  tx: Statements,
  nowMs: number,
  hasGroups: boolean,
): Promise<LiveCount[]> {
  const rows = await tx.query(STATS_SQL.live, [nowMs, hasGroups]);
  return rows.map(({ type, grp, stage, n, oldest }) => ({
    type: String(type),
    grp: String(grp),
    stage: stage as LiveCount["stage"],
    count: Number(n),
    oldestMs: Number(oldest),
  }));
}

/** Tasks by status and type, and what waits. */
export async function stats(tx: Statements, nowMs: number): Promise<QueueStats> {
  return await statsWith(tx, await liveCounts(tx, nowMs, false));
}

/** The same, where the tasks that are not final have been counted. */
export async function statsWith(
  tx: Statements,
  live: readonly LiveCount[],
): Promise<QueueStats> {
  const byStatus = noTasks();
  const byType = new Map<string, Record<TaskStatus, number>>();
  const add = (type: string, status: TaskStatus, n: number): void => {
    const ofType = byType.get(type) ?? noTasks();
    byType.set(type, ofType);
    ofType[status] += n;
    byStatus[status] += n;
  };
  for (const { type, status, n } of await tx.query(STATS_SQL.final)) {
    add(String(type), status as TaskStatus, Number(n));
  }
  for (const { type, stage, count } of live) {
    add(type, stage === "leased" ? "leased" : "queued", count);
  }
  const countAt = (wanted: LiveCount["stage"]): number =>
    live.reduce((sum, { stage, count }) => sum + (stage === wanted ? count : 0), 0);
  const oldestMs = Math.min(
    ...live.filter(({ stage }) => stage === "due").map((due) => due.oldestMs),
  );
  return {
    total: TASK_STATUSES.reduce((sum, status) => sum + byStatus[status], 0),
    byStatus,
    byType: Object.fromEntries([...byType].sort(([a], [b]) => a < b ? -1 : 1)),
    scheduled: countAt("later"),
    waitingForParents: countAt("held"),
    oldestDueAt: oldestMs === Infinity ? null : new Date(oldestMs),
  };
}

function noTasks(): Record<TaskStatus, number> {
  return { queued: 0, leased: 0, completed: 0, failed: 0, cancelled: 0 };
}
