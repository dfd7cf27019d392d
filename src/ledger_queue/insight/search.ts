/**
 * Search in the replica: what a text names by indexes; what has it in it, slice by slice.
 *
 * A slice looks at the tasks of one index, newest first: so many of them, and no more characters than it can look through soon.
 */
import { TASK_STATUSES } from "../../domain/task.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import {
  type PreparedSearch,
  type PreparedSearchFilter,
  runRange,
  type SearchPlace,
  type SearchStep,
} from "../../queue_policy/search_request.ts";
import type { IdSpan, SearchPart, SearchSlice } from "../../queue_policy/search_walk.ts";
import { fillPage, lengthOf } from "../rows/page.ts";
import { shelvesOf } from "../rows/shelves.ts";
import { findRow, taskOfRow } from "../rows/task_row.ts";

/** With more shelves than this, all tasks are looked at. */
const SHELVES_MAX = 8;

/** How many characters of payloads one slice looks through, but for the last of them. */
const LENGTH_MAX = 1024 * 1024;

const PLACES = "SELECT id, octet_length(payload) FROM task_queue";

/** A text in a column; the engine knows small letters from A to Z alone. */
const has = (column: string, text = "?2"): string => `instr(lower(${column}), ${text}) > 0`;

/** The statements; a test reads their plans. */
export const SEARCH_SQL = {
  byKey: "SELECT * FROM task_queue WHERE idempotency_key = ?",
  runs: `SELECT * FROM task_queue WHERE run_id >= ?1 AND run_id < ?2 AND run_id > ?3
    ORDER BY run_id LIMIT ?4`,
  all: `${PLACES} WHERE id < ? ORDER BY id DESC LIMIT ?`,
  ofGroup: `${PLACES} INDEXED BY tasks_by_group
    WHERE grp = ? AND grp <> '' AND id < ? ORDER BY id DESC LIMIT ?`,
  withTag: `SELECT id, octet_length(payload)
    FROM task_tags AS tagged CROSS JOIN task_queue ON id = tagged.task_id
    WHERE tagged.tag = ? AND tagged.task_id < ? ORDER BY tagged.task_id DESC LIMIT ?`,
  ofShelf: `${PLACES} INDEXED BY tasks_by_status
    WHERE status = ? AND type = ? AND id < ? ORDER BY id DESC LIMIT ?`,
  /** `?1` ids; `?2` the text, or null, `?3` the text in JSON where that differs; then the filter, and how many. */
  match:
    `SELECT task.id FROM json_each(?1) AS wanted CROSS JOIN task_queue AS task ON task.id = wanted.value
    WHERE (?4 IS NULL OR status = ?4) AND (?5 IS NULL OR task.type = ?5) AND (?6 IS NULL OR grp = ?6)
      AND created_at_utc < ?7
      AND (?2 IS NULL OR ${has("payload")} OR ${has("error_message")} OR ${has("task.type")}
        OR ${has("locked_by")} OR (?3 IS NOT NULL AND ${has("payload", "?3")}))
    ORDER BY task.id DESC LIMIT ?8`,
  span: "SELECT (SELECT min(id) FROM task_queue), (SELECT max(id) FROM task_queue)",
} as const;

/** A task's id, and how many characters its payload has. */
type Place = readonly [id: number, length: number];

/** The ids that there are. */
export function idSpan(reader: Reader): IdSpan | undefined {
  const [[lowest, highest]] = reader.read(SEARCH_SQL.span) as [SqlRow];
  return lowest === null ? undefined : { lowest: Number(lowest), highest: Number(highest) };
}

/** One slice, of so many tasks at most. */
export function look(
  reader: Reader,
  search: PreparedSearch,
  { place, wanted, size }: SearchPart & { readonly size: number },
): SearchSlice {
  switch (place.step) {
    case "named":
      return sliceOf(named(reader, search), { looked: 0, next: null });
    case "runs":
      return runs(reader, search, { place, wanted });
    case "group":
    case "tag":
    case "text":
      return lookThrough(reader, search, { place, wanted, size });
  }
}

function sliceOf(
  rows: readonly SqlRow[],
  { looked, next }: Pick<SearchSlice, "looked" | "next">,
): SearchSlice {
  const length = rows.reduce((sum, row) => sum + lengthOf(row), 0);
  return { tasks: rows.map(taskOfRow), length, looked, next };
}

