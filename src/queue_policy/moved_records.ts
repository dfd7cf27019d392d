/**
 * What a move carries, in the columns that both engines have: nothing is read into a task and written back, so what arrives is
 * what was there. Each task keeps its id.
 */
import { PAYLOAD_LIMIT_BYTES } from "./new_task.ts";
import { KEPT_FIELD_NAMES } from "../domain/task_fields.ts";
import type { MovedTask, MovedValue } from "../queue/move_end.ts";
import type { FlowRecord } from "../queue/limits.ts";
import type { ParentRecord, ScheduleRecord } from "../queue/records.ts";
import { columnName, type KeptValues } from "./kept_fields.ts";
import { flowRecordsOf, prepareFlowRecord, type StoredLimit } from "./limit_request.ts";
import { type PreparedScheduleRecord, prepareScheduleRecords } from "./schedule_record.ts";
import type { PreparedRecord } from "./task_record.ts";

/** How many tasks one part has at most, and how many characters of payloads and results, beside the first task's. */
export const TASK_PART = Object.freeze({ count: 1000, length: 4 * 1024 * 1024 });

/** How many transitions one part has at most. */
export const TRANSITION_PART = 5000;

/** The columns of a task that no lease holds. */
export type MovedColumns = Omit<PreparedRecord, "parents" | "webhook">;

/** Their names, in the order of `MovedTask.values`. */
export const MOVED_COLUMNS: readonly (keyof MovedColumns)[] = Object.freeze([
  "id",
  "run_id",
  ...KEPT_FIELD_NAMES.map((name) => columnName(name) as keyof KeptValues),
  "payload",
  "status",
  "attempts",
  "run_after",
  "reserved_at",
  "processing_started",
  "finished_at",
  "created_at",
  "updated_at",
  "locked_by",
  "lease_token",
  "error_message",
  "result",
  "progress_percent",
  "progress_message",
  "trace_parent",
  "unique_key",
  "ordering_place",
]);

/** A task's columns by name. */
export function columnsOf({ values }: MovedTask): MovedColumns {
  const columns: Partial<Record<keyof MovedColumns, MovedValue>> = {};
  for (const [i, name] of MOVED_COLUMNS.entries()) columns[name] = values[i]!;
  return columns as unknown as MovedColumns;
}

/** A dependency, as both engines name its columns. */
export interface MovedDependency {
  readonly child_id: number;
  readonly parent_id: number;
  readonly parent_run_id: string;
  readonly position: number;
  readonly on_failure: ParentRecord["onFailure"];
  readonly state: ParentRecord["state"];
}

/** The dependencies of a task: ids mean the same in both queues. */
export function movedDependencies(childId: number, { parents }: MovedTask): MovedDependency[] {
  return parents.map(([parent_id, parent_run_id, on_failure, state], position) => ({
    child_id: childId,
    parent_id,
    parent_run_id,
    position,
    on_failure,
    state,
  }));
}

/** How many parents a task waits for. */
export function movedWaitsFor({ status }: MovedColumns, { parents }: MovedTask): number {
  return status === "queued" ? parents.filter(([, , , state]) => state === "open").length : 0;
}

/** Rows that belong to tasks, by the task's id, which `idOf` reads; the rest is kept. */
export function byTask<Row, Kept>(
  rows: readonly Row[],
  read: (row: Row) => readonly [id: number, kept: Kept],
): ReadonlyMap<number, Kept[]> {
  const byId = new Map<number, Kept[]>();
  for (const row of rows) {
    const [id, kept] = read(row);
    const known = byId.get(id);
    if (known === undefined) byId.set(id, [kept]);
    else known.push(kept);
  }
  return byId;
}

/** @throws TypeError, RangeError for a limit or a pause that a queue cannot hold. */
export function prepareMovedLimits(limits: readonly FlowRecord[]): StoredLimit[] {
  return limits.map(prepareFlowRecord);
}

/** Every limit and pause as it is stored, those pauses too that have ended by themselves: both ends of a move read the same. */
export function movedLimits(rows: readonly StoredLimit[]): FlowRecord[] {
  return flowRecordsOf(rows, -Infinity);
}

/** @throws TypeError for a schedule that a queue cannot hold. */
export function prepareMovedSchedules(
  schedules: readonly ScheduleRecord[],
): readonly PreparedScheduleRecord[] {
  const prepared = prepareScheduleRecords(schedules, PAYLOAD_LIMIT_BYTES);
  if (prepared.problems.length === 0) return prepared.schedules;
  throw new TypeError(`Cannot move schedules: ${prepared.problems.join("; ")}`);
}
