/**
 * A schedule's plan: which instants fire now, and when to look again. Pure: the same row at the same time gives the same.
 */
import { isFromFuture } from "./clock_put_back.ts";
import { type CronTime, instantsBefore, nextInstant } from "./cron.ts";
import { type CatchUpPolicy, SCHEDULE_LIMITS } from "../queue/schedule.ts";

/** How the task of the last firing is. */
export type LastTask =
  | { readonly kind: "none" }
  | { readonly kind: "active" }
  | { readonly kind: "ended"; readonly atMs: number };

/** What a plan is made from. */
export interface PlannedSchedule {
  readonly everyMs: number | null;
  readonly cron: CronTime | null;
  readonly catchUp: CatchUpPolicy;
  readonly catchUpMax: number;
  readonly overlaps: boolean;
  readonly nextAtMs: number;
  readonly last: LastTask;
}

/**
 * - `wait`: nothing to do before `untilMs`; `null` when only a task's end can change that.
 * - `fire`: a task for each of these instants, in order (perhaps none), and then it goes on at `nextAtMs`.
 */
export type Plan =
  | { readonly kind: "wait"; readonly untilMs: number | null }
  | {
    readonly kind: "fire";
    readonly instantsMs: readonly number[];
    readonly nextAtMs: number | null;
  };

/** How many instants of a schedule one transaction fires at most; the rest is due at once again. */
const AT_ONCE_MAX = 10;

/** What a schedule has to do at `nowMs`. */
export function planSchedule(schedule: PlannedSchedule, nowMs: number): Plan {
  if (schedule.last.kind === "active" && !schedule.overlaps) return { kind: "wait", untilMs: null };
  const { everyMs, cron } = schedule;
  const planned = { ...schedule, last: lastByThisClock(schedule.last, nowMs) };
  return cron === null ? planEvery(planned, everyMs!, nowMs) : planCron(planned, cron, nowMs);
}

/** When a task ended by a clock that has been put back since is unknown. */
function lastByThisClock(last: LastTask, nowMs: number): LastTask {
  return last.kind === "ended" && isFromFuture(last.atMs, nowMs) ? { kind: "none" } : last;
}

function planEvery(
  { nextAtMs, last, catchUp }: PlannedSchedule,
  everyMs: number,
  nowMs: number,
): Plan {
  const dueMs = last.kind === "ended" ? Math.max(nextAtMs, last.atMs + everyMs) : nextAtMs;
  if (dueMs > nowMs) return { kind: "wait", untilMs: dueMs };
  const isMissed = dueMs < nowMs - SCHEDULE_LIMITS.lateMs;
  const instantsMs = isMissed && catchUp === "skip" ? [] : [dueMs];
  return { kind: "fire", instantsMs, nextAtMs: nowMs + everyMs };
}

function planCron(schedule: PlannedSchedule, cron: CronTime, nowMs: number): Plan {
  const { nextAtMs, overlaps } = schedule;
  if (nextAtMs > nowMs) return { kind: "wait", untilMs: nextAtMs };
  const due = dueInstants(schedule, cron, nowMs);
  const later = nextInstant(cron, nowMs);
  const atOnce = overlaps ? AT_ONCE_MAX : 1;
  return { kind: "fire", instantsMs: due.slice(0, atOnce), nextAtMs: due[atOnce] ?? later };
}

/** The instants from `nextAtMs` to now that are to fire: late ones, and missed ones as the policy says. */
function dueInstants(schedule: PlannedSchedule, cron: CronTime, nowMs: number): number[] {
  const { nextAtMs, last, overlaps } = schedule;
  const heldUpUntilMs = !overlaps && last.kind === "ended" ? last.atMs : -Infinity;
  const missedBeforeMs = Math.max(nowMs - SCHEDULE_LIMITS.lateMs, heldUpUntilMs);
  const late = instantsBetween(cron, Math.max(nextAtMs, missedBeforeMs), nowMs);
  if (nextAtMs >= missedBeforeMs) return late;
  const missed = (count: number): number[] =>
    instantsBefore(cron, missedBeforeMs, count).filter((atMs) => atMs >= nextAtMs);
  switch (schedule.catchUp) {
    case "skip":
      return late;
    case "once":
      return late.length > 0 ? late : missed(1);
    case "all":
      return [...missed(schedule.catchUpMax), ...late];
  }
}

/** Both ends included; a minute holds at most 61. */
function instantsBetween(cron: CronTime, fromMs: number, toMs: number): number[] {
  const found: number[] = [];
  for (
    let at = nextInstant(cron, fromMs - 1);
    at !== null && at <= toMs;
    at = nextInstant(cron, at)
  ) {
    found.push(at);
  }
  return found;
}
