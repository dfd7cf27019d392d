/**
 * A due task's place in the line of the workers that can take it: whether its type has a place free, what comes first in the
 * order in which they choose, and whether a slot is free.
 *
 * Only what a worker could take at this moment is ahead: tasks of a type that runs as often as it may hold up none of another.
 */
import type { ClaimOrder } from "../../domain/claim_order.ts";
import { canonicalJson } from "../../domain/json.ts";
import { groupBy } from "../../domain/sequences.ts";
import type { Task } from "../../domain/task.ts";
import type { WorkerRecord } from "../../queue/workers.ts";
import type { Why } from "../../queue_policy/explanation.ts";
import {
  AHEAD_MAX,
  canTake,
  hasPlace,
  standingIn,
  takingTurns,
  type Turns,
  typeAtLimit,
} from "../../queue_policy/explanation_of_place.ts";
import type { Statements } from "../rows/database.ts";
import { flowNow } from "../rows/flow_rows.ts";
import { type Lane, laneOfRow } from "../rows/lanes.ts";

/** What stands ahead of task `$4` with priority `$5`; under weighted random, everything that is drawn from beside it. */
const AHEAD = {
  priority: "(v.priority, v.id) < ($5, $4)",
  fifo: "v.id < $4",
  lifo: "v.id > $4",
  weighted_random: "v.id <> $4",
} as const satisfies Record<ClaimOrder, string>;

/**
 * `$1` are lanes without groups, `$2` is how many are counted at most, `$3` is now; `$6` is the task's lane if it has a group, `$7` its
 * group, and `$8` are all lanes.
 */
function countStatement(order: ClaimOrder): string {
  return `select
      (select count(*) from (
        select from unnest($1::int[]) as r(lane) cross join lateral (
          select from @live v where v.lane_id = r.lane and v.state = 1 and v.grp = '' and ${
    AHEAD[order]
  } limit $2
        ) as part limit $2) as ready) +
      (select count(*) from (
        select from @live v where v.lane_id = $6 and v.state = 1 and v.grp = $7 and v.grp <> ''
          and ${AHEAD[order]} limit $2) as grouped) +
      (select count(*) from (
        select from @live v where v.state = 2 and v.run_after <= $3 and v.lane_id = any($8)
          and ${AHEAD[order]} limit $2) as due) as ahead
    from (select $5::int) as given`;
}

/** The statements; a test reads their plans. */
export const LINE_SQL = {
  /** `$1` are types. */
  lanes: "select lane_id, type, compatibility, is_grouped from @lane where type = any($1)",
  /** `$1` is a lane with groups, `$2` the lane of the tasks without one, `$3` a group: whether groups take turns there, and how many others. */
  turns: `with recursive step as (
      (select v.grp from @live v where v.lane_id = $1 and v.state = 1 and v.grp <> ''
        order by v.grp limit 1)
      union all
      select (select v.grp from @live v where v.lane_id = $1 and v.state = 1 and v.grp <> ''
        and v.grp > step.grp order by v.grp limit 1) from step where step.grp is not null)
    select exists (select from step where grp is not null)
        or exists (select from @group_turn g where g.lane_id = $1 and g.grp > '') as take_turns,
      (select count(*) from step where grp <> $3 and not exists (
        select from @group_turn g
        where g.lane_id = $1 and g.grp = step.grp and g.closed_by is not null))
      + case when $3 <> '' and (select v.id from @live v
          where v.lane_id = $2 and v.state = 1 and v.grp = '' order by v.id limit 1) is not null
        then 1 else 0 end as others`,
  ahead: {
    priority: countStatement("priority"),
    fifo: countStatement("fifo"),
    lifo: countStatement("lifo"),
    weighted_random: countStatement("weighted_random"),
  } satisfies Record<ClaimOrder, string>,
} as const;

/** Why a due task that each of `workers` can take is not taken yet. */
export async function inLine(
  tx: Statements,
  task: Task,
  { workers, nowMs }: { readonly workers: readonly WorkerRecord[]; readonly nowMs: number },
): Promise<Why> {
  const able = workers.filter((worker) => hasPlace(worker, task.type));
  if (able.length === 0) return typeAtLimit(task, workers);
  const lanes = await lanesOf(tx, able);
  const orders = [...groupBy(able, ({ strategy }) => strategy)];
  const places = await Promise.all(orders.map(async ([order, those]) => {
    const takes = lanes.filter(({ type, compatibility }) =>
      canTake(those, { type, compatibility: JSON.parse(compatibility) })
    );
    return { order, ahead: await countAhead(tx, task, { order, lanes: takes, nowMs }) };
  }));
  const why = standingIn(task, places, able);
  const turns = await turnsOf(tx, task, lanes);
  return turns === undefined ? why : takingTurns(task, why, turns);
}

/** How the groups of the task's lane take turns; `undefined` when they do not. */
async function turnsOf(
  tx: Statements,
  task: Task,
  lanes: readonly Lane[],
): Promise<Turns | undefined> {
  const own = lanes.filter((lane) => isLaneOf(task, lane));
  const grouped = own.find(({ isGrouped }) => isGrouped);
  if (grouped === undefined) return undefined;
  const grp = task.group ?? "";
  const plain = own.find(({ isGrouped }) => !isGrouped);
  const [row] = await tx.query(LINE_SQL.turns, [grouped.id, plain?.id ?? null, grp]);
  if (row!.take_turns !== true) return undefined;
  const weight = (await flowNow(tx)).weightOf({ type: task.type, grp });
  return { weight, others: Number(row!.others) };
}

/** Whether a lane is that of the tasks of this one's type and compatibility, with groups or without. */
function isLaneOf({ type, compatibility }: Task, lane: Lane): boolean {
  return lane.type === type && lane.compatibility === canonicalJson(compatibility);
}

/** The lanes of the types that these workers handle. */
async function lanesOf(tx: Statements, workers: readonly WorkerRecord[]): Promise<Lane[]> {
  const types = new Set(workers.flatMap((worker) => worker.types));
  const rows = await tx.query(LINE_SQL.lanes, [[...types]]);
  return rows.map(laneOfRow);
}

/** Tasks that the same workers could take now and would take first, in this order; of its own lane those of its group. */
async function countAhead(
  tx: Statements,
  task: Task,
  { order, lanes, nowMs }: {
    readonly order: ClaimOrder;
    readonly lanes: readonly Lane[];
    readonly nowMs: number;
  },
): Promise<number> {
  const own = lanes.find((lane) => lane.isGrouped && isLaneOf(task, lane));
  const plain = lanes.filter((lane) =>
    !lane.isGrouped && (task.group === null || !isLaneOf(task, lane))
  );
  const [row] = await tx.query(LINE_SQL.ahead[order], [
    plain.map((lane) => lane.id),
    ...[AHEAD_MAX, nowMs, task.id, task.priority],
    task.group === null ? null : own?.id ?? null,
    task.group ?? "",
    lanes.map((lane) => lane.id),
  ]);
  return Math.min(AHEAD_MAX, Number(row!.ahead));
}
