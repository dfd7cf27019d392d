/**
 * The runs of a schedule: the tasks whose run ids say that they are of it, and for which instant. An index of run ids has those of a
 * schedule side by side, in the order of their instants.
 */
import { checkOptions, optionNames } from "../domain/options.ts";
import type { TaskStatus } from "../domain/task.ts";
import type { ScheduleRun, ScheduleRunsRequest } from "../queue/schedule.ts";
import { checkLimit } from "./page_request.ts";

const RUNS_OPTIONS = optionNames<ScheduleRunsRequest>({ limit: true });

/** How many characters a run id has behind the schedule's own. */
export const INSTANT_LENGTH = "@2026-01-02T03:04:05.006Z".length;

/** Checks a request; how many runs it asks for. @throws TypeError, RangeError */
export function prepareScheduleRuns(request: ScheduleRunsRequest): number {
  checkOptions(request, RUNS_OPTIONS, "schedule runs");
  return checkLimit(request.limit);
}

/** Between which run ids the runs of a schedule are: from the first on, before the second. */
export function runIdsOfSchedule(scheduleId: string): readonly [string, string] {
  return [`${scheduleId}@0`, `${scheduleId}@:`];
}

/** A run in a row; none where somebody gave a task a run id that only looks like one of a schedule. */
export function scheduleRunOf(
  { taskId, runId, status, finishedAtMs }: {
    readonly taskId: number;
    readonly runId: string;
    readonly status: TaskStatus;
    readonly finishedAtMs: number | null;
  },
): ScheduleRun[] {
  const at = new Date(runId.slice(1 - INSTANT_LENGTH));
  if (Number.isNaN(at.getTime())) return [];
  const finishedAt = finishedAtMs === null ? null : new Date(finishedAtMs);
  return [{ taskId, runId, status, at, finishedAt }];
}
