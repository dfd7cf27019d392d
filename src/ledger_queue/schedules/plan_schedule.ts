/**
 * A schedule's plan from its row and its last task, and the schedule as callers see it. What a clock has planned that was put back
 * since is planned anew.
 */
import { messageOf } from "../../domain/errors.ts";
import { isFinal, type TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlValue } from "../../ledger/sql_engine.ts";
import type { CatchUpPolicy, Schedule } from "../../queue/schedule.ts";
import { CLOCK_TOLERANCE_MS, isFromFuture } from "../../queue_policy/clock_put_back.ts";
import { nextInstant } from "../../queue_policy/cron.ts";
import {
  type LastTask,
  type Plan,
  type PlannedSchedule,
  planSchedule,
} from "../../queue_policy/schedule_plan.ts";
import type { RecordBudget } from "../rows/record_budget.ts";
import { webhookOf } from "../tasks/webhooks.ts";
import { byColumn, cronTimeOf, put, SCHEDULE_SQL, type ScheduleRow } from "./schedule_row.ts";

/** The plan of a schedule whose time this process cannot read. */
interface UnplannablePlan {
  readonly kind: "unplannable";
  readonly error: Error;
}

/** How many schedules one transaction plans anew at most. */
const REPLAN_MAX = 100;

/** When a schedule comes next: what a clock has planned that was put back since is planned from now. @throws TypeError */
export function nextByThisClock(row: ScheduleRow, nowMs: number): SqlValue {
  const { next_at_utc, updated_at_utc, every_ms } = row;
  if (next_at_utc === null || !isFromFuture(Number(updated_at_utc), nowMs)) return next_at_utc;
  const cron = cronTimeOf(row);
  const nextMs = cron === null ? nowMs + Number(every_ms) : nextInstant(cron, nowMs);
  return Math.min(Number(next_at_utc), nextMs ?? Infinity);
}

/** Whether a schedule waits that was planned by a clock that was far ahead. */
export function hasPutBackSchedule(reader: Reader, nowMs: number): boolean {
  return putBackSchedules(reader, nowMs, 1).length > 0;
}

/** Plans such schedules from now, as many as the budget allows. */
export function replanPutBack(tx: Transaction, budget: RecordBudget, nowMs: number): void {
  for (const row of putBackSchedules(tx, nowMs, REPLAN_MAX)) {
    if (budget.isSpent) return;
    budget.spend(Object.values(row));
    if (!isPlannable(row, nowMs)) continue;
    put(tx, { ...row, next_at_utc: nextByThisClock(row, nowMs), updated_at_utc: nowMs });
  }
}

/** One whose time this process cannot read is left to a process that can. */
function isPlannable(row: ScheduleRow, nowMs: number): boolean {
  const planned = plannedOf({ ...row, next_at_utc: nowMs }, { kind: "none" });
  return planOfRow(row, planned, nowMs).kind !== "unplannable";
}

function putBackSchedules(reader: Reader, nowMs: number, limit: number): ScheduleRow[] {
  return reader.read(SCHEDULE_SQL.putBack, [nowMs, nowMs + CLOCK_TOLERANCE_MS, limit]).map(
    byColumn,
  );
}

/** The plan of a schedule's row, with its last task. */
export function planOf(
  reader: Reader,
  row: ScheduleRow,
  nowMs: number,
): Plan | UnplannablePlan {
  return planOfRow(row, plannedOf(row, lastTaskOf(reader, row)), nowMs);
}

function planOfRow(
  row: ScheduleRow,
  planned: PlannedSchedule,
  nowMs: number,
): Plan | UnplannablePlan {
  try {
    return planSchedule(planned, nowMs);
  } catch (error) {
    const reason = `Cannot fire schedule ${JSON.stringify(row.schedule_id)}: ${messageOf(error)}`;
    return { kind: "unplannable", error: new Error(reason, { cause: error }) };
  }
}

function plannedOf(row: ScheduleRow, last: LastTask): PlannedSchedule {
  return {
    everyMs: row.every_ms as number | null,
    cron: cronTimeOf(row),
    catchUp: row.catch_up as CatchUpPolicy,
    catchUpMax: row.catch_up_max as number,
    overlaps: row.overlaps === 1,
    nextAtMs: row.next_at_utc as number,
    last,
  };
}

/** A pruned task has ended; when is unknown. */
function lastTaskOf(reader: Reader, row: ScheduleRow): LastTask {
  if (row.last_task_id === null) return { kind: "none" };
  const [task] = reader.read(SCHEDULE_SQL.lastTask, [row.last_task_id]);
  if (task === undefined) return { kind: "none" };
  if (!isFinal(task[0] as TaskStatus)) return { kind: "active" };
  return { kind: "ended", atMs: Number(task[1]) };
}

/** The schedule of a row, at a time. */
export function scheduleOf(reader: Reader, row: ScheduleRow, nowMs: number): Schedule {
  const isActive = lastTaskOf(reader, row).kind === "active";
  const waitsForTaskId = isActive && row.overlaps === 0 ? Number(row.last_task_id) : null;
  return {
    id: String(row.schedule_id),
    type: String(row.type),
    payload: JSON.parse(String(row.payload)),
    priority: Number(row.priority),
    compatibility: JSON.parse(String(row.compatibility)),
    maxAttempts: Number(row.max_attempts),
    retryPolicy: row.retry_policy === null ? null : JSON.parse(String(row.retry_policy)),
    timeoutMs: row.timeout_ms as number | null,
    everyMs: row.every_ms as number | null,
    cron: row.cron as string | null,
    timeZone: String(row.time_zone),
    catchUp: row.catch_up as CatchUpPolicy,
    catchUpMax: Number(row.catch_up_max),
    overlap: row.overlaps === 1,
    paused: row.is_paused === 1,
    nextAt: instantOf(nextAtOf(reader, row, nowMs)),
    lastFiredAt: instantOf(row.last_fired_at_utc),
    lastTaskId: row.last_task_id as number | null,
    firings: Number(row.firings),
    webhook: row.webhook_url === null ? null : webhookOf(row.webhook_url, row.webhook_events),
    waitsForTaskId,
    createdAt: instantOf(row.created_at_utc)!,
    updatedAt: instantOf(row.updated_at_utc)!,
  };
}

function nextAtOf(reader: Reader, row: ScheduleRow, nowMs: number): SqlValue {
  if (row.every_ms === null || row.next_at_utc === null) return row.next_at_utc;
  const plan = planOf(reader, row, nowMs);
  return plan.kind === "wait" ? plan.untilMs : row.next_at_utc;
}

function instantOf(atMs: SqlValue): Date | null {
  return atMs === null ? null : new Date(Number(atMs));
}
