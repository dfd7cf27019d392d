/**
 * Rows of `task_queue` as tasks.
 */
import { QueueError } from "../../domain/errors.ts";
import type { Task, TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction, Values } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import { cell } from "./cells.ts";
import { slotEnded } from "./group_room.ts";
import { becameReady, type GroupPlace, leftReady } from "./groups.ts";
import { addedInOrder, mayMoveTurn, orderingKeyOf, settleKey, turnOf } from "./order.ts";
import { TASK_TABLE, type TaskColumn } from "./schema.ts";
import { followTags } from "./tags.ts";
import type { TaskChange } from "../../queue/task_queue.ts";
import { keptFields } from "../../queue_policy/kept_fields.ts";

/** Values of some columns of `task_queue`. */
export type TaskValues = Readonly<Partial<Record<TaskColumn, SqlValue>>>;

/** The task in a row. */
export function taskOfRow(row: SqlRow): Task {
  return {
    id: integer(row, "id"),
    runId: text(row, "run_id"),
    ...keptFields((column) => cell(row, column)),
    payload: JSON.parse(text(row, "payload")),
    status: text(row, "status") as TaskStatus,
    attempts: integer(row, "attempts"),
    runAfter: new Date(integer(row, "run_after_utc")),
    leaseUntil: instant(row, "lease_until_utc"),
    reservedAt: instant(row, "reserved_at_utc"),
    processingStarted: instant(row, "processing_started_utc"),
    finishedAt: instant(row, "finished_at_utc"),
    createdAt: new Date(integer(row, "created_at_utc")),
    updatedAt: new Date(integer(row, "updated_at_utc")),
    lockedBy: cell(row, "locked_by") as string | null,
    leaseToken: integer(row, "lease_token"),
    errorMessage: cell(row, "error_message") as string | null,
    result: json(row, "result"),
    progress: cell(row, "progress_percent") as number | null,
    progressMessage: cell(row, "progress_message") as string | null,
    waitsFor: integer(row, "waits_for"),
    traceParent: cell(row, "trace_parent") as string | null,
    uniqueKey: cell(row, "unique_key") as string | null,
    orderingPlace: cell(row, "ordering_place") as number | null,
  };
}

/** The part of a row that watchers get. */
export function changeOfRow(row: SqlRow): TaskChange {
  return {
    taskId: integer(row, "id"),
    runId: text(row, "run_id"),
    type: text(row, "type"),
    status: text(row, "status") as TaskStatus,
    attempts: integer(row, "attempts"),
    leaseToken: integer(row, "lease_token"),
    lockedBy: cell(row, "locked_by") as string | null,
    progress: cell(row, "progress_percent") as number | null,
  };
}

/** The row of a task. @throws QueueError `task_not_found`. */
export function rowOfTask(reader: Reader, id: number): SqlRow {
  const row = findRow(reader, id);
  if (row === undefined) throw new QueueError("task_not_found", `Cannot find task ${id}`);
  return row;
}

/** The row of a task, if there is one. */
export function findRow(reader: Reader, id: number): SqlRow | undefined {
  return reader.read("SELECT * FROM task_queue WHERE id = ?", [id])[0];
}

/** `make`, which gives the same again for the same row: a batch may hold one large row many times. */
export function oncePerRow<T>(make: (row: SqlRow) => T): (row: SqlRow) => T {
  const made = new Map<SqlRow, T>();
  return (row) => {
    const value = made.get(row) ?? make(row);
    made.set(row, value);
    return value;
  };
}

/** Adds a task; its row. */
export function addTask(tx: Transaction, values: TaskValues): SqlRow {
  const isOrdered = (values.ordering_key ?? null) !== null;
  const isLast = (values.id ?? null) === null && (values.ordering_place ?? null) === null;
  const added = isOrdered ? addedInOrder(tx, values, { isLast }) : values;
  const row = tx.insert(TASK_TABLE, added as Values);
  followTags(tx, cell(row, "id") as number, { before: null, after: tagsOf(row) });
  if (cell(row, "is_ready") === 1) becameReady(tx, placeOf(row));
  return isOrdered && !isLast ? settleOrder(tx, row) : row;
}

