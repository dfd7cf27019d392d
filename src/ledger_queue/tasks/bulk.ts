/**
 * Bulk: what of a filter's tasks is looked at, and what one transaction does to those that match.
 */
import type { TaskStatus } from "../../domain/task.ts";
import type { Reader, Transaction } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import {
  type BulkFacts,
  type IdRange,
  matches,
  type PreparedBulk,
  type PreparedFilter,
} from "../../queue_policy/bulk_request.ts";
import { type BulkSlice, type BulkStep, sliceOf } from "../../queue_policy/bulk_walk.ts";
import type { OperationContext } from "../rows/context.ts";
import { RecordBudget } from "../rows/record_budget.ts";
import { type Shelf, shelvesOf } from "../rows/shelves.ts";
import { cell } from "../rows/cells.ts";
import { findRow } from "../rows/task_row.ts";
import { cancelRow, retryRow } from "./cancel_retry.ts";
import { propagate } from "./propagate.ts";
import { deletedOf, removeTask, waitingChild } from "./remove.ts";
import { edit } from "./update.ts";

/** How many tasks one transaction changes at most: it holds up everything else in the process. */
export const BULK_STEP = 50;

/** Statuses with more types than this are looked through by id, and not by type. */
const TYPES_MAX = 32;

/** How many tasks one look finds by an index, each by a statement of its own, and how many it reads one after the other. */
const FOUND_MAX = 200;
const READ_MAX = 1000;

/** What a filter reads of a task; its error last, which is read only where it is asked about. */
const FACT_COLUMNS = [
  "id",
  "status",
  "type",
  "grp",
  "tags",
  "created_at_utc",
  "finished_at_utc",
  "attempts",
] as const;

const FACTS = `SELECT ${FACT_COLUMNS.join(", ")}, CASE WHEN ?1 THEN error_message END
    FROM task_queue`;

/** The statements; a test reads their plans. */
export const BULK_SQL = {
  lastId: "SELECT max(id) FROM task_queue",
  one: `${FACTS} WHERE id = ?2`,
  ofGroup: `${FACTS} INDEXED BY tasks_by_group
    WHERE grp = +?4 AND grp <> '' AND id > +?2 AND id <= +?3 ORDER BY id LIMIT ${READ_MAX}`,
  withTag: `${FACTS.replace("FROM", "FROM task_tags AS tagged CROSS JOIN")}
    ON id = task_id WHERE tag = ?4 AND task_id > ?2 AND task_id <= ?3 ORDER BY task_id LIMIT ${READ_MAX}`,
  ofShelf: `SELECT id FROM task_queue INDEXED BY tasks_by_status
    WHERE status = ? AND type = ? AND id > ? AND id <= ? ORDER BY id LIMIT ${FOUND_MAX}`,
  all: `${FACTS} WHERE id > ?2 AND id <= ?3 ORDER BY id LIMIT ${READ_MAX}`,
} as const;

/** The highest id. */
export function lastId(reader: Reader): number {
  return Number(reader.read(BULK_SQL.lastId)[0]![0] ?? 0);
}

/** The first tasks of a range that may match, by one index. */
export function look(reader: Reader, filter: PreparedFilter, range: IdRange): BulkSlice {
  const { ids, group, tag } = filter;
  const { afterId, upToId } = range;
  const hasError = filter.error === null ? 0 : 1;
  if (ids !== null) {
    const wanted = ids.filter((id) => id > afterId && id <= upToId).slice(0, FOUND_MAX);
    return foundOf(reader, wanted, { upToId, hasError });
  }
  const shelves = group === null && tag === null
    ? shelvesOf(reader, filter.statuses, { type: filter.type, max: TYPES_MAX })
    : undefined;
  if (shelves !== undefined) {
    return foundOf(reader, onShelves(reader, shelves, range), { upToId, hasError });
  }
  const place = [hasError, afterId, upToId];
  const rows = tag !== null
    ? reader.read(BULK_SQL.withTag, [...place, tag])
    : group !== null
    ? reader.read(BULK_SQL.ofGroup, [...place, group])
    : reader.read(BULK_SQL.all, place);
  return sliceOf(rows.map(factsOf), { upToId, max: READ_MAX });
}

