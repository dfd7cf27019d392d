/**
 * Firing schedules.
 *
 * A firing is one transaction: it locks the schedule's row, enqueues the task and moves the schedule on. What another
 * transaction has locked is passed over. So of all processes that find a schedule due, one fires it, and a killed one has
 * either done both or nothing.
 */
import {
  firedSchedule,
  type FirePlan,
  FiringBudget,
  runIdFor,
  taskOfSchedule,
} from "../../queue_policy/schedule_firing.ts";
import { planOf, type StoredSchedule } from "../../queue_policy/stored_schedule.ts";
import { DELIVERY_LANE } from "../rows/lanes.ts";
import type { TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { enqueueAll } from "../tasks/enqueue.ts";
import { changeSchedules, findSchedules, type ScheduleRow } from "./schedule_row.ts";

/** What one transaction has fired. */
export interface Fired {
  /** How many schedules have moved on. */
  readonly schedules: number;
  readonly tasks: readonly TaskRow[];
}

/** A schedule, and what of its plan fires now. */
interface Firing {
  readonly schedule: StoredSchedule;
  readonly plan: FirePlan;
}

const FIRE_SQL = {
  /** `$1` are ids, `$2` is now. */
  lock: `select schedule_id from @schedule
    where schedule_id = any($1) and not is_paused and next_at <= $2
    order by schedule_id for update skip locked`,
  /** `$1` are run ids. */
  taken: "select run_id from @task where run_id = any($1)",
} as const;

/** Fires those of these schedules that are still due and that no other transaction has, as much as one transaction may. */
export async function fireSchedules(work: Work, ids: readonly string[]): Promise<Fired> {
  const firings = planFirings(work, await lockReached(work, ids));
  if (firings.length === 0) return { schedules: 0, tasks: [] };
  const runIds = firings.map(({ schedule, plan }) =>
    plan.instantsMs.map((atMs) => runIdFor(schedule, atMs))
  );
  const taken = await takenRunIds(work, runIds.flat());
  const { nowMs } = work.context;
  const tasks = firings.flatMap(({ schedule }, i) =>
    runIds[i]!.map((runId) =>
      taskOfSchedule(schedule, { runId: taken.has(runId) ? null : runId, nowMs })
    )
  );
  const rows = (await enqueueAll(work, tasks, { traceParent: null })).map(({ row }) => row);
  await moveOn(work, firings, rows);
  return { schedules: firings.length, tasks: rows };
}

async function lockReached(work: Work, ids: readonly string[]): Promise<ScheduleRow[]> {
  const [locked, found] = await Promise.all([
    work.tx.query(FIRE_SQL.lock, [ids, work.context.nowMs]),
    findSchedules(work.tx, ids),
  ]);
  const mine = new Set(locked.map(({ schedule_id }) => schedule_id));
  return found.filter(({ schedule }) => mine.has(schedule.schedule_id))
    .sort((a, b) => a.schedule.next_at! - b.schedule.next_at!);
}

/** What fires of these, the longest due first. One that was given another lane since is left to the next look. */
function planFirings({ context }: Work, reached: readonly ScheduleRow[]): Firing[] {
  const { nowMs, lanes } = context;
  const budget = new FiringBudget(context.budget);
  const firings: Firing[] = [];
  for (const { schedule, last } of reached) {
    const hasLanes = lanes.knows(schedule) &&
      (schedule.webhook_url === null || lanes.knows(DELIVERY_LANE));
    const plan = planOf(schedule, last, nowMs);
    if (plan.kind !== "fire" || !hasLanes) continue;
    const part = budget.take(schedule, plan);
    if (part === undefined) break;
    firings.push({ schedule, plan: part });
  }
  return firings;
}

/** Which of these run ids other tasks have. */
async function takenRunIds(work: Work, runIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await work.tx.query(FIRE_SQL.taken, [runIds]);
  return new Set(rows.map(({ run_id }) => String(run_id)));
}

/** Writes what is left of the schedules, whose tasks stand in `rows` in their order. */
async function moveOn(
  work: Work,
  firings: readonly Firing[],
  rows: readonly TaskRow[],
): Promise<void> {
  let told = 0;
  const moved = firings.map(({ schedule, plan }) => {
    const mine = rows.slice(told, told += plan.instantsMs.length);
    const taskIds = mine.map(({ id }) => id);
    return firedSchedule(schedule, { plan, taskIds, nowMs: work.context.nowMs });
  });
  await changeSchedules(work.tx, moved);
}
