/**
 * Lists and counts of tasks: index searches and the rows themselves, however many tasks there are.
 *
 * A page ends early where its tasks become too large together, so that no reader of pages has to hold hundreds of megabytes.
 */
import { isFinal } from "../../domain/task.ts";
import { canMatch, type PreparedList } from "../../queue_policy/list_request.ts";
import type { Row, Statements } from "../rows/database.ts";
import { fitting } from "../rows/page.ts";
import { SELECT_TASKS, STATUS, type TaskRow, taskRows } from "../rows/task_row.ts";

const LENGTH = "t.id, length(t.payload) + coalesce(length(t.result), 0) as length";

/** Tasks of the group `$3`, of a status and of a type where these are given. */
const OF_GROUP = `from @task t join @lane lane on lane.lane_id = t.lane_id
  left join @live v on v.id = t.id
  where t.grp = $3 and t.grp <> '' and ($4::text is null or ${STATUS} = $4)
    and ($5::text is null or lane.type = $5)`;

/**
 * Tasks with the tag `$3`, of a status, of a type and of a group where these are given. `offset 0` makes the planner go through the
 * tag's rows in order, and look at the task of each, whatever it expects of the others.
 */
const WITH_TAG = `from @task_tag g cross join lateral (
    select ${LENGTH} from @task t join @lane lane on lane.lane_id = t.lane_id
      left join @live v on v.id = t.id
    where t.id = g.task_id and ($4::text is null or ${STATUS} = $4)
      and ($5::text is null or lane.type = $5) and ($6::text is null or t.grp = $6) offset 0) as found
  where g.tag = $3`;

/** A condition of a list, where there is no page. */
function unpaged(condition: string): string {
  return condition.replaceAll(/\$(\d)/g, (_, n) => `$${n - 2}`);
}

/** The statements; `$1` is `beforeId`, `$2` how many, `$3` lanes, `$4` a final status. A test reads the plans of some. */
export const LIST_SQL = {
  all: `select ${LENGTH} from @task t where t.id < $1 order by t.id desc limit $2`,
  ofLanes: `select part.* from unnest($3::int[]) as r(lane) cross join lateral (
      select ${LENGTH} from @task t where t.lane_id = r.lane and t.id < $1
      order by t.id desc limit $2) as part order by id desc limit $2`,
  final: `select part.* from unnest($3::int[]) as r(lane) cross join lateral (
      select ${LENGTH} from @task t where t.outcome = $4 and t.lane_id = r.lane and t.id < $1
      order by t.id desc limit $2) as part order by id desc limit $2`,
  leased: `select ${LENGTH} from @live v join @task t using (id)
    where v.state = 4 and v.id < $1 and v.lane_id = any($3) order by v.id desc limit $2`,
  queued: `select ${LENGTH} from @live v join @task t using (id)
    where v.state <> 4 and v.id < $1 and v.lane_id = any($3) order by v.id desc limit $2`,
  /** `$3` is the group, `$4` a status, `$5` a type; both may be null. */
  ofGroup: `select ${LENGTH} ${OF_GROUP} and t.id < $1 order by t.id desc limit $2`,
  countOfGroup: `select count(*) as count ${unpaged(OF_GROUP)}`,
  /** `$3` is the tag, `$4` a status, `$5` a type, `$6` a group; all but the tag may be null. */
  withTag: `select found.* ${WITH_TAG} and g.task_id < $1 order by g.task_id desc limit $2`,
  countWithTag: `select count(*) as count ${unpaged(WITH_TAG)}`,
  countTag: "select count(*) as count from @task_tag where tag = $1",
  byIds: `${SELECT_TASKS} where t.id = any($1) order by t.id desc`,
  lanes: "select lane_id from @lane where $1::text is null or type = $1",
  countAll: "select count(*) as count from @task",
  countOfLanes: "select count(*) as count from @task where lane_id = any($1)",
  countFinal: "select count(*) as count from @task where outcome = $2 and lane_id = any($1)",
  countLeased: "select count(*) as count from @live where state = 4 and lane_id = any($1)",
  countQueued: "select count(*) as count from @live where state <> 4 and lane_id = any($1)",
} as const;

/** The rows asked for, newest first; fewer, one at least, when they are large. */
export async function list(tx: Statements, request: PreparedList): Promise<TaskRow[]> {
  const found = (await find(tx, request)).slice(request.offset);
  const ids = fitting(found.map(({ id, length }) => ({ key: Number(id), length: Number(length) })));
  return taskRows(await tx.query(LIST_SQL.byIds, [ids]));
}

/** The ids of the rows asked for and of those before them, newest first, each with how many characters it has. */
export async function find(tx: Statements, request: PreparedList): Promise<Row[]> {
  const { status, type, group, tag, beforeId, limit, offset } = request;
  if (!canMatch(request)) return [];
  const page = [beforeId, offset + limit];
  if (tag !== null) return await tx.query(LIST_SQL.withTag, [...page, tag, status, type, group]);
  if (group !== null) return await tx.query(LIST_SQL.ofGroup, [...page, group, status, type]);
  if (status === null && type === null) return await tx.query(LIST_SQL.all, page);
  const lanes = await lanesOf(tx, type);
  if (status === null) return await tx.query(LIST_SQL.ofLanes, [...page, lanes]);
  if (isFinal(status)) return await tx.query(LIST_SQL.final, [...page, lanes, status]);
  return await tx.query(LIST_SQL[status], [...page, lanes]);
}

/** How many rows there are, whatever the page. */
export async function count(tx: Statements, request: PreparedList): Promise<number> {
  const { status, type, group, tag } = request;
  if (!canMatch(request)) return 0;
  if (tag !== null) return await countWithTag(tx, tag, [status, type, group]);
  if (group !== null) {
    return Number((await tx.query(LIST_SQL.countOfGroup, [group, status, type]))[0]!.count);
  }
  const [row] = status === null && type === null
    ? await tx.query(LIST_SQL.countAll)
    : await countOf(tx, { status, lanes: await lanesOf(tx, type) });
  return Number(row!.count);
}

/** A tag alone is counted without its tasks. */
async function countWithTag(
  tx: Statements,
  tag: string,
  others: readonly (string | null)[],
): Promise<number> {
  const isAlone = others.every((other) => other === null);
  const [row] = isAlone
    ? await tx.query(LIST_SQL.countTag, [tag])
    : await tx.query(LIST_SQL.countWithTag, [tag, ...others]);
  return Number(row!.count);
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
