/**
 * Schedules in the queue: stored, changed, and fired.
 *
 * A firing is one transaction: it enqueues the task and moves the schedule on, after it has read the schedule's row under
 * the commit lock. So of all processes that find it due, one fires it, and a killed one has either done both or nothing.
 */
import { messageOf, QueueError } from "../domain/errors.ts";
import { canonicalJson } from "../domain/json.ts";
import { checkInteger, checkName, isFinal, TASK_LIMITS, type TaskStatus } from "../domain/task.ts";
import type { Reader, Transaction } from "../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../ledger/sql_engine.ts";
import { CLOCK_TOLERANCE_MS, isFromFuture } from "./clock_put_back.ts";
import { checkCron, type CronTime, nextInstant } from "./cron.ts";
import { enqueueAll, type PreparedTask, prepareTask } from "./enqueue.ts";
import type { OperationContext } from "./operation_context.ts";
import { checkLimit, fillPage } from "./page.ts";
import { RECORD_BUDGET, type RecordBudget } from "./record_budget.ts";
import {
  type AddScheduleResult,
  CATCH_UP_POLICIES,
  type CatchUpPolicy,
  type NewSchedule,
  type Schedule,
  SCHEDULE_LIMITS,
  type ScheduleListRequest,
} from "./schedule.ts";
import { type LastTask, type Plan, type PlannedSchedule, planSchedule } from "./schedule_plan.ts";
import { SCHEDULE_TABLE } from "./schema.ts";
import { webhookOf } from "./webhooks.ts";

/** The columns of `schedules`, in order. */
const COLUMNS = [
  "schedule_id",
  "type",
  "payload",
  "priority",
  "compatibility",
  "max_attempts",
  "retry_policy",
  "timeout_ms",
  "every_ms",
  "cron",
  "time_zone",
  "catch_up",
  "catch_up_max",
  "overlaps",
  "is_paused",
  "next_at_utc",
  "last_fired_at_utc",
  "last_task_id",
  "firings",
  "created_at_utc",
  "updated_at_utc",
  "webhook_url",
  "webhook_events",
] as const;

type Column = typeof COLUMNS[number];

/** The plan of a schedule whose time this process cannot read. */
interface UnplannablePlan {
  readonly kind: "unplannable";
  readonly error: Error;
}

/** What fires now. */
type FirePlan = Extract<Plan, { kind: "fire" }>;

/** A row by column. */
export type ScheduleRow = Readonly<Record<Column, SqlValue>>;

/** Columns that a caller defines; two schedules with the same ones are the same. */
const DEFINED = [...COLUMNS.slice(1, 14), "webhook_url", "webhook_events"] as const;

/** A checked `NewSchedule`, in the forms of its columns; `is_paused` is null where it was not said. */
export type PreparedSchedule = Omit<
  ScheduleRow,
  | "next_at_utc"
  | "last_fired_at_utc"
  | "last_task_id"
  | "firings"
  | "created_at_utc"
  | "updated_at_utc"
>;

/** How many due schedules one transaction fires at most; the longest due first. */
const FIRE_MAX = 10;

/** How many schedules one transaction plans anew at most. */
const REPLAN_MAX = 100;

/** How many of them are read at once. */
const CHUNK = FIRE_MAX;

/** What a schedule's row or a task's costs beside payload and compatibility. */
const ROW_LENGTH = 3000;

/** The statements; a test reads their plans. */
export const SCHEDULE_SQL = {
  one: "SELECT * FROM schedules WHERE schedule_id = ?",
  all: "SELECT * FROM schedules ORDER BY schedule_id",
  idsAfter: "SELECT schedule_id FROM schedules WHERE schedule_id > ? ORDER BY schedule_id LIMIT ?",
  count: "SELECT count(*) FROM schedules",
  reached: `SELECT * FROM schedules INDEXED BY next_schedules
    WHERE is_paused = 0 AND next_at_utc IS NOT NULL AND next_at_utc <= +?
      AND (next_at_utc, schedule_id) > (+?, +?) ORDER BY next_at_utc, schedule_id LIMIT +?`,
  next: `SELECT next_at_utc FROM schedules INDEXED BY next_schedules
    WHERE is_paused = 0 AND next_at_utc IS NOT NULL AND next_at_utc > +? ORDER BY next_at_utc LIMIT 1`,
  putBack: `SELECT * FROM schedules INDEXED BY next_schedules
    WHERE is_paused = 0 AND next_at_utc IS NOT NULL AND next_at_utc > +? AND updated_at_utc > +?
    ORDER BY next_at_utc LIMIT +?`,
  lastTask: "SELECT status, finished_at_utc FROM task_queue WHERE id = ?",
  runId: "SELECT 1 FROM task_queue WHERE run_id = ?",
} as const;

