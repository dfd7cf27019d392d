/**
 * The transition log: one row for each time that a task moved, in the transaction that moved it.
 *
 * Its numbers are given in one order and become visible in another, so a reader by number would miss some. It is read in
 * the order of transactions, and only up to the oldest one that is still under way: what comes later comes behind.
 */
import type { Task } from "../../domain/task.ts";
import type {
  HistoryEntry,
  HistoryPage,
  TaskTransition,
  TransitionKind,
} from "../../queue/task_transition.ts";
import { knownMaxAttempts } from "../../queue_policy/attempt_end.ts";
import type { PreparedHistory } from "../../queue_policy/history_request.ts";
import { beginOf, type PreparedPart } from "../../queue_policy/page_request.ts";
import { transitionOf } from "../../queue_policy/transition_note.ts";
import type { Row, Statements } from "./database.ts";

/** Where the history stands; the text is what `history` calls a cursor. */
interface Position {
  readonly tx: string;
  readonly step: number;
}

/** How many tasks the history is asked for at once by a follower. */
const FOLLOW_MAX = 1000;

const SETTLED = "p.tx < pg_snapshot_xmin(pg_current_snapshot())";

/** The statements; a test reads their plans. */
export const HISTORY_SQL = {
  ofTask: `select task_id, at, kind, details, duration_ms from @transition where task_id = $1
    order by step limit $2 offset $3`,
  countOfTask: "select count(*) as count from @transition where task_id = $1",
  lastOfTask: `select task_id, at, kind, details, duration_ms from @transition where task_id = $1
    order by step desc limit 1`,
  lastFailure: `select task_id, at, kind, details, duration_ms from @transition
    where task_id = $1 and kind in ('retried', 'failed') order by step desc limit 1`,
  /** `$1` is a transaction, `$2` a step, `$3` how many. */
  after: `select p.tx::text as tx, p.step, p.task_id, p.at, p.kind, p.details, p.duration_ms,
      t.run_id, lane.type
    from @transition p join @task t on t.id = p.task_id join @lane lane using (lane_id)
    where (p.tx, p.step) > ($1::xid8, $2) and ${SETTLED} order by p.tx, p.step limit $3`,
  tasksAfter: `select p.tx::text as tx, p.step, p.task_id from @transition p
    where (p.tx, p.step) > ($1::xid8, $2) and ${SETTLED} order by p.tx, p.step limit $3`,
  end: `select p.tx::text as tx, p.step from @transition p where ${SETTLED}
    order by p.tx desc, p.step desc limit 1`,
} as const;

const BEGINNING: Position = { tx: "0", step: 0 };

/** The same in every engine. */
const BEGINNING_CURSOR = "0";

/** A part of what happened to a task, in order. */
export async function transitionsOf(
  tx: Statements,
  taskId: number,
  part: PreparedPart,
): Promise<TaskTransition[]> {
  const [counted] = await tx.query(HISTORY_SQL.countOfTask, [taskId]);
  const begin = beginOf(part, Number(counted!.count));
  return (await tx.query(HISTORY_SQL.ofTask, [taskId, part.limit, begin])).map(transitionOfRow);
}

/** What happened to a task last. */
export async function lastTransitionOf(
  tx: Statements,
  taskId: number,
): Promise<TaskTransition | undefined> {
  return (await tx.query(HISTORY_SQL.lastOfTask, [taskId])).map(transitionOfRow)[0];
}

/** How many attempts a task has, as far as is known: its handler may allow fewer than the task, which the first failure tells. */
export async function maxAttemptsOf(
  tx: Statements,
  task: Pick<Task, "id" | "attempts" | "maxAttempts">,
): Promise<number> {
  const [row] = await tx.query(HISTORY_SQL.lastFailure, [task.id]);
  return knownMaxAttempts(task, row && transitionOfRow(row).handlerMaxAttempts);
}

/** A part of the history of all tasks. */
export async function history(
  tx: Statements,
  { after, limit }: PreparedHistory,
): Promise<HistoryPage> {
  const end = await endOf(tx);
  if (after === null) return { entries: [], cursor: cursorOf(end) };
  const position = positionOf(after);
  const rows = await tx.query(HISTORY_SQL.after, [position.tx, position.step, limit]);
  const entries = rows.map(entryOfRow);
  return { entries, cursor: entries.at(-1)?.cursor ?? cursorOf(earlier(position, end)) };
}

/** Goes along the history. */
export class HistoryReader {
  readonly #statements: Statements;
  #position = BEGINNING;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** Passes over what there is. */
  async skipToEnd(): Promise<void> {
    this.#position = await endOf(this.#statements);
  }

  /** The tasks of the next steps; `"many"` when there are too many, which are passed over. */
  async next(): Promise<number[] | "many"> {
    const { tx, step } = this.#position;
    const rows = await this.#statements.query(HISTORY_SQL.tasksAfter, [tx, step, FOLLOW_MAX]);
    const last = rows.at(-1);
    if (last === undefined) return [];
    if (rows.length === FOLLOW_MAX) {
      await this.skipToEnd();
      return "many";
    }
    this.#position = positionOfRow(last);
    return [...new Set(rows.map(({ task_id }) => Number(task_id)))];
  }
}

async function endOf(statements: Statements): Promise<Position> {
  const [last] = await statements.query(HISTORY_SQL.end);
  return last === undefined ? BEGINNING : positionOfRow(last);
}

function positionOfRow({ tx, step }: Row): Position {
  return { tx: String(tx), step: Number(step) };
}

function cursorOf(position: Position): string {
  return position === BEGINNING ? BEGINNING_CURSOR : `${position.tx}-${position.step}`;
}

/** @throws RangeError */
function positionOf(cursor: string): Position {
  if (cursor === BEGINNING_CURSOR) return BEGINNING;
  const [, tx, step] = /^(0|[1-9]\d{0,18})-(0|[1-9]\d{0,15})$/.exec(cursor) ?? [];
  if (tx !== undefined) return { tx, step: Number(step) };
  throw new RangeError(
    `Cannot use ${JSON.stringify(cursor)} as after: a cursor of history() is needed`,
  );
}

function earlier(a: Position, b: Position): Position {
  const isEarlier = BigInt(a.tx) < BigInt(b.tx) || a.tx === b.tx && a.step <= b.step;
  return isEarlier ? a : b;
}

function entryOfRow(row: Row): HistoryEntry {
  return {
    ...transitionOfRow(row),
    cursor: cursorOf(positionOfRow(row)),
    runId: String(row.run_id),
    type: String(row.type),
  };
}

function transitionOfRow(row: Row): TaskTransition {
  return transitionOf({
    taskId: Number(row.task_id),
    atMs: Number(row.at),
    kind: row.kind as TransitionKind,
    details: row.details as string | null,
    durationMs: row.duration_ms as number | null,
  });
}
