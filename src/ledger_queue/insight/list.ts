/**
 * Lists and counts of tasks, from the replica.
 *
 * A page ends early where its tasks become too large together, so that no reader of pages has to hold hundreds of megabytes.
 */
import { lazyMap } from "../../domain/sequences.ts";
import { TASK_STATUSES } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { PreparedList } from "../../queue_policy/list_request.ts";
import { fillPage } from "../rows/page.ts";
import { type Shelf, shelvesOf } from "../rows/shelves.ts";
import { findRow } from "../rows/task_row.ts";

/**
 * The rows asked for, newest first: a few index searches and the rows themselves, however many tasks there are. Fewer rows,
 * one at least, when they are large.
 */
export function list(reader: Reader, request: PreparedList): SqlRow[] {
  const ids = idsOf(reader, request);
  return fillPage(lazyMap(ids, (id) => findRow(reader, id)!));
}

function idsOf(reader: Reader, request: PreparedList): number[] {
  const { status, type, group, tag } = request;
  if (tag !== null) return withTag(reader, request);
  if (group !== null) return ofGroup(reader, request);
  return status === null && type === null ? newest(reader, request) : found(reader, request);
}

/** By the rows of the tag alone, each with its task. */
const WITH_TAG = `FROM task_tags AS tagged CROSS JOIN task_queue AS task ON task.id = tagged.task_id
  WHERE tagged.tag = ?1 AND (?2 IS NULL OR task.status = ?2) AND (?3 IS NULL OR task.type = ?3)
    AND (?4 IS NULL OR task.grp = ?4)`;

/** The statements about one tag; a test reads their plans. */
export const TAG_LIST_SQL = {
  page: `SELECT tagged.task_id ${WITH_TAG} AND tagged.task_id < ?5
    ORDER BY tagged.task_id DESC LIMIT ?6 OFFSET ?7`,
  count: `SELECT count(*) ${WITH_TAG}`,
  countAlone: "SELECT count(*) FROM task_tags WHERE tag = ?",
} as const;

function withTag(
  reader: Reader,
  { tag, status, type, group, beforeId, limit, offset }: PreparedList,
): number[] {
  const parameters = [tag, status, type, group, beforeId, limit, offset];
  return reader.read(TAG_LIST_SQL.page, parameters).map(([id]) => Number(id));
}

/** A tag alone is counted without its tasks. */
function countWithTag(reader: Reader, { tag, status, type, group }: PreparedList): number {
  const isAlone = status === null && type === null && group === null;
  const [row] = isAlone
    ? reader.read(TAG_LIST_SQL.countAlone, [tag])
    : reader.read(TAG_LIST_SQL.count, [tag, status, type, group]);
  return Number(row![0]);
}

const OF_GROUP = `FROM task_queue INDEXED BY tasks_by_group
  WHERE grp = ?1 AND grp <> '' AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR type = ?3)`;

function ofGroup(
  reader: Reader,
  { group, status, type, beforeId, limit, offset }: PreparedList,
): number[] {
  const select = `SELECT id ${OF_GROUP} AND id < ?4 ORDER BY id DESC LIMIT ?5 OFFSET ?6`;
  return reader.read(select, [group, status, type, beforeId, limit, offset]).map(([id]) =>
    Number(id)
  );
}

function newest(reader: Reader, { beforeId, limit, offset }: PreparedList): number[] {
  const select = "SELECT id FROM task_queue WHERE id < ? ORDER BY id DESC LIMIT ? OFFSET ?";
  return reader.read(select, [beforeId, limit, offset]).map(([id]) => Number(id));
}

/** So many shelves are merged by one statement; of more, each is read by itself. */
const MERGED_MAX = 16;

/** The ids on so many shelves; its parameters are status, type and `beforeId` of each, then limit and offset. A test reads its plan. */
export function mergedSql(shelfCount: number): string {
  const one = `SELECT id FROM task_queue INDEXED BY tasks_by_status
    WHERE status = ? AND type = ? AND id < ?`;
  return `${Array(shelfCount).fill(one).join(" UNION ALL ")} ORDER BY id DESC LIMIT ? OFFSET ?`;
}

/** The ids of those that the request's status or type is about. */
function found(reader: Reader, request: PreparedList): number[] {
  const { beforeId, limit, offset } = request;
  const all = shelves(reader, request);
  const idsOn = (some: readonly Shelf[], most: number, from: number): number[] => {
    const places = some.flatMap(({ status, type }) => [status, type, beforeId]);
    return reader.read(mergedSql(some.length), [...places, most, from]).map(([id]) => Number(id));
  };
  if (all.length === 0) return [];
  if (all.length <= MERGED_MAX) return idsOn(all, limit, offset);
  const ids = all.flatMap((shelf) => idsOn([shelf], offset + limit, 0));
  ids.sort((a, b) => b - a);
  return ids.slice(offset, offset + limit);
}

/** How many rows there are, whatever the page. */
export function count(reader: Reader, request: PreparedList): number {
  const { group, tag, status: of, type: only } = request;
  if (tag !== null) return countWithTag(reader, request);
  if (group !== null) {
    return Number(reader.read(`SELECT count(*) ${OF_GROUP}`, [group, of, only])[0]![0]);
  }
  if (of === null && only === null) {
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
  return shelvesOf(reader, status === null ? TASK_STATUSES : [status], { type })!;
}
