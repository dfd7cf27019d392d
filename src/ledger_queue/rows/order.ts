/**
 * Order: of the tasks of one ordering key that are not final, one has its turn, the front: the one that is leased, else the first by its
 * place, which is its own id or that of the task that it has replaced. All others are behind it. A task that is behind waits for one task
 * more (`waits_for`), so it stands in no index that a claim reads, and a claim costs the same however many there are.
 *
 * Whatever gives a task a turn or takes it away goes through `updateTask`, `addTask` or `deleteTask`, which settle the key in the same
 * transaction; nothing else has to think of it. The first one has no turn either while it is held up by one before it that has failed.
 */
import { isReady } from "../../domain/readiness.ts";
import { isFinal, type TaskStatus } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { SqlRow, SqlValue } from "../../ledger/sql_engine.ts";
import { cell } from "./cells.ts";
import { laneClock, laneOfRow } from "./lanes.ts";
import type { TaskColumn } from "./schema.ts";

/** Values of some columns of `task_queue`. */
type Values = Readonly<Partial<Record<TaskColumn, SqlValue>>>;

/** What of a key is not final, first by place. */
const LIVE_OF_KEY = `task_queue INDEXED BY ordered_tasks
  WHERE ordering_key IS NOT NULL AND status IN ('queued', 'leased') AND ordering_key = +?1`;

const FAILED_OF_KEY = `task_queue INDEXED BY order_failures
  WHERE ordering_key IS NOT NULL AND status = 'failed' AND ordering_key = +?1`;

const BY_PLACE = "ORDER BY ifnull(ordering_place, id), id LIMIT 1";

/** What comes before place `?2` and id `?3`. */
const BEFORE = "(ifnull(ordering_place, id), id) < (+?2, +?3)";

/** How many tasks before another are counted. */
export const BEFORE_MAX = 1000;

/** The statements; a test reads their plans. */
export const ORDER_SQL = {
  fronts: `SELECT * FROM task_queue INDEXED BY order_fronts
    WHERE ordering_key IS NOT NULL AND is_behind = 0 AND ordering_key = +?1`,
  first: `SELECT * FROM ${LIVE_OF_KEY} ${BY_PLACE}`,
  anyLive: `SELECT 1 FROM ${LIVE_OF_KEY} LIMIT 1`,
  anyFailed: `SELECT 1 FROM ${FAILED_OF_KEY} LIMIT 1`,
  failedBefore: `SELECT * FROM ${FAILED_OF_KEY} AND ${BEFORE} ${BY_PLACE}`,
  countBefore: `SELECT count(*) FROM
    (SELECT 1 FROM ${LIVE_OF_KEY} AND ${BEFORE} LIMIT ${BEFORE_MAX})`,
} as const;

/** The ordering key of a row. */
export function orderingKeyOf(row: SqlRow): string | null {
  return cell(row, "ordering_key") as string | null;
}

/** Whether a new task of this key would have its turn at once. */
export function canLead(
  reader: Reader,
  { ordering_key: key, on_predecessor_failure: policy }: Values,
): boolean {
  if (key === null || key === undefined) return true;
  if (reader.read(ORDER_SQL.anyLive, [key]).length > 0) return false;
  return policy !== "hold" || reader.read(ORDER_SQL.anyFailed, [key]).length === 0;
}

/** What a task under an ordering key is added with; `isLast` when it comes after all that are there. */
export function addedInOrder(
  reader: Reader,
  values: Values,
  { isLast }: { readonly isLast: boolean },
): Values {
  if (isFinal(values.status as TaskStatus)) return { ...values, is_behind: null };
  if (isLast && canLead(reader, values)) return { ...values, is_behind: 0 };
  const clock = laneClock(reader, {
    type: values.type as string,
    compatibility: values.compatibility as string,
    grp: values.grp as string,
  });
  return {
    ...values,
    is_behind: 1,
    is_ready: 0,
    waits_for: (values.waits_for as number) + 1,
    draw_key: (values.draw_key as number) - clock,
  };
}

/** What a change of a task's status means for its turn: one that is final has none, one that comes back is looked at anew. */
export function turnOf(row: SqlRow, { status }: Values): Values {
  if (isFinal(status as TaskStatus)) return { is_behind: null };
  return cell(row, "is_behind") === null ? { is_behind: 0 } : {};
}

