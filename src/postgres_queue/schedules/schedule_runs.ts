/**
 * The latest runs of a schedule, read from the index of run ids.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { ScheduleRun } from "../../queue/schedule.ts";
import {
  INSTANT_LENGTH,
  runIdsOfSchedule,
  scheduleRunOf,
} from "../../queue_policy/schedule_runs.ts";
import type { Statements } from "../rows/database.ts";
import { soughtName } from "../rows/sought_name.ts";
import { STATUS } from "../rows/task_row.ts";

/** The statement; a test reads its plan. */
export const SCHEDULE_RUNS_SQL = `select t.id, t.run_id, ${STATUS} as status, t.finished_at
  from @task t left join @live v on v.id = t.id
  where t.run_id >= $1 and t.run_id < $2 and length(t.run_id) = length($3) + ${INSTANT_LENGTH}
  order by t.run_id desc limit $4`;

/** The runs of a schedule that are there, the latest instant first. */
export async function scheduleRuns(
  statements: Statements,
  scheduleId: string,
  limit: number,
): Promise<ScheduleRun[]> {
  const id = soughtName(scheduleId);
  if (id === null) return [];
  const parameters = [...runIdsOfSchedule(id), id, limit];
  const rows = await statements.query(SCHEDULE_RUNS_SQL, parameters);
  return rows.flatMap(({ id, run_id, status, finished_at }) =>
    scheduleRunOf({
      taskId: Number(id),
      runId: String(run_id),
      status: status as TaskStatus,
      finishedAtMs: finished_at === null ? null : Number(finished_at),
    })
  );
}