/**
 * Changes some columns of a task; its row as it is now. Its group follows: whether it has ready tasks, and a slot free; and its
 * ordering key: whose turn it is.
 */
export function updateTask(tx: Transaction, row: SqlRow, values: TaskValues): SqlRow {
  if (orderingKeyOf(row) === null || values.status === undefined) return changeRow(tx, row, values);
  // another change of this transaction may have given it its turn since the row was read
  const current = rowOfTask(tx, cell(row, "id") as number);
  const next = changeRow(tx, current, { ...values, ...turnOf(current, values) });
  return mayMoveTurn(current, next) ? settleOrder(tx, next) : next;
}

/** A final task that is to be deleted. */
export interface DeletedTask {
  readonly id: number;
  /** Its ordering key, if it has failed. */
  readonly failedUnder: string | null;
  /** Its tags, as its column has them. */
  readonly tags: string | null;
}

/** Deletes the row of a final task. What a failed one held up goes on. */
export function deleteTask(
  tx: Transaction,
  { id, failedUnder, tags }: DeletedTask,
  nowMs: number,
): void {
  tx.remove(TASK_TABLE, [id]);
  followTags(tx, id, { before: tags, after: null });
  if (failedUnder !== null) settle(tx, failedUnder, nowMs);
}

/** Gives the turn of a task's ordering key to whom it belongs; the task's row as it is then. */
function settleOrder(tx: Transaction, row: SqlRow): SqlRow {
  settle(tx, orderingKeyOf(row)!, cell(row, "updated_at_utc") as number);
  return rowOfTask(tx, cell(row, "id") as number);
}

function settle(tx: Transaction, key: string, nowMs: number): void {
  settleKey(tx, key, { nowMs, change: (row, values) => changeRow(tx, row, values) });
}

function changeRow(tx: Transaction, row: SqlRow, values: TaskValues): SqlRow {
  const next = tx.update(TASK_TABLE, row, values as Values);
  followTags(tx, cell(row, "id") as number, { before: tagsOf(row), after: tagsOf(next) });
  const [was, is] = [cell(row, "is_ready"), cell(next, "is_ready")];
  const isMoved = cell(row, "grp") !== cell(next, "grp");
  if (was === 1 && (is !== 1 || isMoved)) leftReady(tx, placeOf(row));
  if (is === 1 && (was !== 1 || isMoved)) becameReady(tx, placeOf(next));
  if (cell(row, "status") === "leased" && cell(next, "status") !== "leased") {
    slotEnded(tx, cell(next, "grp") as string, cell(next, "updated_at_utc") as number);
  }
  return next;
}

/** Starts a task in its group's turn; its group's row follows by `noteStarts`. */
export function startTask(tx: Transaction, row: SqlRow, values: TaskValues): SqlRow {
  return tx.update(TASK_TABLE, row, values as Values);
}

/** A task's tags, as its column has them. */
export function tagsOf(row: SqlRow): string | null {
  return cell(row, "tags") as string | null;
}

/** Where a task stands. */
export function placeOf(row: SqlRow): GroupPlace {
  return {
    type: cell(row, "type") as string,
    compatibility: cell(row, "compatibility") as string,
    grp: cell(row, "grp") as string,
  };
}

function integer(row: SqlRow, column: TaskColumn): number {
  return cell(row, column) as number;
}

function text(row: SqlRow, column: TaskColumn): string {
  return cell(row, column) as string;
}

function instant(row: SqlRow, column: TaskColumn): Date | null {
  const atMs = cell(row, column);
  return atMs === null ? null : new Date(atMs as number);
}

function json(row: SqlRow, column: TaskColumn): unknown {
  const value = cell(row, column);
  return value === null ? null : JSON.parse(value as string);
}
