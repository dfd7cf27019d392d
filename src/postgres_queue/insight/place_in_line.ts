/**
 * A due task's place in the line of the workers that can take it: whether its type has a place free, what comes first in the
 * order in which they choose, and whether a slot is free.
 *
 * Only what a worker could take at this moment is ahead: tasks of a type that runs as often as it may hold up none of another.
 */
import type { ClaimOrder } from "../../domain/claim_order.ts";
import { groupBy } from "../../domain/sequences.ts";
import type { Task } from "../../domain/task.ts";
import type { WorkerRecord } from "../../queue/operator.ts";
import type { Why } from "../../queue_policy/explanation.ts";
import {
  AHEAD_MAX,
  canTake,
  hasPlace,
  standingIn,
  typeAtLimit,
} from "../../queue_policy/explanation_of_place.ts";
import type { Statements } from "../rows/database.ts";
import type { Lane } from "../rows/lanes.ts";

/** What stands ahead of task `$4` with priority `$5`; under weighted random, everything that is drawn from beside it. */
const AHEAD = {
  priority: "(v.priority, v.id) < ($5, $4)",
  fifo: "v.id < $4",
  lifo: "v.id > $4",
  weighted_random: "v.id <> $4",
} as const satisfies Record<ClaimOrder, string>;

/** `$1` are lanes, `$2` is how many are counted at most, `$3` is now. */
function countStatement(order: ClaimOrder): string {
  return `select
      (select count(*) from (
        select from unnest($1::int[]) as r(lane) cross join lateral (
          select from @live v where v.lane_id = r.lane and v.state = 1 and ${AHEAD[order]} limit $2
        ) as part limit $2) as ready) +
      (select count(*) from (
        select from @live v where v.state = 2 and v.run_after <= $3 and v.lane_id = any($1)
          and ${AHEAD[order]} limit $2) as due) as ahead`;
}

/** The statements; a test reads their plans. */
export const LINE_SQL = {
  /** `$1` are types. */
  lanes: "select lane_id, type, compatibility from @lane where type = any($1)",
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
  return standingIn(task, places, able);
}

/** The lanes of the types that these workers handle. */
async function lanesOf(tx: Statements, workers: readonly WorkerRecord[]): Promise<Lane[]> {
  const types = new Set(workers.flatMap((worker) => worker.types));
  const rows = await tx.query(LINE_SQL.lanes, [[...types]]);
  return rows.map(({ lane_id, type, compatibility }) => ({
    id: Number(lane_id),
    type: String(type),
    compatibility: String(compatibility),
  }));
}

/** Tasks that the same workers could take now and would take first, in this order. */
async function countAhead(
  tx: Statements,
  { id, priority }: Task,
  { order, lanes, nowMs }: {
    readonly order: ClaimOrder;
    readonly lanes: readonly Lane[];
    readonly nowMs: number;
  },
): Promise<number> {
  const parameters = [lanes.map((lane) => lane.id), AHEAD_MAX, nowMs, id];
  const [row] = await tx.query(
    LINE_SQL.ahead[order],
    order === "priority" ? [...parameters, priority] : parameters,
  );
  return Math.min(AHEAD_MAX, Number(row!.ahead));
}