/** Whether a change of a task may give another one its turn, or take it away. One that is held up ends in nobody's turn. */
export function mayMoveTurn(before: SqlRow, after: SqlRow): boolean {
  const [was, is] = [cell(before, "status"), cell(after, "status")];
  if (was === is || is === "leased") return false;
  return cell(before, "is_behind") !== 1 || cell(before, "on_predecessor_failure") === "hold";
}

/** Gives the turn of a key to whom it belongs. `change` writes a row. */
export function settleKey(
  reader: Reader,
  key: string,
  { nowMs, change }: {
    readonly nowMs: number;
    readonly change: (row: SqlRow, values: Values) => void;
  },
): void {
  const fronts = reader.read(ORDER_SQL.fronts, [key]);
  const front = fronts.find((row) => cell(row, "status") === "leased") ?? nextOf(reader, key);
  const id = front && cell(front, "id");
  for (const other of fronts) {
    if (cell(other, "id") !== id) change(other, fallenBack(reader, other));
  }
  if (front !== undefined && cell(front, "is_behind") === 1) {
    change(front, comeForward(reader, front, nowMs));
  }
}

/** The first of a key that is not final, unless one before it that has failed holds it up. */
function nextOf(reader: Reader, key: string): SqlRow | undefined {
  const [first] = reader.read(ORDER_SQL.first, [key]);
  return first === undefined || holderOf(reader, first) !== undefined ? undefined : first;
}

/** The failed task that holds this one up, the first. */
function holderOf(reader: Reader, row: SqlRow): SqlRow | undefined {
  if (cell(row, "on_predecessor_failure") !== "hold") return undefined;
  return reader.read(ORDER_SQL.failedBefore, placeOf(row))[0];
}

/** Whether a failed task of this key holds up others. */
export function holdsUpOthers(reader: Reader, failed: SqlRow): boolean {
  const key = orderingKeyOf(failed);
  if (key === null) return false;
  const [first] = reader.read(ORDER_SQL.first, [key]);
  return first !== undefined && cell(first, "is_behind") === 1 &&
    holderOf(reader, first) !== undefined;
}

/** What comes before a task that is behind: whose turn it is, or the failed one that holds it up; how many come first. */
export function predecessorOf(
  reader: Reader,
  row: SqlRow,
): { readonly row: SqlRow; readonly count: number } | undefined {
  const key = orderingKeyOf(row);
  if (key === null || cell(row, "is_behind") !== 1) return undefined;
  const [front] = reader.read(ORDER_SQL.fronts, [key]);
  const [first] = reader.read(ORDER_SQL.first, [key]);
  const isFirst = first !== undefined && cell(first, "id") === cell(row, "id");
  const before = front ?? (isFirst ? holderOf(reader, row) : first);
  const count = Number(reader.read(ORDER_SQL.countBefore, placeOf(row))[0]![0]);
  return before && { row: before, count };
}

/** A task's key, its place and its id. */
function placeOf(row: SqlRow): SqlValue[] {
  const id = cell(row, "id");
  return [orderingKeyOf(row), cell(row, "ordering_place") ?? id, id];
}

/** Its turn is another's. What is left of its waiting time under weighted random is drawn already. */
function fallenBack(reader: Reader, row: SqlRow): Values {
  return {
    is_behind: 1,
    is_ready: 0,
    waits_for: (cell(row, "waits_for") as number) + 1,
    draw_key: (cell(row, "draw_key") as number) - laneClock(reader, laneOfRow(row)),
  };
}

/** Its turn has come; one that was due waits from now on. */
function comeForward(reader: Reader, row: SqlRow, nowMs: number): Values {
  const waitsFor = (cell(row, "waits_for") as number) - 1;
  const wasDueMs = cell(row, "run_after_utc") as number;
  const runAfterMs = waitsFor === 0 ? Math.max(nowMs, wasDueMs) : wasDueMs;
  return {
    is_behind: 0,
    waits_for: waitsFor,
    run_after_utc: runAfterMs,
    is_ready: isReady({ runAfterMs, waitsFor }, nowMs) ? 1 : 0,
    draw_key: (cell(row, "draw_key") as number) + laneClock(reader, laneOfRow(row)),
    updated_at_utc: Math.max(nowMs, cell(row, "updated_at_utc") as number),
  };
}
