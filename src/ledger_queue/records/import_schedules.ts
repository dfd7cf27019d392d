/**
 * Carrying schedules: all of them out of a queue, and those that are new into one.
 *
 * One that is here already stays as it is. An id is all that names a schedule, so one that was removed here comes back with
 * the file that has it.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import { SCHEDULE_LIMITS } from "../../queue/schedule.ts";
import { isSameSchedule, type StoredSchedule } from "../../queue_policy/stored_schedule.ts";
import { allSchedules, findSchedule, put } from "../schedules/schedule_row.ts";
import { type PreparedScheduleRecord, scheduleName } from "./schedule_record.ts";

/** What importing schedules would come to, and why it cannot be. */
export interface SchedulePlan {
  readonly additions: readonly PreparedScheduleRecord[];
  readonly present: readonly string[];
  readonly conflicts: readonly string[];
}

/** What storing the records would come to. */
export function planSchedules(
  reader: Reader,
  schedules: readonly PreparedScheduleRecord[],
): SchedulePlan {
  const additions: PreparedScheduleRecord[] = [];
  const present: string[] = [];
  const conflicts: string[] = [];
  for (const prepared of schedules) {
    const { row } = prepared;
    const id = row.schedule_id;
    const known = findSchedule(reader, id);
    if (known === undefined) additions.push(prepared);
    else if (!isSameSchedule(known, row)) {
      conflicts.push(`${scheduleName(id)} of this queue is another one`);
    } else if (row.firings > known.firings) conflicts.push(whyFurther(known, row));
    else present.push(id);
  }
  const total = allSchedules(reader).length + additions.length;
  const { schedulesMax } = SCHEDULE_LIMITS;
  if (total > schedulesMax) {
    conflicts.push(`There would be ${total} schedules: at most ${schedulesMax} are allowed`);
  }
  return { additions, present, conflicts };
}

/** Stores those that are new, once the tasks of the same file are stored. */
export function storeSchedules(
  tx: Transaction,
  additions: readonly PreparedScheduleRecord[],
): void {
  for (const { row, lastRunId } of additions) {
    const [task] = tx.read("SELECT id FROM task_queue WHERE run_id = ?", [lastRunId]);
    put(tx, { ...row, last_task_id: task === undefined ? null : Number(task[0]) });
  }
}

function whyFurther(known: StoredSchedule, row: StoredSchedule): string {
  return `${
    scheduleName(row.schedule_id)
  } has fired ${known.firings} times in this queue and ${row.firings} times elsewhere: import the file into a new queue`;
}
