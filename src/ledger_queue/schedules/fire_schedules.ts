/**
 * Firing schedules.
 *
 * A firing is one transaction: it enqueues the task and moves the schedule on, after it has read the schedule's row under
 * the commit lock. So of all processes that find it due, one fires it, and a killed one has either done both or nothing.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import {
  FIRE_MAX,
  firedSchedule,
  type FirePlan,
  FiringBudget,
  runIdFor,
  taskOfSchedule,
  type UnplannableSchedule,
} from "../../queue_policy/schedule_firing.ts";
import { planOf, type StoredSchedule } from "../../queue_policy/stored_schedule.ts";
import type { OperationContext } from "../rows/context.ts";
import { cell } from "../rows/cells.ts";
import { enqueueAll } from "../tasks/enqueue.ts";
import { lastTaskOf } from "./plan_schedule.ts";
import { put, SCHEDULE_SQL, scheduleOfRow } from "./schedule_row.ts";

/** How many of them are read at once. */
const CHUNK = FIRE_MAX;

/** What the schedules have to do: whether one fires, and else when to look again. */
export type ScheduleOutlook =
  | { readonly isDue: true }
  | {
    readonly isDue: false;
    /** `null` when nothing is known to come. */
    readonly nextMs: number | null;
    /** Those that this process cannot plan. */
    readonly unplannable: readonly UnplannableSchedule[];
  };

/** Looks at the schedules. Changes nothing. */
export function lookAtSchedules(reader: Reader, nowMs: number): ScheduleOutlook {
  const unplannable: UnplannableSchedule[] = [];
  const [later] = reader.read(SCHEDULE_SQL.next, [nowMs]);
  let nextMs = later === undefined ? Infinity : Number(later[0]);
  for (const schedule of reachedSchedules(reader, nowMs)) {
    const plan = planOf(schedule, lastTaskOf(reader, schedule), nowMs);
    if (plan.kind === "fire") return { isDue: true };
    if (plan.kind === "wait") nextMs = Math.min(nextMs, plan.untilMs ?? Infinity);
    else unplannable.push({ id: schedule.schedule_id, error: plan.error });
  }
  return { isDue: false, nextMs: nextMs === Infinity ? null : nextMs, unplannable };
}

/** Every schedule whose instant has come, the longest due first; no more are read than are asked for, about. */
function* reachedSchedules(reader: Reader, nowMs: number): Generator<StoredSchedule> {
  let after: readonly SqlValue[] = [Number.MIN_SAFE_INTEGER, ""];
  for (;;) {
    const rows = reader.read(SCHEDULE_SQL.reached, [nowMs, ...after, CHUNK]).map(scheduleOfRow);
    yield* rows;
    if (rows.length < CHUNK) return;
    const { next_at, schedule_id } = rows.at(-1)!;
    after = [next_at, schedule_id];
  }
}

/** Fires what is due, as much as one transaction may, and plans no more than that; the rows of the tasks. */
export function fireSchedules(tx: Transaction, context: OperationContext): SqlRow[] {
  const { nowMs } = context;
  const tasks: SqlRow[] = [];
  const budget = new FiringBudget(context.recordBudget);
  for (const schedule of reachedSchedules(tx, nowMs)) {
    const plan = planOf(schedule, lastTaskOf(tx, schedule), nowMs);
    if (plan.kind !== "fire") continue;
    const part = budget.take(schedule, plan);
    if (part === undefined) break;
    tasks.push(...fire(tx, { schedule, plan: part }, context));
    if (budget.isSpent) break;
  }
  return tasks;
}

function fire(
  tx: Transaction,
  { schedule, plan }: { readonly schedule: StoredSchedule; readonly plan: FirePlan },
  context: OperationContext,
): SqlRow[] {
  const tasks = plan.instantsMs.map((atMs) => {
    const runId = runIdFor(schedule, atMs);
    const isTaken = tx.read(SCHEDULE_SQL.runId, [runId]).length > 0;
    return taskOfSchedule(schedule, { runId: isTaken ? null : runId, nowMs: context.nowMs });
  });
  const rows = enqueueAll(tx, tasks, context).map((enqueued) => enqueued.row);
  const taskIds = rows.map((row) => cell(row, "id") as number);
  put(tx, firedSchedule(schedule, { plan, taskIds, nowMs: context.nowMs }));
  return rows;
}
