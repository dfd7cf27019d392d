/**
 * Lists and counts of tasks: index searches and the rows themselves, however many tasks there are.
 *
 * A page ends early where its tasks become too large together, so that no reader of pages has to hold hundreds of megabytes.
 */
import { isFinal } from "../../domain/task.ts";
import { canMatch, type PreparedList } from "../../queue_policy/list_request.ts";
import type { Parameter, Row, Statements } from "../rows/database.ts";
import { fitting } from "../rows/page.ts";
import { SELECT_TASKS, STATUS, type TaskRow, taskRows } from "../rows/task_row.ts";

/** Of a status and of a type, where these are given. */
const OF_STATUS_AND_TYPE =
  `($4::text is null or ${STATUS} = $4) and ($5::text is null or lane.type = $5)`;

/** Tasks of the group `$6`. The planner must not think that `''` is one: the index of groups has none. */
const OF_GROUP = `from @task t join @lane lane on lane.lane_id = t.lane_id
  left join @live v on v.id = t.id where t.grp = $6 and t.grp <> '' and ${OF_STATUS_AND_TYPE}`;

/** Of the group `$6`, where it is given. */
const IN_GROUP = "($6::text is null or t.grp = $6)";

/** So many tasks of a tag are looked at one by one, newest first, before all of them are. */
const WALKED = 2000;

/**
 * Of the newest tasks with the tag `$7`. `offset 0` makes the planner go through the tag's rows in order, and look at the task of each,
 * whatever it expects of the others.
 */
const NEWEST_WITH_TAG = `from (select task_id from @task_tag where tag = $7 and task_id < $1
    order by task_id desc limit ${WALKED}) as g cross join lateral (
    select t.id from @task t join @lane lane on lane.lane_id = t.lane_id
      left join @live v on v.id = t.id
    where t.id = g.task_id and ${OF_STATUS_AND_TYPE} and ${IN_GROUP} offset 0) as found`;

/** All tasks with the tag `$7`: the planner may begin with those that have the status. */
const WITH_TAG = `from @task_tag g join @task t on t.id = g.task_id
    join @lane lane on lane.lane_id = t.lane_id left join @live v on v.id = t.id
  where g.tag = $7 and ${OF_STATUS_AND_TYPE} and ${IN_GROUP}
    and ($4::text is null or $4 in ('queued', 'leased') or t.outcome = $4)
    and ($4::text is null or $4 not in ('queued', 'leased') or v.id is not null)`;

/** Those of the tasks `$8`. */
const AMONG = `from @task t join @lane lane on lane.lane_id = t.lane_id
  left join @live v on v.id = t.id
  where t.id = any($8) and ${OF_STATUS_AND_TYPE} and ${IN_GROUP} and ($7::text is null
    or exists (select from @task_tag g where g.tag = $7 and g.task_id = t.id))`;

/** A condition of a list, where there is no page. */
function unpaged(condition: string): string {
  return condition.replaceAll(/\$(\d)/g, (_, n) => `$${n - 3}`);
}

/**
 * The page of some ids, newest first, and how many characters each task has. `offset 0` makes the planner look at the page's own tasks
 * one by one: it does not know how long the page is, and would read the whole table to join it.
 */
function page(ids: string, order: string): string {
  return `select page.id, found.length
    from (${ids} order by ${order} desc limit $2::bigint - $3::bigint offset $3) as page
      cross join lateral (select length(t.payload) + coalesce(length(t.result), 0) as length
        from @task t where t.id = page.id offset 0) as found
    order by page.id desc`;
}

/** Of each of the lanes `$4`, as many ids as the page and those before it may need. */
function ofEachLane(condition: string): string {
  return `select part.id from unnest($4::int[]) as r(lane) cross join lateral (
    select t.id from @task t where ${condition} and t.lane_id = r.lane and t.id < $1
    order by t.id desc limit $2) as part`;
}

