/**
 * Storing schedules: added, replaced, paused, removed.
 */
import { lazyMap } from "../../domain/sequences.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
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
import { scheduleOf, type StoredSchedule } from "../../queue_policy/stored_schedule.ts";
import { fillPage } from "../rows/page.ts";
import { SCHEDULE_TABLE } from "../rows/schema.ts";
import { lastTaskOf } from "./plan_schedule.ts";
import { findSchedule, put, SCHEDULE_SQL, scheduleOfRow } from "./schedule_row.ts";

/**
 * Stores a schedule; one with its id that says the same stays as it is, another is replaced or refused.
 *
 * @throws QueueError `schedule_conflict`. @throws RangeError when it never comes, or there are too many.
 */
export function addSchedule(
  tx: Transaction,
  schedule: PreparedSchedule,
  { replace, nowMs }: { readonly replace: boolean; readonly nowMs: number },
): AddScheduleResult {
  const known = findSchedule(tx, schedule.schedule_id);
  if (known === undefined) {
    checkScheduleRoom(Number(tx.read(SCHEDULE_SQL.count)[0]![0]));
    const added = put(tx, newSchedule(schedule, nowMs));
    return { schedule: seen(tx, added, nowMs), created: true };
  }
  const replaced = replacedSchedule(known, schedule, { replace, nowMs });
  if (replaced !== known) put(tx, replaced);
  return { schedule: seen(tx, replaced, nowMs), created: false };
}

/** The schedule with this id, at a time. */
export function getSchedule(reader: Reader, id: string, nowMs: number): Schedule | undefined {
  const schedule = findSchedule(reader, id);
  return schedule && seen(reader, schedule, nowMs);
}

/** A page of schedules, by their ids. Fewer, one at least, when they are large. */
export function listSchedules(
  reader: Reader,
  { afterId, limit }: PreparedScheduleList,
  nowMs: number,
): Schedule[] {
  const ids = reader.read(SCHEDULE_SQL.idsAfter, [afterId, limit]);
  const rows = lazyMap(ids, ([id]) => reader.read(SCHEDULE_SQL.one, [id!])[0]!);
  return fillPage(rows).map((row) => seen(reader, scheduleOfRow(row), nowMs));
}

/** Deletes a schedule; its tasks stay. `false` when there is none. */
export function removeSchedule(tx: Transaction, id: string): boolean {
  if (findSchedule(tx, id) === undefined) return false;
  tx.remove(SCHEDULE_TABLE, [id]);
  return true;
}

/**
 * Pauses a schedule, or lets it go on.
 *
 * @throws QueueError `schedule_not_found`. @throws TypeError when it is to go on and this process cannot read its time.
 */
export function pauseSchedule(
  tx: Transaction,
  { id, paused }: { readonly id: string; readonly paused: boolean },
  nowMs: number,
): Schedule {
  const known = findSchedule(tx, id);
  if (known === undefined) throw scheduleNotFound(id);
  const changed = pausedSchedule(known, paused, nowMs);
  if (changed !== known) put(tx, changed);
  return seen(tx, changed, nowMs);
}

function seen(reader: Reader, schedule: StoredSchedule, nowMs: number): Schedule {
  return scheduleOf(schedule, lastTaskOf(reader, schedule), nowMs);
}