function foundOf(
  reader: Reader,
  ids: readonly number[],
  { upToId, hasError }: { readonly upToId: number; readonly hasError: 0 | 1 },
): BulkSlice {
  return sliceOf(ids.map((id) => oneOf(reader, id, hasError)), { upToId, max: FOUND_MAX });
}

function onShelves(
  reader: Reader,
  shelves: readonly Shelf[],
  { afterId, upToId }: IdRange,
): number[] {
  const ids = shelves.flatMap(({ status, type }) =>
    reader.read(BULK_SQL.ofShelf, [status, type, afterId, upToId]).map(([id]) => Number(id))
  );
  return ids.sort((a, b) => a - b).slice(0, FOUND_MAX);
}

/** A task that is gone keeps its place, so that a page is full all the same. */
function oneOf(reader: Reader, id: number, hasError: 0 | 1): BulkFacts {
  const [row] = reader.read(BULK_SQL.one, [hasError, id]);
  return row === undefined ? { ...GONE, id } : factsOf(row);
}

/** No filter lets it through. */
const GONE: BulkFacts = Object.freeze({
  id: 0,
  status: "completed",
  type: "",
  grp: "",
  tags: null,
  createdAtMs: Infinity,
  finishedAtMs: null,
  attempts: -1,
  errorMessage: null,
});

/** What `FACTS` has read. */
function factsOf(facts: SqlRow): BulkFacts {
  const [id, status, type, grp, tags, createdAtMs, finishedAtMs, attempts, errorMessage] = facts;
  return {
    id: Number(id),
    status: status as TaskStatus,
    type: String(type),
    grp: String(grp),
    tags: tags as string | null,
    createdAtMs: Number(createdAtMs),
    finishedAtMs: finishedAtMs as number | null,
    attempts: Number(attempts),
    errorMessage: errorMessage as string | null,
  };
}

/** Changes those of these tasks that match; how far it came, and which it has deleted. */
export function change(
  tx: Transaction,
  { bulk, ids }: { readonly bulk: PreparedBulk; readonly ids: readonly number[] },
  context: OperationContext,
): BulkStep & { readonly removed: readonly number[] } {
  const budget = new RecordBudget(context.recordBudget);
  const ended: SqlRow[] = [];
  const removed: number[] = [];
  let [matched, changed, done] = [0, 0, 0];
  for (; done < ids.length && !budget.isSpent; done++) {
    const row = findRow(tx, ids[done]!);
    if (row === undefined || !matches(factsOfRow(row), bulk.filter)) continue;
    matched++;
    budget.spend(row);
    const isChanged = bulk.action === "remove"
      ? removeRow(tx, row, { removed, nowMs: context.nowMs })
      : changeRow(tx, { row, bulk, ended }, context);
    if (isChanged) changed++;
  }
  propagate(tx, ended, context);
  return { matched, changed, done, removed };
}

/** Deletes a task, unless one that is not final depends on it. */
function removeRow(
  tx: Transaction,
  row: SqlRow,
  { removed, nowMs }: { readonly removed: number[]; readonly nowMs: number },
): boolean {
  const id = cell(row, "id") as number;
  if (waitingChild(tx, id) !== undefined) return false;
  removeTask(tx, deletedOf(row), nowMs);
  removed.push(id);
  return true;
}

/** Changes a task; its children are told in the end, all at once. */
function changeRow(
  tx: Transaction,
  { row, bulk, ended }: {
    readonly row: SqlRow;
    readonly bulk: PreparedBulk;
    readonly ended: SqlRow[];
  },
  context: OperationContext,
): boolean {
  const { action, update, by } = bulk;
  if (update !== null) return edit(tx, { row, update }, context) !== undefined;
  ended.push(
    action === "cancel" ? cancelRow(tx, { row, by }, context) : retryRow(tx, { row, by }, context),
  );
  return true;
}

/** The same of a whole row. */
function factsOfRow(row: SqlRow): BulkFacts {
  return factsOf([...FACT_COLUMNS, "error_message" as const].map((column) => cell(row, column)));
}