/**
 * The statements; `$1` is `beforeId`, `$2` how many with those that are skipped, `$3` how many these are, `$4` lanes, `$5` a final
 * status; where a group or a tag is asked for, `$4` is a status, `$5` a type, `$6` a group, `$7` a tag, each of which may be null.
 * A test reads the plans of some.
 */
export const LIST_SQL = {
  all: page("select t.id from @task t where t.id < $1", "t.id"),
  ofLanes: page(ofEachLane("true"), "part.id"),
  final: page(ofEachLane("t.outcome = $5"), "part.id"),
  leased: page(
    "select v.id from @live v where v.state = 4 and v.id < $1 and v.lane_id = any($4)",
    "v.id",
  ),
  queued: page(
    "select v.id from @live v where v.state <> 4 and v.id < $1 and v.lane_id = any($4)",
    "v.id",
  ),
  groupAlone: page(
    "select t.id from @task t where t.grp = $4 and t.grp <> '' and t.id < $1",
    "t.id",
  ),
  countGroupAlone: "select count(*) as count from @task t where t.grp = $1 and t.grp <> ''",
  ofGroup: page(`select t.id ${OF_GROUP} and t.id < $1`, "t.id"),
  countOfGroup: `select count(*) as count ${unpaged(OF_GROUP)}`,
  tagAlone: page(
    "select g.task_id as id from @task_tag g where g.tag = $4 and g.task_id < $1",
    "g.task_id",
  ),
  newestWithTag: page(`select g.task_id as id ${NEWEST_WITH_TAG}`, "g.task_id"),
  /** Whole before the page is cut out: a page that is looked for one by one may never come. */
  withTag: page(
    `select id from (with found as materialized (
      select g.task_id as id ${WITH_TAG} and g.task_id < $1) select id from found) as found`,
    "id",
  ),
  countWithTag: `select count(*) as count ${unpaged(WITH_TAG)}`,
  countTag: "select count(*) as count from @task_tag where tag = $1",
  among: page(`select t.id ${AMONG} and t.id < $1`, "t.id"),
  countAmong: `select count(*) as count ${unpaged(AMONG)}`,
  byIds: `${SELECT_TASKS} where t.id = any($1) order by t.id desc`,
  lanes: "select lane_id from @lane where $1::text is null or type = $1",
  countAll: "select count(*) as count from @task",
  countOfLanes: "select count(*) as count from @task where lane_id = any($1)",
  countFinal: "select count(*) as count from @task where outcome = $2 and lane_id = any($1)",
  countLeased: "select count(*) as count from @live where state = 4 and lane_id = any($1)",
  countQueued: "select count(*) as count from @live where state <> 4 and lane_id = any($1)",
} as const;

/** So many tasks are looked at one by one, each by its id. */
const FEW = 1000;

/** The rows asked for, newest first; fewer, one at least, when they are large. */
export async function list(tx: Statements, request: PreparedList): Promise<TaskRow[]> {
  const found = await find(tx, request);
  const ids = fitting(found.map(({ id, length }) => ({ key: Number(id), length: Number(length) })));
  return taskRows(await tx.query(LIST_SQL.byIds, [ids]));
}

/** The ids of the rows asked for, newest first, each with how many characters it has. */
export async function find(tx: Statements, request: PreparedList): Promise<Row[]> {
  const { status, type, group, tag, beforeId, limit, offset } = request;
  if (!canMatch(request)) return [];
  const part = [beforeId, offset + limit, offset];
  if (isAlone(request, "group")) return await tx.query(LIST_SQL.groupAlone, [...part, group]);
  if (isAlone(request, "tag")) return await tx.query(LIST_SQL.tagAlone, [...part, tag]);
  if (group !== null || tag !== null) {
    const few = await fewest(tx, request);
    const conditions = [...part, ...conditionsOf(request)];
    if (few !== undefined) return await tx.query(LIST_SQL.among, [...conditions, few]);
    if (tag !== null) return await findWithTag(tx, conditions, request);
    return await tx.query(LIST_SQL.ofGroup, conditions.slice(0, -1));
  }
  if (status === null && type === null) return await tx.query(LIST_SQL.all, part);
  const lanes = await lanesOf(tx, type);
  if (status === null) return await tx.query(LIST_SQL.ofLanes, [...part, lanes]);
  if (isFinal(status)) return await tx.query(LIST_SQL.final, [...part, lanes, status]);
  return await tx.query(LIST_SQL[status], [...part, lanes]);
}