/**
 * Checks a schedule as `addSchedule` will, without a queue; its payload may have `payloadMaxBytes` bytes, by default 256 KiB.
 *
 * @throws TypeError, RangeError for a field out of its range.
 */
export function checkNewSchedule(
  schedule: NewSchedule,
  payloadMaxBytes: number = TASK_LIMITS.payloadMaxBytes,
): void {
  prepareSchedule(schedule, payloadMaxBytes);
}

/** Checks every field, before any effect. @throws TypeError, RangeError */
export function prepareSchedule(schedule: NewSchedule, payloadMaxBytes: number): PreparedSchedule {
  const { idMaxLength, catchUpMax, catchUpDefault } = SCHEDULE_LIMITS;
  const id = checkScheduleId(schedule.id);
  const task = prepareTask({ ...schedule, runId: undefined }, payloadMaxBytes);
  checkName(`${id}@${new Date(0).toISOString()}`, "schedule id", idMaxLength + 40);
  const time = checkTime(schedule);
  return {
    schedule_id: id,
    type: task.type,
    payload: task.payload,
    priority: task.priority,
    compatibility: task.compatibility,
    max_attempts: task.maxAttempts,
    retry_policy: task.retryPolicy,
    timeout_ms: task.timeoutMs,
    ...time,
    catch_up: checkCatchUp(schedule),
    catch_up_max: checkInteger(schedule.catchUpMax ?? catchUpDefault, "catchUpMax", 1, catchUpMax),
    overlaps: checkOverlap(schedule) ? 1 : 0,
    is_paused: checkPaused(schedule),
    webhook_url: task.webhook?.url ?? null,
    webhook_events: task.webhook?.events ?? null,
  };
}

/** A schedule's id. @throws TypeError */
export function checkScheduleId(id: unknown): string {
  return checkName(id, "schedule id", SCHEDULE_LIMITS.idMaxLength);
}

/** A checked `ScheduleListRequest`. */
export type PreparedScheduleList = Required<ScheduleListRequest>;

/** Checks a request. @throws TypeError, RangeError */
export function prepareScheduleList(
  { afterId, limit }: ScheduleListRequest,
): PreparedScheduleList {
  return {
    afterId: afterId === undefined ? "" : checkScheduleId(afterId),
    limit: checkLimit(limit),
  };
}

function checkTime(
  { everyMs, cron, timeZone = "UTC" }: NewSchedule,
): Pick<PreparedSchedule, "every_ms" | "cron" | "time_zone"> {
  if ((everyMs === undefined) === (cron === undefined)) {
    const given = cron === undefined ? "neither" : "both";
    throw new TypeError(
      `Cannot use ${given} of everyMs and cron for a schedule: exactly one is needed`,
    );
  }
  const { everyMinMs, everyMaxMs } = SCHEDULE_LIMITS;
  if (cron === undefined) {
    const checkedMs = checkInteger(everyMs, "everyMs", everyMinMs, everyMaxMs);
    return { every_ms: checkedMs, cron: null, time_zone: "UTC" };
  }
  checkCron({ cron, timeZone });
  return { every_ms: null, cron: cron.trim().replaceAll(/\s+/g, " "), time_zone: timeZone };
}

function checkCatchUp({ catchUp = "once", everyMs }: NewSchedule): CatchUpPolicy {
  if (!CATCH_UP_POLICIES.includes(catchUp)) {
    throw new TypeError(
      `Cannot use ${JSON.stringify(catchUp)} as catchUp: allowed are ${
        CATCH_UP_POLICIES.join(", ")
      }`,
    );
  }
  if (catchUp === "all" && everyMs !== undefined) {
    throw new TypeError(
      'Cannot use "all" as catchUp with everyMs: an interval begins when a task has ended, so only one can be missed',
    );
  }
  return catchUp;
}

function checkOverlap({ overlap = false, everyMs }: NewSchedule): boolean {
  if (checkBoolean(overlap, "overlap") && everyMs !== undefined) {
    throw new TypeError(
      "Cannot use overlap with everyMs: an interval begins when a task has ended",
    );
  }
  return overlap;
}

function checkPaused({ paused }: NewSchedule): 0 | 1 | null {
  if (paused === undefined || paused === null) return null;
  return checkBoolean(paused, "paused") ? 1 : 0;
}

