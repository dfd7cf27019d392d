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
import type { SqlRow, SqlValue } from "../ledger/sql_engine.ts";
import type { ListRequest, QueueStats } from "./task_queue.ts";

/** A checked `ListRequest`. */
export interface PreparedList {
  readonly where: string;
  readonly parameters: readonly SqlValue[];
  readonly limit: number;
  readonly offset: number;
}

/** Checks a request. @throws TypeError, RangeError */
export function prepareList(request: ListRequest): PreparedList {
  const { status, type, beforeId } = request;
  if (status !== undefined && !isTaskStatus(status)) {
    throw new TypeError(
      `Cannot list status ${JSON.stringify(status)}: allowed are ${TASK_STATUSES.join(", ")}`,
    );
  }
  const statuses = status === undefined ? TASK_STATUSES : [status];
  const conditions = [`status IN (${statuses.map(() => "?").join(", ")})`];
  const parameters: SqlValue[] = [...statuses];
  if (type !== undefined) {
    conditions.push("type = ?");
    parameters.push(type);
  }
  if (beforeId !== undefined) {
    conditions.push("id < ?");
    parameters.push(checkInteger(beforeId, "beforeId", 0, Number.MAX_SAFE_INTEGER));
  }
  return {
    where: conditions.join(" AND "),
    parameters,
    limit: checkInteger(request.limit ?? TASK_LIMITS.listDefault, "limit", 1, TASK_LIMITS.listMax),
    offset: checkInteger(request.offset ?? 0, "offset", 0, Number.MAX_SAFE_INTEGER),
  };
}

/** The rows asked for, newest first. */
export function list(reader: Reader, { where, parameters, limit, offset }: PreparedList): SqlRow[] {
  const page = `SELECT id FROM task_queue WHERE ${where} ORDER BY id DESC LIMIT ? OFFSET ?`;
  const select = `SELECT * FROM task_queue WHERE id IN (${page}) ORDER BY id DESC`;
  return reader.read(select, [...parameters, limit, offset]);
}

/** How many rows there are, whatever the page. */
export function count(reader: Reader, { where, parameters }: PreparedList): number {
  return Number(reader.read(`SELECT count(*) FROM task_queue WHERE ${where}`, parameters)[0]![0]);
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
    "SELECT count(*) FROM task_queue WHERE status = 'queued' AND is_ready = 0 AND run_after_utc > ?";
  const oldest =
    "SELECT min(created_at_utc) FROM task_queue WHERE status = 'queued' AND run_after_utc <= ?";
  const oldestDueMs = reader.read(oldest, [nowMs])[0]![0]!;
  return {
    total,
    byStatus,
    byType: Object.fromEntries(byType),
    scheduled: Number(reader.read(waiting, [nowMs])[0]![0]),
    oldestDueCreatedAt: oldestDueMs === null ? null : new Date(Number(oldestDueMs)),
  };
}

function noTasks(): Record<TaskStatus, number> {
  return { queued: 0, leased: 0, completed: 0, failed: 0, cancelled: 0 };
}
