/**
 * Search on the server: what a text names by indexes; what has it in it, slice by slice, each a range of one index.
 */
import {
  type PreparedSearch,
  runRange,
  type SearchPlace,
} from "../../queue_policy/search_request.ts";
import type { IdSpan, SearchPart, SearchSlice } from "../../queue_policy/search_walk.ts";
import type { Statements } from "../rows/database.ts";
import { fitting } from "../rows/page.ts";
import { SELECT_TASKS, STATUS, taskOfRow, type TaskRow, taskRows } from "../rows/task_row.ts";
import { find, lanesOf } from "./list.ts";

/** With more lanes than this, all tasks are looked at. */
const LANES_MAX = 16;

/** How many characters one slice looks through, but for the last of its tasks. */
const LENGTH_MAX = 4 * 1024 * 1024;

/** A text in a column: in the collation "C" the server knows small letters from A to Z alone. */
const has = (column: string, text = "$2"): string =>
  `strpos(lower(${column} collate "C"), ${text}) > 0`;

/** The statements; a test reads their plans. */
export const SEARCH_SQL = {
  /** `$1` is an id or null, `$2` a key. */
  named: `${SELECT_TASKS} where t.id = $1 or t.idempotency_key = $2 order by t.id = $1 desc`,
  runs: `select t.id, length(t.payload) + coalesce(length(t.result), 0) as length, t.run_id
    from @task t where t.run_id >= $1 and t.run_id < $2 and t.run_id > $3
    order by t.run_id limit $4`,
  byIds: `${SELECT_TASKS} where t.id = any($1)`,
  /** `$1` ids; `$2` the text, or null, `$3` the text in JSON where that differs; then the filter, and how many. */
  match: `select t.id from @task t join @lane lane on lane.lane_id = t.lane_id
      left join @live v on v.id = t.id
    where t.id = any($1) and ($4::text is null or ${STATUS} = $4)
      and ($5::text is null or lane.type = $5) and ($6::text is null or t.grp = $6)
      and t.created_at < $7
      and ($2::text is null or ${has("t.payload")} or ${has("lane.type")}
        or ${has("coalesce(v.error_message, t.error_message)")}
        or ${has("coalesce(v.locked_by, t.locked_by)")}
        or ($3::text is not null and ${has("t.payload", "$3")}))
    order by t.id desc limit $8`,
  span: "select (select min(id) from @task) as lowest, (select max(id) from @task) as highest",
} as const;

/** A task's id, and how many characters it has. */
interface Place {
  readonly id: number;
  readonly length: number;
}

/** The ids that there are. */
export async function idSpan(tx: Statements): Promise<IdSpan | undefined> {
  const [row] = await tx.query(SEARCH_SQL.span);
  const { lowest, highest } = row!;
  return lowest === null ? undefined : { lowest: Number(lowest), highest: Number(highest) };
}

/** One slice, of so many tasks at most. */
export async function look(
  tx: Statements,
  search: PreparedSearch,
  { place, wanted, size }: SearchPart & { readonly size: number },
): Promise<SearchSlice> {
  switch (place.step) {
    case "named": {
      const rows = taskRows(await tx.query(SEARCH_SQL.named, [search.id, search.text]));
      return sliceOf(rows, { looked: 0, next: null });
    }
    case "runs":
      return await runs(tx, search, { place, wanted });
    case "group":
    case "tag":
    case "text":
      return await lookThrough(tx, search, { place, wanted, size });
  }
}

function sliceOf(
  rows: readonly TaskRow[],
  { looked, next }: Pick<SearchSlice, "looked" | "next">,
): SearchSlice {
  const length = rows.reduce(
    (sum, { payload, result }) => sum + payload.length + (result?.length ?? 0),
    0,
  );
  return { tasks: rows.map(taskOfRow), length, looked, next };
}

async function runs(
  tx: Statements,
  search: PreparedSearch,
  { place, wanted }: SearchPart,
): Promise<SearchSlice> {
  const found = await tx.query(SEARCH_SQL.runs, [...runRange(search), place.at, wanted]);
  const page = fitting(found.map((row) => ({ key: row, length: Number(row.length) })));
  const rows = await rowsOf(tx, page.map(({ id }) => Number(id)));
  const isEnd = found.length < wanted && page.length === found.length;
  return sliceOf(rows, { looked: 0, next: isEnd ? null : String(page.at(-1)!.run_id) });
}

/** The rows of these tasks that are still there, in this order. */
async function rowsOf(tx: Statements, ids: readonly number[]): Promise<TaskRow[]> {
  if (ids.length === 0) return [];
  const rows = taskRows(await tx.query(SEARCH_SQL.byIds, [ids]));
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

async function lookThrough(
  tx: Statements,
  search: PreparedSearch,
  { place, wanted, size }: SearchPart & { readonly size: number },
): Promise<SearchSlice> {
  const { places, isEnd } = await placesOf(tx, search, { place, size });
  if (places.length === 0) return sliceOf([], { looked: 0, next: null });
  const found = await matching(tx, search, { ids: places.map(({ id }) => id), place, wanted });
  const lengths = new Map(places.map(({ id, length }) => [id, length]));
  const page = fitting(found.map((id) => ({ key: id, length: lengths.get(id)! })));
  const rows = await rowsOf(tx, page);
  const isCut = found.length === wanted || page.length < found.length;
  const last = isCut ? page.at(-1)! : places.at(-1)!.id;
  const looked = places.filter(({ id }) => id >= last).length;
  return sliceOf(rows, { looked, next: isEnd && !isCut ? null : String(last) });
}

/** Which of these tasks match, from the newest. */
async function matching(
  tx: Statements,
  { text, wanted: wantedText, wantedJson, filter }: PreparedSearch,
  { ids, place, wanted }: SearchPart & { readonly ids: readonly number[] },
): Promise<number[]> {
  const { status, type, group, createdBeforeMs } = filter;
  const ofText = place.step === "text";
  const rows = await tx.query(SEARCH_SQL.match, [
    ids,
    ofText ? wantedText : null,
    ofText ? wantedJson : null,
    ...[status, type, place.step === "group" ? text : group],
    createdBeforeMs,
    wanted,
  ]);
  return rows.map(({ id }) => Number(id));
}

/** The tasks to look at, and whether there are no more. */
async function placesOf(
  tx: Statements,
  { text, filter }: PreparedSearch,
  { place: { step, at }, size }: { readonly place: SearchPlace; readonly size: number },
): Promise<{ readonly places: Place[]; readonly isEnd: boolean }> {
  const part = { beforeId: Number(at), limit: size, offset: 0 };
  const group = step === "group" ? text : step === "tag" ? null : filter.group;
  const tag = step === "tag" ? text : step === "group" ? null : filter.tag;
  const isByName = tag !== null || group !== null;
  const isAll = isByName || (await lanesOf(tx, filter.type)).length > LANES_MAX;
  const { status, type } = isAll ? { status: null, type: null } : filter;
  const rows = await find(tx, { status, type, tag, group: tag === null ? group : null, ...part });
  const places: Place[] = [];
  let left = LENGTH_MAX;
  for (const row of rows) {
    if (left <= 0) break;
    const [id, length] = [Number(row.id), Number(row.length)];
    left -= length;
    places.push({ id, length });
  }
  return { places, isEnd: rows.length < size && places.length === rows.length };
}