function checkBoolean(value: unknown, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(
    `Cannot use ${JSON.stringify(value) ?? typeof value} as ${what}: true or false is needed`,
  );
}

// --- stored and changed

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
  const known = findSchedule(tx, schedule.schedule_id as string);
  if (known === undefined) {
    checkRoom(tx);
    const row = newRow(schedule, nowMs);
    return { schedule: scheduleOf(tx, put(tx, row), nowMs), created: true };
  }
  const { is_paused: wanted } = schedule;
  const isPauseMeant = replace && wanted !== null && wanted !== known.is_paused;
  if (isSame(known, schedule) && !isPauseMeant) {
    return { schedule: scheduleOf(tx, known, nowMs), created: false };
  }
  if (!replace) {
    const id = JSON.stringify(known.schedule_id);
    throw new QueueError(
      "schedule_conflict",
      `Cannot add schedule ${id}: there is another one with this id, and replacing it was not asked for`,
    );
  }
  const row = replacement(known, schedule, nowMs);
  return { schedule: scheduleOf(tx, put(tx, row), nowMs), created: false };
}

/** What takes a schedule's place: it keeps its count, its pause unless told otherwise, and its next instant at the same time. */
function replacement(known: ScheduleRow, schedule: PreparedSchedule, nowMs: number): ScheduleRow {
  const { firings, last_fired_at_utc, last_task_id, created_at_utc } = known;
  const is_paused = schedule.is_paused ?? known.is_paused;
  const goesOn = known.is_paused === 1 && is_paused === 0;
  const isSameTime = timeOf(known) === timeOf(schedule);
  const nextAtMs = goesOn ? nextAfterPause : nextByThisClock;
  return {
    ...newRow(schedule, nowMs),
    ...{ firings, last_fired_at_utc, last_task_id, created_at_utc, is_paused },
    ...(isSameTime ? { next_at_utc: nextAtMs(known, nowMs) } : {}),
  };
}

/** The schedule with this id, at a time. */
export function getSchedule(reader: Reader, id: string, nowMs: number): Schedule | undefined {
  const row = findSchedule(reader, id);
  return row && scheduleOf(reader, row, nowMs);
}

/** A page of schedules, by their ids. Fewer, one at least, when they are large. */
export function listSchedules(
  reader: Reader,
  { afterId, limit }: PreparedScheduleList,
  nowMs: number,
): Schedule[] {
  const rows = reader.read(SCHEDULE_SQL.idsAfter, [afterId, limit]).values()
    .map(([id]) => reader.read(SCHEDULE_SQL.one, [id!])[0]!);
  return fillPage(rows).map((row) => scheduleOf(reader, byColumn(row), nowMs));
}

/** The row of every schedule, by its id. */
export function allSchedules(reader: Reader): ScheduleRow[] {
  return reader.read(SCHEDULE_SQL.all).map(byColumn);
}

/** Deletes a schedule; its tasks stay. `false` when there is none. */
export function removeSchedule(tx: Transaction, id: string): boolean {
  if (findSchedule(tx, id) === undefined) return false;
  tx.remove(SCHEDULE_TABLE, [id]);
  return true;
}

/**
 * Pauses a schedule, or lets it go on: with the next instant of its expression, or when its interval is over.
 *
 * @throws QueueError `schedule_not_found`. @throws TypeError when it is to go on and this process cannot read its time.
 */
export function pauseSchedule(
  tx: Transaction,
  { id, paused }: { readonly id: string; readonly paused: boolean },
  nowMs: number,
): Schedule {
  const row = findSchedule(tx, id);
  if (row === undefined) {
    throw new QueueError("schedule_not_found", `Cannot find schedule ${JSON.stringify(id)}`);
  }
  if ((row.is_paused === 1) === paused) return scheduleOf(tx, row, nowMs);
  const changed = {
    ...row,
    is_paused: paused ? 1 : 0,
    next_at_utc: paused ? row.next_at_utc : nextAfterPause(row, nowMs),
    updated_at_utc: nowMs,
  };
  return scheduleOf(tx, put(tx, changed), nowMs);
}

/** When a schedule that goes on comes next: an instant of its pause is not made up for. @throws TypeError */
function nextAfterPause(row: ScheduleRow, nowMs: number): SqlValue {
  const cron = cronTimeOf(row);
  if (cron === null) return nextByThisClock(row, nowMs);
  checkCron(cron);
  const isReached = Number(row.next_at_utc ?? Infinity) <= nowMs;
  return isReached ? nextInstant(cron, nowMs) : nextByThisClock(row, nowMs);
}

