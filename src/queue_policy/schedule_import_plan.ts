/**
 * What importing schedules comes to. One that is here already stays as it is. An id is all that names a schedule, so one that
 * was removed here comes back with the file that has it.
 */
import { SCHEDULE_LIMITS } from "../queue/schedule.ts";
import { type PreparedScheduleRecord, scheduleName } from "./schedule_record.ts";
import { isSameSchedule, type StoredSchedule } from "./stored_schedule.ts";

/** What importing schedules would come to, and why it cannot be. */
export interface SchedulePlan {
  readonly additions: readonly PreparedScheduleRecord[];
  readonly present: readonly string[];
  readonly conflicts: readonly string[];
}

/** What storing the records would come to, in a queue that has `count` schedules. */
export function planSchedules(
  records: readonly PreparedScheduleRecord[],
  find: (id: string) => StoredSchedule | undefined,
  count: number,
): SchedulePlan {
  const additions: PreparedScheduleRecord[] = [];
  const present: string[] = [];
  const conflicts: string[] = [];
  for (const record of records) {
    const { row } = record;
    const { schedule_id: id, firings } = row;
    const known = find(id);
    if (known === undefined) additions.push(record);
    else if (!isSameSchedule(known, row)) {
      conflicts.push(`${scheduleName(id)} of this queue is another one`);
    } else if (firings > known.firings) conflicts.push(whyFurther(known, row));
    else present.push(id);
  }
  const total = count + additions.length;
  const { schedulesMax } = SCHEDULE_LIMITS;
  if (total > schedulesMax) {
    conflicts.push(`There would be ${total} schedules: at most ${schedulesMax} are allowed`);
  }
  return { additions, present, conflicts };
}

function whyFurther(known: StoredSchedule, row: StoredSchedule): string {
  return `${
    scheduleName(row.schedule_id)
  } has fired ${known.firings} times in this queue and ${row.firings} times elsewhere: import the file into a new queue`;
}
