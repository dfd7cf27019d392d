/**
 * Bulk: what of a filter's tasks is looked at, and what one transaction does to those that match.
 */
import { isFinal, type TaskStatus } from "../../domain/task.ts";
import {
  type BulkFacts,
  type IdRange,
  matches,
  type PreparedBulk,
  type PreparedFilter,
} from "../../queue_policy/bulk_request.ts";
import { type BulkSlice, type BulkStep, sliceOf } from "../../queue_policy/bulk_walk.ts";
import type { Row, Statements } from "../rows/database.ts";
import { fitting } from "../rows/page.ts";
import { STATUS, type TaskRow } from "../rows/task_row.ts";
import type { Work } from "../rows/work.ts";
import { cancelRow, retryRows } from "./cancel_retry.ts";
import { propagate } from "./propagate.ts";
import { removeTasks } from "./prune.ts";
import { edit } from "./update.ts";

/** How many tasks one transaction changes at most: it holds their locks. */
export const BULK_STEP = 500;

/** How many tasks one look finds. */
const LOOK_MAX = 1000;

/** `$1` is the id before the first, `$2` the last one, `$3` says whether errors are needed. */
const FACTS =
  `select t.id, ${STATUS} as status, lane.type, t.grp, t.tags, t.created_at, t.finished_at,
    coalesce(v.attempts, t.attempts) as attempts,
    case when $3::boolean then coalesce(v.error_message, t.error_message) end as error_message
  from @task t join @lane lane on lane.lane_id = t.lane_id left join @live v on v.id = t.id`;

/** The statements; a test reads their plans. */
export const BULK_SQL = {
  lastId: "select max(id) as id from @task",
  byIds: `${FACTS} where t.id = any($4) and t.id > $1 and t.id <= $2 order by t.id
    limit ${LOOK_MAX}`,
  ofGroup: `${FACTS} where t.grp = $4 and t.grp <> '' and t.id > $1 and t.id <= $2 order by t.id
    limit ${LOOK_MAX}`,
  withTag: `select found.* from @task_tag g
      cross join lateral (${FACTS} where t.id = g.task_id offset 0) as found
    where g.tag = $4 and g.task_id > $1 and g.task_id <= $2 order by g.task_id limit ${LOOK_MAX}`,
  lengths: `select id, length(payload) + coalesce(length(result), 0) as length from @task
    where id = any($1) order by id`,
  lanes: "select lane_id from @lane where $1::text is null or type = $1",
  /** `$4` are lanes, `$5` final statuses, `$6` says whether leased tasks are wanted, `$7` whether queued ones are. */
  ofLanes: `with found as materialized (
      (select v.id from @live v where v.id > $1 and v.id <= $2 and v.lane_id = any($4)
          and case when v.state = 4 then $6::boolean else $7::boolean end
        order by v.id limit ${LOOK_MAX})
      union all
      select part.id from unnest($4::int[]) as l(lane) cross join unnest($5::text[]) as o(outcome)
        cross join lateral (
          select t.id from @task t
          where t.outcome = o.outcome and t.lane_id = l.lane and t.id > $1 and t.id <= $2
          order by t.id limit ${LOOK_MAX}) as part)
    ${FACTS} where t.id in (select id from found) order by t.id limit ${LOOK_MAX}`,
} as const;

/** The highest id. */
export async function lastId(tx: Statements): Promise<number> {
  return Number((await tx.query(BULK_SQL.lastId))[0]!.id ?? 0);
}

/** The first tasks of a range that may match. */
export async function look(
  tx: Statements,
  filter: PreparedFilter,
  range: IdRange,
): Promise<BulkSlice> {
  const rows = await find(tx, filter, range);
  return sliceOf(rows.map(factsOfRow), { upToId: range.upToId, max: LOOK_MAX });
}

async function find(
  tx: Statements,
  { ids, group, tag, statuses, error, type }: PreparedFilter,
  { afterId, upToId }: IdRange,
): Promise<Row[]> {
  const place = [afterId, upToId, error !== null];
  if (ids !== null) return await tx.query(BULK_SQL.byIds, [...place, ids]);
  if (tag !== null) return await tx.query(BULK_SQL.withTag, [...place, tag]);
  if (group !== null) return await tx.query(BULK_SQL.ofGroup, [...place, group]);
  const lanes = (await tx.query(BULK_SQL.lanes, [type])).map(({ lane_id }) => Number(lane_id));
  return await tx.query(BULK_SQL.ofLanes, [
    ...place,
    lanes,
    statuses.filter(isFinal),
    statuses.includes("leased"),
    statuses.includes("queued"),
  ]);
}

function factsOfRow(row: Row): BulkFacts {
  return {
    id: Number(row.id),
    status: row.status as TaskStatus,
    type: String(row.type),
    grp: String(row.grp),
    tags: row.tags as string | null,
    createdAtMs: Number(row.created_at),
    finishedAtMs: row.finished_at === null ? null : Number(row.finished_at),
    attempts: Number(row.attempts),
    errorMessage: row.error_message as string | null,
  };
}

/** Changes those of these tasks that match; how far it came, and which it has deleted. */
export async function change(
  work: Work,
  { bulk, ids }: { readonly bulk: PreparedBulk; readonly ids: readonly number[] },
): Promise<BulkStep & { readonly removed: readonly number[] }> {
  const done = await fittingCount(work.tx, ids);
  const locked = await work.rows(ids.slice(0, done));
  const rows = locked.filter((row) => matches(factsOf(row), bulk.filter));
  const counts = { matched: rows.length, done };
  if (bulk.action === "remove") {
    const removed = await removeTasks(work, rows.map(({ id }) => id));
    return { ...counts, changed: removed.length, removed };
  }
  const changed = await changeRows(work, rows, bulk);
  await work.flush();
  return { ...counts, changed, removed: [] };
}

/** How many of these tasks are not too large together; the first always. */
async function fittingCount(tx: Statements, ids: readonly number[]): Promise<number> {
  const lengths = await tx.query(BULK_SQL.lengths, [ids]);
  const fit = fitting(lengths.map(({ id, length }) => ({
    key: Number(id),
    length: Number(length),
  })));
  return fit.length === lengths.length ? ids.length : ids.indexOf(fit.at(-1)!) + 1;
}

/** Changes tasks; their children are told in the end, all at once. How many are different now. */
async function changeRows(
  work: Work,
  rows: readonly TaskRow[],
  { action, update, by }: PreparedBulk,
): Promise<number> {
  if (update !== null) {
    return rows.filter((row) => edit(work, row, update) !== undefined).length;
  }
  const ended = action === "retry" ? await retryRows(work, rows, by) : [];
  if (action === "cancel") {
    for (const row of rows) ended.push(await cancelRow(work, row, { by }));
  }
  await propagate(work, ended);
  return ended.length;
}

function factsOf(row: TaskRow): BulkFacts {
  return {
    id: row.id,
    status: row.status,
    type: row.type,
    grp: row.grp,
    tags: row.tags,
    createdAtMs: row.created_at,
    finishedAtMs: row.finished_at,
    attempts: row.attempts,
    errorMessage: row.error_message,
  };
}
