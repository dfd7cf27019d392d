/**
 * The room of logs: where those of all tasks together take more than they may, the logs of finished tasks go, of the first finished
 * first. The tasks stay.
 */
import type { Statements } from "../rows/database.ts";

/** How many logs one transaction deletes at most. */
const TRIM_MAX = 100;

/** The statements; a test reads their plans. */
export const TRIM_SQL = {
  /** What the table takes of the disk; known at once. */
  roomTaken: "select pg_total_relation_size('@log'::regclass) as bytes",
  /**
   * `$1` is how much may stay. From the newest to the oldest as much stays as has room beside the logs of tasks that have not ended; of a
   * task that is gone there is no time, so its log goes first.
   */
  excess: `select e.task_id from (
      select l.task_id, t.finished_at, t.id is not null and t.outcome is null as is_open,
        sum(l.size) over (order by (t.id is not null and t.outcome is null) desc,
          t.finished_at desc nulls last, l.task_id desc rows unbounded preceding) as together
      from @log_end l left join @task t on t.id = l.task_id) as e
    where e.together > $1 and not e.is_open
    order by e.finished_at nulls first, e.task_id limit ${TRIM_MAX}`,
  remove: `with lines as (delete from @log where task_id = any($1))
    delete from @log_end where task_id = any($1)`,
} as const;

/** Deletes logs until the rest has room: some in each transaction. */
export async function trimLogs(
  write: (run: (tx: Statements) => Promise<number>) => Promise<number>,
  maxBytes: number,
): Promise<void> {
  while (await write((tx) => trimSome(tx, maxBytes)) === TRIM_MAX);
}

/** How many were deleted. */
async function trimSome(tx: Statements, maxBytes: number): Promise<number> {
  const [taken] = await tx.query(TRIM_SQL.roomTaken);
  if (Number(taken!.bytes) <= maxBytes) return 0;
  const ids = (await tx.query(TRIM_SQL.excess, [maxBytes])).map(({ task_id }) => Number(task_id));
  if (ids.length > 0) await tx.query(TRIM_SQL.remove, [ids]);
  return ids.length;
}
