/**
 * Firings: how much of what is due one transaction fires, which tasks it enqueues, and what it leaves of a schedule.
 */
import { NO_KEPT_VALUES } from "./kept_fields.ts";
import type { PreparedTask } from "./new_task.ts";
import type { Plan } from "./schedule_plan.ts";
import type { PreparedUnique } from "./unique.ts";
import type { StoredSchedule } from "./stored_schedule.ts";

/** How many due schedules one transaction fires at most; the longest due first. */
export const FIRE_MAX = 10;

/** What a schedule's row or a task's costs beside payload and compatibility. */
const ROW_LENGTH = 3000;

/** What fires now. */
export type FirePlan = Extract<Plan, { kind: "fire" }>;

/** A schedule whose time this process cannot read: it waits for one that can, or until it is replaced. */
export interface UnplannableSchedule {
  readonly id: string;
  readonly error: Error;
}

/** How much one transaction may still fire. */
export class FiringBudget {
  #lengthLeft: number;
  #fired = 0;

  /** With `length` characters of rows to write; one task fires in any case. */
  constructor(length: number) {
    this.#lengthLeft = length;
  }

  /** Whether no other schedule may fire. */
  get isSpent(): boolean {
    return this.#fired === FIRE_MAX;
  }

  /** The part of a plan that fits, which is spent; the rest is due at once again. `undefined` when nothing fits. */
  take(schedule: StoredSchedule, plan: FirePlan): FirePlan | undefined {
    const length = lengthOf(schedule);
    const fitting = Math.floor(this.#lengthLeft / length);
    const part = partOf(plan, this.#fired === 0 ? Math.max(fitting, 2) : fitting);
    if (part === undefined) return undefined;
    this.#fired++;
    this.#lengthLeft -= length * (1 + part.instantsMs.length);
    return part;
  }
}

/** About how much the schedule's row takes when it is written, and each task's. */
function lengthOf({ payload, compatibility }: StoredSchedule): number {
  return ROW_LENGTH + payload.length + compatibility.length;
}

/** The beginning of a plan that writes at most `rowsMax` rows, of which the schedule's is one. */
function partOf(plan: FirePlan, rowsMax: number): FirePlan | undefined {
  const { instantsMs, nextAtMs } = plan;
  const tasksMax = rowsMax - 1;
  if (tasksMax < Math.min(1, instantsMs.length)) return undefined;
  return {
    ...plan,
    instantsMs: instantsMs.slice(0, tasksMax),
    nextAtMs: instantsMs[tasksMax] ?? nextAtMs,
  };
}

/** The run id of the task for an instant: it says whose it is and which. */
export function runIdFor({ schedule_id }: StoredSchedule, atMs: number): string {
  return `${schedule_id}@${new Date(atMs).toISOString()}`;
}

/** A task of a schedule that fires now; with a run id of the queue's for `null`. */
export function taskOfSchedule(
  schedule: StoredSchedule,
  { runId, nowMs }: { readonly runId: string | null; readonly nowMs: number },
): PreparedTask {
  const { type, priority, compatibility, max_attempts, retry_policy, timeout_ms, grp } = schedule;
  const { payload, webhook_url, webhook_events, expires_in_ms, unique_by } = schedule;
  const { ordering_key, on_predecessor_failure, tags } = schedule;
  const unique = unique_by === null ? null : JSON.parse(unique_by) as PreparedUnique;
  return {
    runId,
    kept: {
      ...NO_KEPT_VALUES,
      ...{ type, priority, compatibility, max_attempts, retry_policy, timeout_ms, grp },
      ...{ ordering_key, on_predecessor_failure, tags },
      expires_at: expires_in_ms === null ? null : nowMs + expires_in_ms,
    },
    payload,
    runAfterMs: null,
    dependsOn: [],
    onParentFailure: "fail",
    uniqueKey: unique?.key ?? null,
    unique,
    webhook: webhook_url === null ? null : { url: webhook_url, events: webhook_events! },
    leaseTo: null,
    isCancelled: false,
  };
}

/** A schedule after a firing that has enqueued tasks with these ids. */
export function firedSchedule(
  schedule: StoredSchedule,
  { plan, taskIds, nowMs }: {
    readonly plan: FirePlan;
    readonly taskIds: readonly number[];
    readonly nowMs: number;
  },
): StoredSchedule {
  const fired = taskIds.length === 0 ? {} : {
    last_fired_at: nowMs,
    last_task_id: taskIds.at(-1)!,
    firings: schedule.firings + taskIds.length,
  };
  return { ...schedule, ...fired, next_at: plan.nextAtMs, updated_at: nowMs };
}

/** Tells of each schedule that cannot be planned once, until it can be planned again. */
export class UnplannableReports {
  readonly #report: (error: Error) => void;
  #present: readonly UnplannableSchedule[] = [];

  constructor(report: (error: Error) => void) {
    this.#report = report;
  }

  /** Those that could not be planned at the last look. */
  get present(): readonly UnplannableSchedule[] {
    return this.#present;
  }

  /** These are all that cannot be planned now. */
  tell(schedules: readonly UnplannableSchedule[]): void {
    const known = new Set(this.#present.map(({ id }) => id));
    this.#present = schedules;
    for (const { id, error } of schedules) if (!known.has(id)) this.#report(error);
  }
}
