/**
 * Importing: tasks of another queue come in as they are, with their ids, attempts, times and webhooks, and its schedules
 * with them.
 *
 * All of them or none, in one transaction; `queue_policy/import_plan.ts` says what is new. Nothing is stored when there is a
 * conflict.
 */
import { isFinal, type TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import type { RecordImport, RecordImportOptions } from "../../queue/records.ts";
import {
  type ImportLookup,
  type ImportPlan,
  ImportPlanner,
  isRefused,
  type KnownIds,
  type KnownTask,
  openParentsOf,
  parentIdHere,
  reportOf,
} from "../../queue_policy/import_plan.ts";
import type { PreparedImport } from "../../queue_policy/prepared_import.ts";
import { planSchedules } from "../../queue_policy/schedule_import_plan.ts";
import type { PreparedScheduleRecord } from "../../queue_policy/schedule_record.ts";
import type { StoredSchedule } from "../../queue_policy/stored_schedule.ts";
import type { PreparedRecord } from "../../queue_policy/task_record.ts";
import type { OperationContext } from "../rows/context.ts";
import { flowOf, storeLimit } from "../rows/flow_rows.ts";
import { readinessOf } from "../rows/lanes.ts";
import { TASK_COLUMNS, type TaskColumn } from "../rows/schema.ts";
import { cell } from "../rows/cells.ts";
import { noteGroupLimitChange } from "../rows/group_room.ts";
import { keyOf } from "../../queue_policy/flow.ts";
import { addTask, findRow } from "../rows/task_row.ts";
import { noteTransition } from "../rows/transition_log.ts";
import { allSchedules, findSchedule, put } from "../schedules/schedule_row.ts";
import { addDependency } from "../tasks/dependencies.ts";
import { propagateToChildren } from "../tasks/propagate.ts";
import { addWebhook } from "../tasks/webhooks.ts";

/** The columns that are made when a record is stored, and therefore not carried. */
type DerivedColumn = "is_ready" | "is_behind" | "draw_key" | "waits_for" | "lease_until_utc";

type CarriedColumn = Exclude<TaskColumn, DerivedColumn>;

const DERIVED: ReadonlySet<TaskColumn> = new Set<DerivedColumn>(
  ["is_ready", "is_behind", "draw_key", "waits_for", "lease_until_utc"],
);

/** The name in a record of what a column holds. */
type NameOf<Column> = Column extends `${infer Name}_utc` ? Name : Column;

/** The columns that are carried, each with its name in a record. */
const CARRIED: readonly (readonly [CarriedColumn, NameOf<CarriedColumn>])[] = TASK_COLUMNS
  .filter((column): column is CarriedColumn => !DERIVED.has(column))
  .map((column) => [column, column.replace(/_utc$/, "") as NameOf<CarriedColumn>]);

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
  if (isRefused(plan, prepared, options)) return reportOf(plan, prepared, undefined);
  const storedIds = plan.additions.map((record) => insert(tx, record, options, context));
  if (storedIds.length > 0) {
    for (const id of storedIds) noteTransition(tx, { id, nowMs: context.nowMs }, "imported");
    connectParents(tx, plan.additions, { ...options, storedIds }, context);
  }
  storeSchedules(tx, plan.schedules.additions);
  for (const row of plan.limits) storeLimit(tx, row, { row, isChange: true });
  if (plan.limits.some(({ grp }) => grp !== "")) noteGroupLimitChange(tx);
  return reportOf(plan, prepared, storedIds);
}

function insert(
  tx: Transaction,
  record: PreparedRecord,
  { renumber = false }: RecordImportOptions,
  context: OperationContext,
): number {
  const carried = Object.fromEntries(
    CARRIED.map(([column, name]): [string, SqlValue] => [column, record[name]]),
  );
  const awaited = { runAfterMs: record.run_after, waitsFor: openParentsOf(record) };
  const readiness = readinessOf(tx, { ...record, ...awaited }, context);
  const row = addTask(tx, {
    ...carried,
    id: renumber ? null : record.id,
    ...readiness,
    lease_until_utc: null,
    ...record.status === "queued" ? {} : { is_ready: 0 },
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
  const lastKept = renumber ? 0 : lastIdOf(tx);
  const ids: KnownIds = {
    added: new Map(additions.map(({ id }, i) => [id, storedIds[i]!])),
    byRunId: (runId) => findByRunId(tx, runId)?.id,
    isKept: (id) => id <= lastKept && findRow(tx, id) === undefined,
  };
  const open = new Set<number>();
  for (const [i, { parents }] of additions.entries()) {
    for (const [position, parent] of parents.entries()) {
      const { runId: parentRunId, onFailure, state } = parent;
      const [childId, parentId] = [storedIds[i]!, parentIdHere(parent, position, ids)];
      addDependency(tx, { childId, parentId, parentRunId, position, onFailure, state });
      if (state === "open") open.add(parentId);
    }
  }
  const rows = [...open].map((id) => findRow(tx, id)).filter((row) => row !== undefined);
  const over = rows.filter((row) => isFinal(cell(row, "status") as TaskStatus));
  propagateToChildren(tx, over, context);
}

/** Stores the schedules that are new, once the tasks of the same file are stored. */
export function storeSchedules(
  tx: Transaction,
  additions: readonly PreparedScheduleRecord[],
): void {
  for (const { row, lastRunId } of additions) {
    const task = lastRunId === null ? undefined : findByRunId(tx, lastRunId);
    put(tx, { ...row, last_task_id: task?.id ?? null });
  }
}

function planImport(
  reader: Reader,
  prepared: PreparedImport,
  options: RecordImportOptions,
): ImportPlan {
  const lastId = lastIdOf(reader);
  const planner = new ImportPlanner(prepared, options);
  const lookup: ImportLookup = {
    byId: (id) => knownTask(findRow(reader, id)),
    byRunId: (runId) => findByRunId(reader, runId),
    idByKey: (key) => idByKey(reader, key),
    isUsed: (id) => id <= lastId,
  };
  for (const record of prepared.records) planner.place(record, lookup);
  const find = (id: string): StoredSchedule | undefined => findSchedule(reader, id);
  const schedules = planSchedules(prepared.schedules, find, allSchedules(reader).length);
  const limited = new Set(flowOf(reader).rows.map(keyOf));
  const isHere = (runId: string): boolean => findByRunId(reader, runId) !== undefined;
  return planner.plan(isHere, { schedules, limited });
}

/** The highest id that this queue has ever used. */
export function lastIdOf(reader: Reader): number {
  const select = "SELECT seq FROM sqlite_sequence WHERE name = 'task_queue'";
  return Number(reader.read(select)[0]?.[0] ?? 0);
}

function idByKey(reader: Reader, key: string): number | undefined {
  const [row] = reader.read("SELECT id FROM task_queue WHERE idempotency_key = ?", [key]);
  return row === undefined ? undefined : Number(row[0]);
}

function findByRunId(reader: Reader, runId: string): KnownTask | undefined {
  return knownTask(reader.read("SELECT * FROM task_queue WHERE run_id = ?", [runId])[0]);
}

function knownTask(row: SqlRow | undefined): KnownTask | undefined {
  return row && {
    id: cell(row, "id") as number,
    run_id: cell(row, "run_id") as string,
    type: cell(row, "type") as string,
    payload: cell(row, "payload") as string,
    idempotency_key: cell(row, "idempotency_key") as string | null,
    status: cell(row, "status") as TaskStatus,
    created_at: cell(row, "created_at_utc") as number,
    updated_at: cell(row, "updated_at_utc") as number,
  };
}