function named(reader: Reader, { text, id }: PreparedSearch): SqlRow[] {
  const byId = id === null ? undefined : findRow(reader, id);
  const byKey = reader.read(SEARCH_SQL.byKey, [text]);
  const rows = byId === undefined ? byKey : [byId, ...byKey.filter(([known]) => known !== id)];
  return rows;
}

function runs(reader: Reader, search: PreparedSearch, { place, wanted }: SearchPart): SearchSlice {
  const [from, below] = runRange(search);
  const rows = reader.read(SEARCH_SQL.runs, [from, below, place.at, wanted]);
  const page = fillPage(rows);
  const isEnd = rows.length < wanted && page.length === rows.length;
  return sliceOf(page, { looked: 0, next: isEnd ? null : taskOfRow(page.at(-1)!).runId });
}

function lookThrough(
  reader: Reader,
  search: PreparedSearch,
  { place, wanted, size }: SearchPart & { readonly size: number },
): SearchSlice {
  const { places, isEnd } = placesOf(reader, search, { place, size });
  const found = matching(reader, search, { places, step: place.step, wanted });
  const page = fillPage(found.map((id) => findRow(reader, id)!));
  const isCut = found.length === wanted || page.length < found.length;
  if (!isCut) {
    const last = places.at(-1)?.[0];
    return sliceOf(page, {
      looked: places.length,
      next: isEnd || last === undefined ? null : String(last),
    });
  }
  const lastFound = Number(page.at(-1)![0]);
  const looked = places.filter(([id]) => id >= lastFound).length;
  return sliceOf(page, { looked, next: String(lastFound) });
}

/** Which of these tasks match, from the newest. */
function matching(
  reader: Reader,
  { text, wanted: wantedText, wantedJson, filter }: PreparedSearch,
  { places, step, wanted }: {
    readonly places: readonly Place[];
    readonly step: SearchStep;
    readonly wanted: number;
  },
): number[] {
  const { status, type, group, createdBeforeMs } = filter;
  const ofText = step === "text";
  const rows = reader.read(SEARCH_SQL.match, [
    JSON.stringify(places.map(([id]) => id)),
    ofText ? wantedText : null,
    ofText ? wantedJson : null,
    ...[status, type, step === "group" ? text : group],
    createdBeforeMs,
    wanted,
  ]);
  return rows.map(([id]) => Number(id));
}

/** The tasks to look at, and whether there are no more. */
function placesOf(
  reader: Reader,
  search: PreparedSearch,
  { place: { step, at }, size }: { readonly place: SearchPlace; readonly size: number },
): { readonly places: Place[]; readonly isEnd: boolean } {
  const beforeId = Number(at);
  const { text, filter } = search;
  const rows = rowsOf(reader, {
    ...filter,
    group: step === "group" ? text : step === "tag" ? null : filter.group,
    tag: step === "tag" ? text : step === "group" ? null : filter.tag,
  }, { beforeId, size });
  const places: Place[] = [];
  let left = LENGTH_MAX;
  for (const [id, length] of rows) {
    if (left <= 0) break;
    left -= Number(length);
    places.push([Number(id), Number(length)]);
  }
  return { places, isEnd: rows.length < size && places.length === rows.length };
}

function rowsOf(
  reader: Reader,
  { status, type, group, tag }: PreparedSearchFilter,
  { beforeId, size }: { readonly beforeId: number; readonly size: number },
): SqlRow[] {
  if (tag !== null) return reader.read(SEARCH_SQL.withTag, [tag, beforeId, size]);
  if (group !== null) return reader.read(SEARCH_SQL.ofGroup, [group, beforeId, size]);
  const isAll = status === null && type === null;
  const statuses = status === null ? TASK_STATUSES : [status];
  const shelves = isAll ? undefined : shelvesOf(reader, statuses, { type, max: SHELVES_MAX });
  if (shelves === undefined) return reader.read(SEARCH_SQL.all, [beforeId, size]);
  const rows = shelves.flatMap((shelf) =>
    reader.read(SEARCH_SQL.ofShelf, [shelf.status, shelf.type, beforeId, size])
  );
  return rows.sort(([a], [b]) => Number(b) - Number(a)).slice(0, size);
}
