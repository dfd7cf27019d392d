/**
 * The transition log: one row for each time that a task moved, in the transaction that moved it.
 */
import type { Task } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type {
  HistoryEntry,
  HistoryPage,
  TaskTransition,
  TransitionKind,
} from "../../queue/task_transition.ts";
import { knownMaxAttempts } from "../../queue_policy/attempt_end.ts";
import type { PreparedHistory } from "../../queue_policy/history_request.ts";
import {
  detailsOf,
  LEVELS,
  type TransitionNote,
  transitionOf,
} from "../../queue_policy/transition_note.ts";
import { beginOf, type PreparedPart } from "../../queue_policy/page_request.ts";
import { LOG_TABLE } from "./schema.ts";
import { cell } from "./cells.ts";

/** The statements; a test reads their plans. */
export const TRANSITION_SQL = {
  ofTask: "SELECT * FROM task_logs WHERE task_id = ? ORDER BY log_id LIMIT ? OFFSET ?",
  countOfTask: "SELECT count(*) FROM task_logs WHERE task_id = ?",
  last: "SELECT * FROM task_logs WHERE task_id = ? ORDER BY log_id DESC LIMIT 1",
  lastFailure: `SELECT * FROM task_logs WHERE task_id = ? AND message IN ('retried', 'failed')
    ORDER BY log_id DESC LIMIT 1`,
  history:
    `SELECT task_logs.*, run_id, type FROM task_logs JOIN task_queue ON task_queue.id = task_id
    WHERE log_id > ? ORDER BY log_id LIMIT ?`,
  lastId: "SELECT max(log_id) FROM task_logs",
} as const;

/** Notes what happened to a task. */
export function noteTransition(
  tx: Transaction,
  task: { readonly id: number; readonly nowMs: number },
  kind: TransitionKind,
  note: TransitionNote = {},
): void {
  tx.insert(LOG_TABLE, {
    task_id: task.id,
    at_utc: task.nowMs,
    level: LEVELS[kind],
    message: kind,
    details: detailsOf(note),
    duration_ms: note.durationMs ?? null,
  });
}

/** How long a task has been running, from its row. */
export function runMsOf(row: SqlRow, nowMs: number): number {
  return Math.max(0, nowMs - Number(cell(row, "processing_started_utc")));
}

/** How long a task has been due, from its row. */
export function waitMsOf(row: SqlRow, nowMs: number): number {
  const dueAtMs = Math.max(
    Number(cell(row, "created_at_utc")),
    Number(cell(row, "run_after_utc")),
  );
  return Math.max(0, nowMs - dueAtMs);
}

/** A part of what happened to a task, in order. A row is small, so a page needs no other bound than its number of rows. */
export function transitionsOf(
  reader: Reader,
  taskId: number,
  part: PreparedPart,
): TaskTransition[] {
  const count = Number(reader.read(TRANSITION_SQL.countOfTask, [taskId])[0]![0]);
  const { ofTask } = TRANSITION_SQL;
  return reader.read(ofTask, [taskId, part.limit, beginOf(part, count)]).map(transitionOfRow);
}

/** What happened to a task last. */
export function lastTransitionOf(reader: Reader, taskId: number): TaskTransition | undefined {
  return reader.read(TRANSITION_SQL.last, [taskId]).map(transitionOfRow)[0];
}

/** How many attempts a task has, as far as is known: its handler may allow fewer than the task, which the first failure tells. */
export function maxAttemptsOf(
  reader: Reader,
  task: Pick<Task, "id" | "attempts" | "maxAttempts">,
): number {
  const [row] = reader.read(TRANSITION_SQL.lastFailure, [task.id]);
  return knownMaxAttempts(task, row && transitionOfRow(row).handlerMaxAttempts);
}

/** A part of the history of all tasks: two index searches and the rows themselves. */
export function history(reader: Reader, { after, limit }: PreparedHistory): HistoryPage {
  const endId = Number(reader.read(TRANSITION_SQL.lastId)[0]![0] ?? 0);
  if (after === null) return { entries: [], cursor: String(endId) };
  const afterId = idOfCursor(after);
  const entries = reader.read(TRANSITION_SQL.history, [afterId, limit]).map(entryOfRow);
  return { entries, cursor: entries.at(-1)?.cursor ?? String(Math.min(afterId, endId)) };
}

/** A cursor is the id of a row: here rows become visible in the order of their ids. @throws RangeError */
function idOfCursor(cursor: string): number {
  if (/^(0|[1-9]\d{0,15})$/.test(cursor)) return Number(cursor);
  throw new RangeError(
    `Cannot use ${JSON.stringify(cursor)} as after: a cursor of history() is needed`,
  );
}

function entryOfRow(row: SqlRow): HistoryEntry {
  const [runId, type] = row.slice(-2);
  return {
    ...transitionOfRow(row),
    cursor: String(row[0]),
    runId: String(runId),
    type: String(type),
  };
}

function transitionOfRow(row: SqlRow): TaskTransition {
  const [, taskId, atMs, , kind, details, durationMs] = row;
  return transitionOf({
    taskId: Number(taskId),
    atMs: Number(atMs),
    kind: kind as TransitionKind,
    details: details as string | null,
    durationMs: durationMs as number | null,
  });
}