/** When a schedule comes next: what a clock has planned that was put back since is planned from now. @throws TypeError */
function nextByThisClock(row: ScheduleRow, nowMs: number): SqlValue {
  const { next_at_utc, updated_at_utc, every_ms } = row;
  if (next_at_utc === null || !isFromFuture(Number(updated_at_utc), nowMs)) return next_at_utc;
  const cron = cronTimeOf(row);
  const nextMs = cron === null ? nowMs + Number(every_ms) : nextInstant(cron, nowMs);
  return Math.min(Number(next_at_utc), nextMs ?? Infinity);
}

// --- the clock was put back

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

// --- fired

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
  let lengthLeft = RECORD_BUDGET; // one task fires in any case
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
    type: row.type as string,
    runId: isTaken ? null : runId,
    priority: row.priority as number,
    payload: row.payload as string,
    compatibility: row.compatibility as string,
    maxAttempts: row.max_attempts as number,
    runAfterMs: null,
    idempotencyKey: null,
    retryPolicy: row.retry_policy as string | null,
    timeoutMs: row.timeout_ms as number | null,
    dependsOn: [],
    onParentFailure: "fail",
    webhook: row.webhook_url === null
      ? null
      : { url: String(row.webhook_url), events: String(row.webhook_events) },
    leaseTo: null,
  };
}

function planOf(
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

/** A pruned task has ended, nobody knows when. */
function lastTaskOf(reader: Reader, row: ScheduleRow): LastTask {
  if (row.last_task_id === null) return { kind: "none" };
  const [task] = reader.read(SCHEDULE_SQL.lastTask, [row.last_task_id]);
  if (task === undefined) return { kind: "none" };
  if (!isFinal(task[0] as TaskStatus)) return { kind: "active" };
  return { kind: "ended", atMs: Number(task[1]) };
}

// --- rows

/** The row of a schedule. */
export function findSchedule(reader: Reader, id: string): ScheduleRow | undefined {
  return reader.read(SCHEDULE_SQL.one, [id]).map(byColumn)[0];
}

/** Adds the row, or changes the one with its id. */
export function put(tx: Transaction, row: ScheduleRow): ScheduleRow {
  const [known] = tx.read(SCHEDULE_SQL.one, [row.schedule_id]);
  if (known === undefined) tx.insert(SCHEDULE_TABLE, row);
  else tx.update(SCHEDULE_TABLE, known, row);
  return row;
}

/** @throws RangeError when the expression never comes. */
function newRow(schedule: PreparedSchedule, nowMs: number): ScheduleRow {
  const cron = cronTimeOf(schedule);
  const nextAtMs = cron === null ? nowMs : nextInstant(cron, nowMs);
  if (nextAtMs === null) {
    throw new RangeError(
      `Cannot use ${JSON.stringify(schedule.cron)} as cron: it never comes from now on`,
    );
  }
  return {
    ...schedule,
    is_paused: schedule.is_paused ?? 0,
    next_at_utc: nextAtMs,
    last_fired_at_utc: null,
    last_task_id: null,
    firings: 0,
    created_at_utc: nowMs,
    updated_at_utc: nowMs,
  };
}

function checkRoom(reader: Reader): void {
  const count = Number(reader.read(SCHEDULE_SQL.count)[0]![0]);
  const { schedulesMax } = SCHEDULE_LIMITS;
  if (count >= schedulesMax) {
    throw new RangeError(`Cannot add another schedule: at most ${schedulesMax} are allowed`);
  }
}

/** Whether both were defined in the same way. */
export function isSame(known: ScheduleRow, wanted: PreparedSchedule): boolean {
  return DEFINED.every((column) => {
    const [a, b] = [known[column], (wanted as Partial<ScheduleRow>)[column]];
    return a === b || (column === "payload" && canonicalText(a!) === canonicalText(b!));
  });
}

function canonicalText(json: SqlValue): string {
  return canonicalJson(JSON.parse(String(json)));
}

function timeOf(
  { every_ms, cron, time_zone }: Pick<ScheduleRow, "every_ms" | "cron" | "time_zone">,
): string {
  return JSON.stringify([every_ms, cron, time_zone]);
}

function cronTimeOf({ cron, time_zone }: Pick<ScheduleRow, "cron" | "time_zone">): CronTime | null {
  return cron === null ? null : { cron: String(cron), timeZone: String(time_zone) };
}

function byColumn(row: SqlRow): ScheduleRow {
  return Object.fromEntries(COLUMNS.map((column, i) => [column, row[i]!])) as ScheduleRow;
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
