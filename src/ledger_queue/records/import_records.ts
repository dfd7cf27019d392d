/**
 * Importing: tasks of another queue come in as they are, with their ids, attempts, times and webhooks, and its schedules
 * with them.
 *
 * All of them or none, in one transaction. An id is used once in a queue, so a record whose id is used already is the task
 * that is there, or one that was there and is gone, or a conflict. Nothing is stored when there is a conflict.
 */
import { messageOf } from "../../domain/errors.ts";
import { isSameJson } from "../../domain/json.ts";
import { isMadeUpRunId, makeUpRunId } from "../../domain/run_id.ts";
import { isFinal, TASK_LIMITS, type TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import type {
  ParentRecord,
  RecordImport,
  RecordImportOptions,
  RecordProblem,
  ScheduleRecord,
  TaskRecord,
} from "../../queue/records.ts";
import type { OperationContext } from "../rows/context.ts";
import { readinessOf } from "../rows/lanes.ts";
import { TASK_COLUMNS, TASK_TABLE } from "../rows/schema.ts";
import { cell, findRow } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { addDependency } from "../tasks/dependencies.ts";
import { propagateToChildren } from "../tasks/propagate.ts";
import { addWebhook } from "../tasks/webhooks.ts";
import { planSchedules, type SchedulePlan, storeSchedules } from "./import_schedules.ts";
import { type PreparedScheduleRecord, prepareScheduleRecords } from "./schedule_record.ts";
import { type CarriedColumn, type PreparedRecord, prepareRecord } from "./task_record.ts";

/** Checked records, in order of their ids. */
export interface PreparedImport {
  readonly records: readonly PreparedRecord[];
  readonly schedules: readonly PreparedScheduleRecord[];
  readonly problems: readonly RecordProblem[];
}

interface ImportPlan {
  readonly additions: readonly PreparedRecord[];
  readonly present: readonly number[];
  readonly gone: readonly number[];
  readonly conflicts: readonly RecordProblem[];
  readonly schedules: SchedulePlan;
}

const CARRIED = TASK_COLUMNS.filter((column): column is CarriedColumn =>
  column !== "is_ready" && column !== "draw_key" && column !== "waits_for"
);

/** Checks every record, alone and beside the others. @throws RangeError when there are too many. */
export function prepareImport(
  records: readonly TaskRecord[],
  schedules: readonly ScheduleRecord[],
  payloadMaxBytes: number,
): PreparedImport {
  if (records.length > TASK_LIMITS.importMax) {
    throw new RangeError(
      `Cannot import ${records.length} tasks at once: at most ${TASK_LIMITS.importMax} are allowed`,
    );
  }
  const problems: RecordProblem[] = [];
  const taken = new Map<string, number>();
  const prepared = [...records].sort((a, b) => a.id - b.id).flatMap((record) => {
    try {
      const checked = prepareRecord(record, payloadMaxBytes);
      claimNames(taken, checked);
      return [checked];
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      problems.push({ id: record.id, reason: messageOf(error) });
      return [];
    }
  });
  const waiting = idsInCycles(prepared);
  const checkedSchedules = prepareScheduleRecords(schedules, payloadMaxBytes);
  return {
    schedules: checkedSchedules.schedules,
    records: prepared.filter(({ id }) => !waiting.has(id)),
    problems: [
      ...problems,
      ...checkedSchedules.problems.map((reason) => ({ id: null, reason })),
      ...[...waiting].map((id) => ({ id, reason: "It waits for itself, by way of its parents" })),
    ],
  };
}

/** The tasks that would wait for ever: what is left when all that wait for none of the others have gone. */
function idsInCycles(records: readonly PreparedRecord[]): ReadonlySet<number> {
  const ids = new Set(records.map(({ id }) => id));
  const children = new Map<number, number[]>();
  const waitsFor = new Map<number, number>();
  for (const { id, parents } of records) {
    const open = parents.filter(({ taskId, state }) => state === "open" && ids.has(taskId));
    if (open.length > 0) waitsFor.set(id, open.length);
    for (const { taskId } of open) {
      const known = children.get(taskId) ?? [];
      children.set(taskId, known);
      known.push(id);
    }
  }
  const free = records.map(({ id }) => id).filter((id) => !waitsFor.has(id));
  for (let i = 0; i < free.length; i++) {
    for (const child of children.get(free[i]!) ?? []) {
      const left = waitsFor.get(child)! - 1;
      if (left > 0) waitsFor.set(child, left);
      else if (waitsFor.delete(child)) free.push(child);
    }
  }
  return new Set(waitsFor.keys());
}

/** What storing the records would come to. */
export function dryRunImport(
  reader: Reader,
  prepared: PreparedImport,
  options: RecordImportOptions,
): RecordImport {
  return reportOf(planImport(reader, prepared, options), prepared, undefined);
}

/** Stores the records that are new, unless something is wrong. */
export function importRecords(
  tx: Transaction,
  prepared: PreparedImport,
  options: RecordImportOptions,
  context: OperationContext,
): RecordImport {
  const plan = planImport(tx, prepared, options);
  const isRefused = plan.conflicts.length > 0 ||
    (prepared.problems.length > 0 && !options.skipInvalid);
  if (isRefused) return reportOf(plan, prepared, undefined);
  const storedIds = plan.additions.map((record) => insert(tx, record, options, context));
  if (storedIds.length > 0) {
    for (const id of storedIds) noteTransition(tx, { id, nowMs: context.nowMs }, "imported");
    connectParents(tx, plan.additions, { ...options, storedIds }, context);
  }
  storeSchedules(tx, plan.schedules.additions);
  return reportOf(plan, prepared, storedIds);
}

/** Ids, run ids and keys stand once in a file. @throws TypeError */
function claimNames(taken: Map<string, number>, record: PreparedRecord): void {
  const names = [
    `id ${record.id}`,
    `run id ${JSON.stringify(record.run_id)}`,
    ...(record.idempotency_key === null
      ? []
      : [`idempotency key ${JSON.stringify(record.idempotency_key)}`]),
  ];
  const twice = names.find((name) => taken.has(name));
  if (twice !== undefined) {
    throw new TypeError(`Cannot use ${twice} twice: record ${taken.get(twice)} has it already`);
  }
  for (const name of names) taken.set(name, record.id);
}

function planImport(
  reader: Reader,
  { records, schedules }: PreparedImport,
  { renumber = false }: RecordImportOptions,
): ImportPlan {
  const lastId = lastIdOf(reader);
  const names = new Set(records.map(({ run_id: runId }) => runId));
  const additions: PreparedRecord[] = [];
  const present: number[] = [];
  const gone: number[] = [];
  const conflicts: RecordProblem[] = [];
  for (const record of records) {
    const { id } = record;
    const { found, storable } = findTask(reader, record, { names, renumber });
    if (found === undefined) {
      if (!renumber && id <= lastId) gone.push(id);
      else additions.push(storable);
      continue;
    }
    const reason = whyConflict(found, record);
    if (reason === undefined) present.push(id);
    else conflicts.push({ id, reason });
  }
  conflicts.push(...additions.flatMap((record) => nameConflicts(reader, record)));
  conflicts.push(...missingParents(reader, additions));
  // Some of the file's tasks here prove that it was imported before; without one, the ids are simply used.
  if (present.length === 0) conflicts.push(...gone.map(usedId));
  const schedulePlan = planSchedules(reader, schedules);
  conflicts.push(...schedulePlan.conflicts.map((reason) => ({ id: null, reason })));
  return {
    additions,
    present,
    gone: present.length === 0 ? [] : gone,
    conflicts,
    schedules: schedulePlan,
  };
}

/** The highest id that this queue has ever used. */
function lastIdOf(reader: Reader): number {
  const select = "SELECT seq FROM sqlite_sequence WHERE name = 'task_queue'";
  return Number(reader.read(select)[0]?.[0] ?? 0);
}

/**
 * The task that a record is here, or that record as it can be stored: a run id that was made up, and that another task has,
 * gives way to one that is free. `names` are the run ids of all the records.
 */
function findTask(
  reader: Reader,
  record: PreparedRecord,
  { names, renumber }: { readonly names: ReadonlySet<string>; readonly renumber: boolean },
): { readonly found: SqlRow | undefined; readonly storable: PreparedRecord } {
  const { id, run_id: runId } = record;
  const withId = renumber ? undefined : findRow(reader, id);
  if (withId !== undefined) return { found: withId, storable: record };
  if (record.idempotency_key !== null || !isMadeUpRunId({ id, runId })) {
    return { found: renumber ? findByRunId(reader, runId) : undefined, storable: record };
  }
  for (let n = 0;; n++) {
    const candidate = makeUpRunId(id, n);
    if (candidate !== runId && names.has(candidate)) continue;
    const found = findByRunId(reader, candidate);
    if (found === undefined) return { found, storable: { ...record, run_id: candidate } };
    if (renumber && isSameTask(found, record)) return { found, storable: record };
  }
}

function findByRunId(reader: Reader, runId: string): SqlRow | undefined {
  return reader.read("SELECT * FROM task_queue WHERE run_id = ?", [runId])[0];
}

/** Why the task that was found is not simply the record's; `undefined` when it is. */
function whyConflict(found: SqlRow, record: PreparedRecord): string | undefined {
  const [foundId, foundStatus] = [cell(found, "id"), cell(found, "status") as TaskStatus];
  if (!isSameTask(found, record)) {
    return `Task ${foundId} of this queue is another one, of type ${
      JSON.stringify(cell(found, "type"))
    }, created at ${new Date(Number(cell(found, "created_at_utc"))).toISOString()}`;
  }
  const isFurther = (isFinal(record.status) && !isFinal(foundStatus)) ||
    secondOf(record.updated_at_utc) > secondOf(cell(found, "updated_at_utc"));
  if (!isFurther) return undefined;
  return `Task ${foundId} is ${foundStatus} in this queue and has since become ${record.status} elsewhere: ` +
    "import the file into a new queue";
}

/** Whether both came from the same enqueue. The original's texts have seconds only, and a run id is its task's key there. */
function isSameTask(row: SqlRow, record: PreparedRecord): boolean {
  const key = cell(row, "idempotency_key") ??
    (record.idempotency_key === null ? null : cell(row, "run_id"));
  return cell(row, "type") === record.type && key === record.idempotency_key &&
    secondOf(cell(row, "created_at_utc")) === secondOf(record.created_at_utc) &&
    isSameJson(cell(row, "payload") as string, record.payload);
}

function secondOf(atMs: SqlValue): number {
  return Math.floor(Number(atMs) / 1000);
}

function nameConflicts(reader: Reader, record: PreparedRecord): RecordProblem[] {
  const byName: readonly [column: string, name: string | null, what: string][] = [
    ["run_id", record.run_id, "run id"],
    ["idempotency_key", record.idempotency_key, "idempotency key"],
  ];
  return byName.flatMap(([column, name, what]) => {
    if (name === null) return [];
    const [row] = reader.read(`SELECT id FROM task_queue WHERE ${column} = ?`, [name]);
    if (row === undefined) return [];
    return [{ id: record.id, reason: `Task ${row[0]} has ${what} ${JSON.stringify(name)}` }];
  });
}

/** A parent that is neither in the file nor here would hold its child up for ever. */
function missingParents(reader: Reader, additions: readonly PreparedRecord[]): RecordProblem[] {
  const added = new Set(additions.map(({ id }) => id));
  return additions.flatMap(({ id, status, parents }) => {
    const missing = parents.find(({ taskId, runId, state }) =>
      status === "queued" && state === "open" && !added.has(taskId) &&
      findByRunId(reader, runId) === undefined
    );
    if (missing === undefined) return [];
    const parent = `task ${missing.taskId} (run ${JSON.stringify(missing.runId)})`;
    return [{ id, reason: `It waits for ${parent}, which is neither in the file nor here` }];
  });
}

function usedId(id: number): RecordProblem {
  return { id, reason: `Id ${id} was used in this queue by a task that is gone` };
}

function insert(
  tx: Transaction,
  record: PreparedRecord,
  { renumber = false }: RecordImportOptions,
  context: OperationContext,
): number {
  const carried = Object.fromEntries(CARRIED.map((column) => [column, record[column]]));
  const isQueued = record.status === "queued";
  const waitsFor = isQueued ? record.parents.filter(({ state }) => state === "open").length : 0;
  const readiness = readinessOf(
    tx,
    { ...record, runAfterMs: record.run_after_utc, waitsFor },
    context,
  );
  const row = tx.insert(TASK_TABLE, {
    ...carried,
    id: renumber ? null : record.id,
    ...readiness,
    ...isQueued ? {} : { is_ready: 0 },
  });
  const id = cell(row, "id") as number;
  if (record.webhook !== null) addWebhook(tx, id, record.webhook);
  return id;
}

/** Writes the dependencies by the ids that the tasks have here; a task whose parent is final here learns of it. */
function connectParents(
  tx: Transaction,
  additions: readonly PreparedRecord[],
  { storedIds, renumber = false }: RecordImportOptions & { readonly storedIds: readonly number[] },
  context: OperationContext,
): void {
  const ids: KnownIds = {
    here: new Map(additions.map(({ id }, i) => [id, storedIds[i]!])),
    lastKept: renumber ? 0 : lastIdOf(tx),
  };
  const open = new Set<number>();
  for (const [i, { parents }] of additions.entries()) {
    for (const [position, parent] of parents.entries()) {
      const { runId: parentRunId, onFailure, state } = parent;
      const parentId = parentIdHere(tx, parent, ids) ?? idOfGone(position);
      const childId = storedIds[i]!;
      addDependency(tx, { childId, parentId, parentRunId, position, onFailure, state });
      if (state === "open") open.add(parentId);
    }
  }
  const rows = [...open].map((id) => findRow(tx, id)).filter((row) => row !== undefined);
  const over = rows.filter((row) => isFinal(cell(row, "status") as TaskStatus));
  propagateToChildren(tx, over, context);
}

/** What ids of the file are here. */
interface KnownIds {
  /** The ids that its tasks have here, by those that they have in the file. */
  readonly here: ReadonlyMap<number, number>;
  /** The last id that means the same here as in the file, if it is not another task's. */
  readonly lastKept: number;
}

/** The id that a parent has here, or had; `undefined` when a task that is not the parent has it, or will. */
function parentIdHere(
  reader: Reader,
  { taskId, runId }: ParentRecord,
  { here, lastKept }: KnownIds,
): number | undefined {
  const known = here.get(taskId) ?? findByRunId(reader, runId)?.[0];
  if (known !== undefined) return Number(known);
  const isKept = taskId > 0 && taskId <= lastKept && findRow(reader, taskId) === undefined;
  return isKept ? taskId : undefined;
}

/** An id that no task has, for a parent that is gone: its children are not to be taken for another's. */
function idOfGone(position: number): number {
  return -1 - position;
}

function reportOf(
  { additions, present, gone, conflicts, schedules }: ImportPlan,
  { problems }: PreparedImport,
  storedIds: readonly number[] | undefined,
): RecordImport {
  return {
    stored: storedIds !== undefined,
    additions: additions.map(({ id }) => id),
    storedIds: storedIds ?? [],
    present,
    gone,
    problems,
    conflicts,
    schedules: {
      additions: schedules.additions.map(({ row }) => String(row.schedule_id)),
      present: schedules.present,
    },
  };
}
