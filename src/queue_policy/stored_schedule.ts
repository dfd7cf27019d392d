/**
 * Stored schedules: what every engine keeps of a schedule, and what follows from it and its last task alone.
 */
import { messageOf } from "../domain/errors.ts";
import { isSameJson } from "../domain/json.ts";
import { webhookOf } from "../domain/webhook.ts";
import type { Schedule } from "../queue/schedule.ts";
import { isFromFuture } from "./clock_put_back.ts";
import { type CronTime, nextInstant } from "./cron.ts";
import type { PreparedSchedule } from "./new_schedule.ts";
import { uniqueOf } from "./unique.ts";
import { tagsOfText } from "./tags.ts";
import { type LastTask, type Plan, planSchedule } from "./schedule_plan.ts";

/** A schedule in the forms of its columns; instants are milliseconds since 1970. */
export interface StoredSchedule extends PreparedSchedule {
  readonly is_paused: boolean;
  /** `null` when a cron expression has no later instant. */
  readonly next_at: number | null;
  readonly last_fired_at: number | null;
  readonly last_task_id: number | null;
  readonly firings: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** What a plan is made from, beside the last task. */
export type PlannableSchedule = Pick<
  StoredSchedule,
  | "schedule_id"
  | "every_ms"
  | "cron"
  | "time_zone"
  | "catch_up"
  | "catch_up_max"
  | "may_overlap"
  | "next_at"
>;

/** The plan of a schedule whose time this process cannot read. */
export interface UnplannablePlan {
  readonly kind: "unplannable";
  readonly error: Error;
}

/** What a caller defines; two schedules with the same are the same. */
const DEFINED = [
  "type",
  "payload",
  "priority",
  "compatibility",
  "max_attempts",
  "retry_policy",
  "timeout_ms",
  "grp",
  "ordering_key",
  "on_predecessor_failure",
  "tags",
  "expires_in_ms",
  "unique_by",
  "every_ms",
  "cron",
  "time_zone",
  "catch_up",
  "catch_up_max",
  "may_overlap",
  "webhook_url",
  "webhook_events",
] as const satisfies readonly (keyof PreparedSchedule)[];

/** Whether both were defined in the same way. */
export function isSameSchedule(known: PreparedSchedule, wanted: PreparedSchedule): boolean {
  return DEFINED.every((column) => {
    const [a, b] = [known[column], wanted[column]];
    return a === b || (column === "payload" && isSameJson(String(a), String(b)));
  });
}

/** The cron expression of a schedule, with its zone; `null` for an interval. */
export function cronTimeOf(
  { cron, time_zone }: Pick<PreparedSchedule, "cron" | "time_zone">,
): CronTime | null {
  return cron === null ? null : { cron, timeZone: time_zone };
}

/** What a schedule whose instant may have come has to do. */
export function planOf(
  schedule: PlannableSchedule,
  last: LastTask,
  nowMs: number,
): Plan | UnplannablePlan {
  const planned = {
    everyMs: schedule.every_ms,
    cron: cronTimeOf(schedule),
    catchUp: schedule.catch_up,
    catchUpMax: schedule.catch_up_max,
    overlaps: schedule.may_overlap,
    nextAtMs: schedule.next_at!,
    last,
  };
  try {
    return planSchedule(planned, nowMs);
  } catch (error) {
    const id = JSON.stringify(schedule.schedule_id);
    const reason = `Cannot fire schedule ${id}: ${messageOf(error)}`;
    return { kind: "unplannable", error: new Error(reason, { cause: error }) };
  }
}

/** Whether this process can read the schedule's time; one that it cannot is left to a process that can. */
export function isPlannable(schedule: PlannableSchedule, nowMs: number): boolean {
  return planOf({ ...schedule, next_at: nowMs }, { kind: "none" }, nowMs).kind !== "unplannable";
}

/** When a schedule comes next: what a clock has planned that was put back since is planned from now. @throws TypeError */
export function nextByThisClock(schedule: StoredSchedule, nowMs: number): number | null {
  const { next_at, updated_at, every_ms } = schedule;
  if (next_at === null || !isFromFuture(updated_at, nowMs)) return next_at;
  const cron = cronTimeOf(schedule);
  const nextMs = cron === null ? nowMs + every_ms! : nextInstant(cron, nowMs);
  return Math.min(next_at, nextMs ?? Infinity);
}

/** The schedule as callers see it, at a time. */
export function scheduleOf(stored: StoredSchedule, last: LastTask, nowMs: number): Schedule {
  const { may_overlap, retry_policy, webhook_url, webhook_events } = stored;
  return {
    id: stored.schedule_id,
    type: stored.type,
    payload: JSON.parse(stored.payload),
    priority: stored.priority,
    compatibility: JSON.parse(stored.compatibility),
    maxAttempts: stored.max_attempts,
    retryPolicy: retry_policy === null ? null : JSON.parse(retry_policy),
    timeoutMs: stored.timeout_ms,
    group: stored.grp === "" ? null : stored.grp,
    orderingKey: stored.ordering_key,
    onPredecessorFailure: stored.on_predecessor_failure,
    tags: tagsOfText(stored.tags),
    expiresInMs: stored.expires_in_ms,
    unique: stored.unique_by === null ? null : uniqueOf(JSON.parse(stored.unique_by)),
    everyMs: stored.every_ms,
    cron: stored.cron,
    timeZone: stored.time_zone,
    catchUp: stored.catch_up,
    catchUpMax: stored.catch_up_max,
    overlap: may_overlap,
    paused: stored.is_paused,
    nextAt: instantOf(nextAtOf(stored, last, nowMs)),
    lastFiredAt: instantOf(stored.last_fired_at),
    lastTaskId: stored.last_task_id,
    firings: stored.firings,
    webhook: webhook_url === null ? null : webhookOf(webhook_url, webhook_events!),
    waitsForTaskId: last.kind === "active" && !may_overlap ? stored.last_task_id : null,
    createdAt: instantOf(stored.created_at)!,
    updatedAt: instantOf(stored.updated_at)!,
  };
}

function nextAtOf(stored: StoredSchedule, last: LastTask, nowMs: number): number | null {
  if (stored.every_ms === null || stored.next_at === null) return stored.next_at;
  const plan = planOf(stored, last, nowMs);
  return plan.kind === "wait" ? plan.untilMs : stored.next_at;
}

function instantOf(atMs: number | null): Date | null {
  return atMs === null ? null : new Date(atMs);
}
