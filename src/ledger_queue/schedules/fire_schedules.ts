/**
 * Firing schedules.
 *
 * A firing is one transaction: it enqueues the task and moves the schedule on, after it has read the schedule's row under
 * the commit lock. So of all processes that find it due, one fires it, and a killed one has either done both or nothing.
 */
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import type { PreparedTask } from "../../queue_policy/new_task.ts";
import type { Plan } from "../../queue_policy/schedule_plan.ts";
import type { OperationContext } from "../rows/context.ts";
import { enqueueAll } from "../tasks/enqueue.ts";
import { planOf } from "./plan_schedule.ts";
import { byColumn, put, SCHEDULE_SQL, type ScheduleRow } from "./schedule_row.ts";
import { NO_KEPT_VALUES } from "../../queue_policy/kept_fields.ts";

/** What fires now. */
type FirePlan = Extract<Plan, { kind: "fire" }>;

/** How many due schedules one transaction fires at most; the longest due first. */
const FIRE_MAX = 10;

/** How many of them are read at once. */
const CHUNK = FIRE_MAX;

/** What a schedule's row or a task's costs beside payload and compatibility. */
const ROW_LENGTH = 3000;

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

/** A schedule whose time this process cannot read: it waits for one that can, or until it is replaced. */
export interface UnplannableSchedule {
  readonly id: string;
  readonly error: Error;
}

/** Looks at the schedules. Changes nothing. */
export function lookAtSchedules(reader: Reader, nowMs: number): ScheduleOutlook {
  const unplannable: UnplannableSchedule[] = [];
  const [later] = reader.read(SCHEDULE_SQL.next, [nowMs]);
  let nextMs = later === undefined ? Infinity : Number(later[0]);
  for (const row of reachedSchedules(reader, nowMs)) {
    const plan = planOf(reader, row, nowMs);
    if (plan.kind === "fire") return { isDue: true };
    if (plan.kind === "wait") nextMs = Math.min(nextMs, plan.untilMs ?? Infinity);
    else unplannable.push({ id: String(row.schedule_id), error: plan.error });
  }
  return { isDue: false, nextMs: nextMs === Infinity ? null : nextMs, unplannable };
}

/** Every schedule whose instant has come, the longest due first; no more are read than are asked for, about. */
function* reachedSchedules(reader: Reader, nowMs: number): Generator<ScheduleRow> {
  let after: readonly SqlValue[] = [Number.MIN_SAFE_INTEGER, ""];
  for (;;) {
    const rows = reader.read(SCHEDULE_SQL.reached, [nowMs, ...after, CHUNK]).map(byColumn);
    yield* rows;
    if (rows.length < CHUNK) return;
    const { next_at_utc, schedule_id } = rows.at(-1)!;
    after = [next_at_utc, schedule_id];
  }
}

/** Fires what is due, as much as one transaction may, and plans no more than that; the rows of the tasks. */
export function fireSchedules(tx: Transaction, context: OperationContext): SqlRow[] {
  const { nowMs } = context;
  const tasks: SqlRow[] = [];
  let fired = 0;
  let lengthLeft = context.recordBudget; // one task fires in any case
  for (const row of reachedSchedules(tx, nowMs)) {
    const plan = planOf(tx, row, nowMs);
    if (plan.kind !== "fire") continue;
    const fitting = Math.floor(lengthLeft / lengthOf(row));
    const part = partOf(plan, fired === 0 ? Math.max(fitting, 2) : fitting);
    if (part === undefined) break;
    tasks.push(...fire(tx, { row, plan: part }, context));
    if (++fired === FIRE_MAX) break;
    lengthLeft -= lengthOf(row) * (1 + part.instantsMs.length);
  }
  return tasks;
}

/** About how much the schedule's row takes in a record, and each task's. */
function lengthOf({ payload, compatibility }: ScheduleRow): number {
  return ROW_LENGTH + String(payload).length + String(compatibility).length;
}

/** The beginning of a plan that writes at most `rowsMax` rows, of which the schedule's is one; the rest is due at once again. */
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

function fire(
  tx: Transaction,
  { row, plan }: { readonly row: ScheduleRow; readonly plan: FirePlan },
  context: OperationContext,
): SqlRow[] {
  const tasks = plan.instantsMs.map((atMs) => taskFor(tx, row, atMs));
  const rows = enqueueAll(tx, tasks, context).map((enqueued) => enqueued.row);
  const fired = rows.length === 0 ? {} : {
    last_fired_at_utc: context.nowMs,
    last_task_id: rows.at(-1)![0]!,
    firings: Number(row.firings) + rows.length,
  };
  put(tx, { ...row, ...fired, next_at_utc: plan.nextAtMs, updated_at_utc: context.nowMs });
  return rows;
}

/** The task for an instant; its run id says whose it is and which, unless there is such a run already. */
function taskFor(reader: Reader, row: ScheduleRow, atMs: number): PreparedTask {
  const runId = `${row.schedule_id}@${new Date(atMs).toISOString()}`;
  const isTaken = reader.read(SCHEDULE_SQL.runId, [runId]).length > 0;
  return {
    runId: isTaken ? null : runId,
    kept: {
      ...NO_KEPT_VALUES,
      type: row.type as string,
      priority: row.priority as number,
      compatibility: row.compatibility as string,
      max_attempts: row.max_attempts as number,
      retry_policy: row.retry_policy as string | null,
      timeout_ms: row.timeout_ms as number | null,
    },
    payload: row.payload as string,
    runAfterMs: null,
    dependsOn: [],
    onParentFailure: "fail",
    webhook: row.webhook_url === null
      ? null
      : { url: String(row.webhook_url), events: String(row.webhook_events) },
    leaseTo: null,
    isCancelled: false,
  };
}
