/**
 * The latest runs of a schedule, read from the index of run ids.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { ScheduleRun } from "../../queue/schedule.ts";
import {
  INSTANT_LENGTH,
  runIdsOfSchedule,
  scheduleRunOf,
} from "../../queue_policy/schedule_runs.ts";

/** The statement; a test reads its plan. */
export const SCHEDULE_RUNS_SQL = `SELECT id, run_id, status, finished_at_utc FROM task_queue
  WHERE run_id >= ?1 AND run_id < ?2 AND length(run_id) = length(?3) + ${INSTANT_LENGTH}
  ORDER BY run_id DESC LIMIT ?4`;

/** The runs of a schedule that are there, the latest instant first. */
export function scheduleRuns(reader: Reader, scheduleId: string, limit: number): ScheduleRun[] {
  const parameters = [...runIdsOfSchedule(scheduleId), scheduleId, limit];
  return reader.read(SCHEDULE_RUNS_SQL, parameters).flatMap(([id, runId, status, finishedAtMs]) =>
    scheduleRunOf({
      taskId: Number(id),
      runId: String(runId),
      status: status as TaskStatus,
      finishedAtMs: finishedAtMs as number | null,
    })
  );
}