/** Whether nothing else is asked for. */
function isAlone(request: PreparedList, part: "group" | "tag"): boolean {
  const { status, type, group, tag } = request;
  const given = [status, type, group, tag].filter((each) => each !== null);
  return given.length === 1 && request[part] !== null;
}

/** Often the newest tasks with a tag fill the page. */
async function findWithTag(
  tx: Statements,
  conditions: readonly Parameter[],
  { offset, limit }: PreparedList,
): Promise<Row[]> {
  if (offset + limit <= WALKED) {
    const rows = await tx.query(LIST_SQL.newestWithTag, conditions);
    if (rows.length === limit) return rows;
  }
  return await tx.query(LIST_SQL.withTag, conditions);
}

function conditionsOf({ status, type, group, tag }: PreparedList): (string | null)[] {
  return [status, type, group, tag];
}

/**
 * All ids that one part of the request leaves, if that leaves few: a tag or a group may have a million tasks of which none has the
 * status, and these would be looked at one by one.
 */
async function fewest(tx: Statements, request: PreparedList): Promise<number[] | undefined> {
  const { status, type, group, tag, beforeId } = request;
  const none = { status: null, type: null, group: null, tag: null };
  const parts: Partial<PreparedList>[] = [];
  if (status !== null || type !== null) parts.push({ status, type });
  if (group !== null && tag !== null) parts.push({ group });
  for (const part of parts) {
    const rows = await find(tx, { ...none, ...part, beforeId, offset: 0, limit: FEW + 1 });
    if (rows.length <= FEW) return rows.map(({ id }) => Number(id));
  }
  return undefined;
}

/** How many rows there are, whatever the page. */
export async function count(tx: Statements, request: PreparedList): Promise<number> {
  const { status, type, group, tag } = request;
  if (!canMatch(request)) return 0;
  const [row] = group !== null || tag !== null
    ? await countChosen(tx, request)
    : status === null && type === null
    ? await tx.query(LIST_SQL.countAll)
    : await countOf(tx, { status, lanes: await lanesOf(tx, type) });
  return Number(row!.count);
}

/** Counts tasks of a group or with a tag: a tag alone, or a group, without its tasks. */
async function countChosen(tx: Statements, request: PreparedList): Promise<Row[]> {
  const { group, tag } = request;
  if (isAlone(request, "tag")) return await tx.query(LIST_SQL.countTag, [tag]);
  if (isAlone(request, "group")) return await tx.query(LIST_SQL.countGroupAlone, [group]);
  const conditions = conditionsOf(request);
  const few = await fewest(tx, request);
  if (few !== undefined) return await tx.query(LIST_SQL.countAmong, [...conditions, few]);
  if (tag !== null) return await tx.query(LIST_SQL.countWithTag, conditions);
  return await tx.query(LIST_SQL.countOfGroup, conditions.slice(0, -1));
}

async function countOf(
  tx: Statements,
  { status, lanes }: { readonly status: PreparedList["status"]; readonly lanes: readonly number[] },
): Promise<Row[]> {
  if (status === null) return await tx.query(LIST_SQL.countOfLanes, [lanes]);
  if (isFinal(status)) return await tx.query(LIST_SQL.countFinal, [lanes, status]);
  return await tx.query(status === "leased" ? LIST_SQL.countLeased : LIST_SQL.countQueued, [lanes]);
}

/** The lanes of a type; all for `null`. */
export async function lanesOf(tx: Statements, type: string | null): Promise<number[]> {
  return (await tx.query(LIST_SQL.lanes, [type])).map(({ lane_id }) => Number(lane_id));
}
