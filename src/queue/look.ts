/**
 * Looking: lists and numbers, from the replica.
 */
import {
  checkInteger,
  isTaskStatus,
  TASK_LIMITS,
  TASK_STATUSES,
  type TaskStatus,
} from "../domain/task.ts";
import type { Reader } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";
import { fillPage } from "./page.ts";
import { findRow } from "./task_row.ts";
import type { ListRequest, QueueStats } from "./task_queue.ts";

/** A checked `ListRequest`. */
export interface PreparedList {
  /** `null` for any. */
  readonly status: TaskStatus | null;
  readonly type: string | null;
  readonly beforeId: number;
  readonly limit: number;
  readonly offset: number;
}

/** Tasks of one status and type; they stand together in the index `tasks_by_status`, in order of their ids. */
interface Shelf {
  readonly status: TaskStatus;
  readonly type: string;
}

/** Checks a request. @throws TypeError, RangeError */
export function prepareList(request: ListRequest): PreparedList {
  const { status = null, type = null } = request;
  if (status !== null && !isTaskStatus(status)) {
    throw new TypeError(
      `Cannot list status ${JSON.stringify(status)}: allowed are ${TASK_STATUSES.join(", ")}`,
    );
  }
  const { listDefault, listMax } = TASK_LIMITS;
  return {
    status,
    type,
    beforeId: checkInteger(
      request.beforeId ?? Number.MAX_SAFE_INTEGER,
      "beforeId",
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    limit: checkInteger(request.limit ?? listDefault, "limit", 1, listMax),
    offset: checkInteger(request.offset ?? 0, "offset", 0, Number.MAX_SAFE_INTEGER),
  };
}

/**
 * The rows asked for, newest first: a few index searches and the rows themselves, however many tasks there are. Fewer rows,
 * one at least, when they are large.
 */
export function list(reader: Reader, request: PreparedList): SqlRow[] {
  const { status, type } = request;
  const ids = status === null && type === null ? newest(reader, request) : found(reader, request);
  return fillPage(ids.values().map((id) => findRow(reader, id)!));
}

function newest(reader: Reader, { beforeId, limit, offset }: PreparedList): number[] {
  const select = "SELECT id FROM task_queue WHERE id < ? ORDER BY id DESC LIMIT ? OFFSET ?";
  return reader.read(select, [beforeId, limit, offset]).map(([id]) => Number(id));
}

/** The ids of those that the request's status or type is about. */
function found(reader: Reader, request: PreparedList): number[] {
  const { beforeId, limit, offset } = request;
  const select =
    `SELECT id FROM task_queue INDEXED BY tasks_by_status WHERE status = ? AND type = ? AND id < ?
    ORDER BY id DESC LIMIT ?`;
  const ids = shelves(reader, request).flatMap((shelf) =>
    reader.read(select, [shelf.status, shelf.type, beforeId, offset + limit]).map(([id]) =>
      Number(id)
    )
  );
  ids.sort((a, b) => b - a);
  return ids.slice(offset, offset + limit);
}

/** How many rows there are, whatever the page. */
export function count(reader: Reader, request: PreparedList): number {
  if (request.status === null && request.type === null) {
    return Number(reader.read("SELECT count(*) FROM task_queue")[0]![0]);
  }
  const select = "SELECT count(*) FROM task_queue WHERE status = ? AND type = ?";
  return shelves(reader, request).reduce(
    (sum, { status, type }) => sum + Number(reader.read(select, [status, type])[0]![0]),
    0,
  );
}

/** Where the tasks stand that the request is about. */
function shelves(reader: Reader, { status, type }: PreparedList): Shelf[] {
  const statuses = status === null ? TASK_STATUSES : [status];
  return statuses.flatMap((of) =>
    (type === null ? typesOf(reader, of) : [type]).map((each) => ({ status: of, type: each }))
  );
}

/** The types that tasks of a status have, one index search each. */
function typesOf(reader: Reader, status: TaskStatus): string[] {
  const select =
    `SELECT type FROM task_queue INDEXED BY tasks_by_status WHERE status = ? AND type > ?
    ORDER BY type LIMIT 1`;
  const found: string[] = [];
  for (;;) {
    const [row] = reader.read(select, [status, found.at(-1) ?? ""]);
    if (row === undefined) return found;
    found.push(String(row[0]));
  }
}

/** Tasks by status and type, and what waits. */
export function stats(reader: Reader, nowMs: number): Omit<QueueStats, "storage"> {
  const byStatus = noTasks();
  const byType = new Map<string, Record<TaskStatus, number>>();
  let total = 0;
  for (
    const [status, type, n] of reader.read(
      "SELECT status, type, count(*) FROM task_queue GROUP BY status, type",
    )
  ) {
    const ofType = byType.get(String(type)) ?? noTasks();
    byType.set(String(type), ofType);
    ofType[status as TaskStatus] += Number(n);
    byStatus[status as TaskStatus] += Number(n);
    total += Number(n);
  }
  const waiting =
    "SELECT count(*) FROM task_queue WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc > ?";
  const oldest =
    "SELECT min(created_at_utc) FROM task_queue WHERE status = 'queued' AND waits_for = 0 AND run_after_utc <= ?";
  const held = "SELECT count(*) FROM task_queue WHERE waits_for > 0";
  const oldestDueMs = reader.read(oldest, [nowMs])[0]![0]!;
  return {
    total,
    byStatus,
    byType: Object.fromEntries(byType),
    scheduled: Number(reader.read(waiting, [nowMs])[0]![0]),
    waitingForParents: Number(reader.read(held)[0]![0]),
    oldestDueCreatedAt: oldestDueMs === null ? null : new Date(Number(oldestDueMs)),
  };
}

function noTasks(): Record<TaskStatus, number> {
  return { queued: 0, leased: 0, completed: 0, failed: 0, cancelled: 0 };
}
