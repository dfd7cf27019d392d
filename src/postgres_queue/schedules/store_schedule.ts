/**
 * Storing schedules: added, replaced, paused, removed.
 */
import { isName } from "../../domain/check.ts";
import type { AddScheduleResult, Schedule } from "../../queue/schedule.ts";
import type { PreparedSchedule } from "../../queue_policy/new_schedule.ts";
import {
  checkScheduleRoom,
  newSchedule,
  pausedSchedule,
  type PreparedScheduleList,
  replacedSchedule,
  scheduleNotFound,
} from "../../queue_policy/schedule_changes.ts";
import { scheduleOf } from "../../queue_policy/stored_schedule.ts";
import { fitting } from "../rows/page.ts";
import type { Statements } from "../rows/database.ts";
import { RunAgainError, type Work } from "../rows/work.ts";
import {
  addSchedules,
  changeSchedules,
  findSchedules,
  lockSchedule,
  type ScheduleRow,
} from "./schedule_row.ts";

const STORE_SQL = {
  /** One after the other, so that the count holds. The lock goes with the transaction, so a pooler may be between. */
  lockCount: "select pg_advisory_xact_lock(hashtext('the number of rows of @schedule'))",
  count: "select count(*) as count from @schedule",
  /** `$1` is an id, `$2` how many. */
  after: `select schedule_id, length(payload) + length(compatibility) as length from @schedule
    where schedule_id > $1 order by schedule_id limit $2`,
  remove: "delete from @schedule where schedule_id = $1 returning schedule_id",
} as const;

/**
 * Stores a schedule; one with its id that says the same stays as it is, another is replaced or refused.
 *
 * @throws QueueError `schedule_conflict`. @throws RangeError when it never comes, or there are too many.
 */
export async function addSchedule(
  work: Work,
  schedule: PreparedSchedule,
  { replace }: { readonly replace: boolean },
): Promise<AddScheduleResult> {
  const { tx, context: { nowMs } } = work;
  const known = await lockSchedule(tx, schedule.schedule_id);
  if (known === undefined) return { schedule: await addNew(work, schedule), created: true };
  const replaced = replacedSchedule(known.schedule, schedule, { replace, nowMs });
  if (replaced !== known.schedule) await changeSchedules(tx, [replaced]);
  return { schedule: scheduleOf(replaced, known.last, nowMs), created: false };
}

async function addNew(work: Work, schedule: PreparedSchedule): Promise<Schedule> {
  const { tx, context: { nowMs } } = work;
  const [, counted] = await Promise.all([
    tx.query(STORE_SQL.lockCount),
    tx.query(STORE_SQL.count),
  ]);
  checkScheduleRoom(Number(counted[0]!.count));
  const stored = newSchedule(schedule, nowMs);
  const added = await addSchedules(tx, [stored]);
  if (added.length === 0) throw new RunAgainError("a schedule's id was taken meanwhile");
  return scheduleOf(stored, { kind: "none" }, nowMs);
}

/** The schedule with this id, at a time. */
export async function getSchedule(
  tx: Statements,
  id: string,
  nowMs: number,
): Promise<Schedule | undefined> {
  const [found] = await findSchedules(tx, isName(id) ? [id] : []);
  return found && seen(found, nowMs);
}

/** A page of schedules, by their ids. Fewer, one at least, when they are large. */
export async function listSchedules(
  tx: Statements,
  { afterId, limit }: PreparedScheduleList,
  nowMs: number,
): Promise<Schedule[]> {
  const found = await tx.query(STORE_SQL.after, [afterId, limit]);
  const ids = fitting(
    found.map(({ schedule_id, length }) => ({ key: String(schedule_id), length: Number(length) })),
  );
  return (await findSchedules(tx, ids)).map((row) => seen(row, nowMs));
}

/** Deletes a schedule; its tasks stay. `false` when there is none. */
export async function removeSchedule(work: Work, id: string): Promise<boolean> {
  return (await work.tx.query(STORE_SQL.remove, [id])).length > 0;
}

/**
 * Pauses a schedule, or lets it go on.
 *
 * @throws QueueError `schedule_not_found`. @throws TypeError when it is to go on and this process cannot read its time.
 */
export async function pauseSchedule(
  work: Work,
  { id, paused }: { readonly id: string; readonly paused: boolean },
): Promise<Schedule> {
  const { tx, context: { nowMs } } = work;
  const known = await lockSchedule(tx, id);
  if (known === undefined) throw scheduleNotFound(id);
  const changed = pausedSchedule(known.schedule, paused, nowMs);
  if (changed !== known.schedule) await changeSchedules(tx, [changed]);
  return scheduleOf(changed, known.last, nowMs);
}

function seen({ schedule, last }: ScheduleRow, nowMs: number): Schedule {
  return scheduleOf(schedule, last, nowMs);
}
