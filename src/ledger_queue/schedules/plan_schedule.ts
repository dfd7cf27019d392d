/**
 * The last tasks of schedules, and what a clock has planned that was put back since, which is planned anew.
 */
import { isFinal, type TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import { CLOCK_TOLERANCE_MS } from "../../queue_policy/clock_put_back.ts";
import type { LastTask } from "../../queue_policy/schedule_plan.ts";
import {
  isPlannable,
  nextByThisClock,
  type StoredSchedule,
} from "../../queue_policy/stored_schedule.ts";
import type { RecordBudget } from "../rows/record_budget.ts";
import { put, rowValues, SCHEDULE_SQL, scheduleOfRow } from "./schedule_row.ts";

/** How many schedules one transaction plans anew at most. */
const REPLAN_MAX = 100;

/** Whether a schedule waits that was planned by a clock that was far ahead. */
export function hasPutBackSchedule(reader: Reader, nowMs: number): boolean {
  return putBackSchedules(reader, nowMs, 1).length > 0;
}

/** Plans such schedules from now, as many as the budget allows. */
export function replanPutBack(tx: Transaction, budget: RecordBudget, nowMs: number): void {
  for (const schedule of putBackSchedules(tx, nowMs, REPLAN_MAX)) {
    if (budget.isSpent) return;
    budget.spend(Object.values(rowValues(schedule)));
    if (!isPlannable(schedule, nowMs)) continue;
    put(tx, { ...schedule, next_at: nextByThisClock(schedule, nowMs), updated_at: nowMs });
  }
}

function putBackSchedules(reader: Reader, nowMs: number, limit: number): StoredSchedule[] {
  return reader.read(SCHEDULE_SQL.putBack, [nowMs, nowMs + CLOCK_TOLERANCE_MS, limit]).map(
    scheduleOfRow,
  );
}

/** How the task of a schedule's last firing is. A pruned one has ended; when is unknown. */
export function lastTaskOf(reader: Reader, schedule: StoredSchedule): LastTask {
  if (schedule.last_task_id === null) return { kind: "none" };
  const [task] = reader.read(SCHEDULE_SQL.lastTask, [schedule.last_task_id]);
  if (task === undefined) return { kind: "none" };
  if (!isFinal(task[0] as TaskStatus)) return { kind: "active" };
  return { kind: "ended", atMs: Number(task[1]) };
}
