/**
 * A due task's place in the line of the workers that can take it: whether its type has a place free, what comes first in the
 * order in which they choose, and whether a slot is free.
 *
 * Only what a worker could take at this moment is ahead: tasks of a type that runs as often as it may hold up none of another.
 */
import { groupBy } from "../../domain/sequences.ts";
import type { ClaimOrder } from "../../domain/claim_order.ts";
import type { Task } from "../../domain/task.ts";
import { canonicalJson } from "../../domain/json.ts";
import type { Reader } from "../../ledger/replica.ts";
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
import { flowOf } from "../rows/flow_rows.ts";
import { isGrouped, type Lane } from "../rows/groups.ts";

/** What stands ahead of task `?4` with priority `?3`; under weighted random, everything that is drawn from beside it. */
const AHEAD = {
  priority: "(priority, id) < (?3, ?4)",
  fifo: "id < ?4",
  lifo: "id > ?4",
  weighted_random: "id <> ?4",
} as const satisfies Record<ClaimOrder, string>;

const ORDERS = Object.entries(AHEAD) as readonly [ClaimOrder, string][];

/** The statements; a test reads their plans. */
export const EXPLAIN_SQL = {
  nextLane: `SELECT compatibility FROM task_queue INDEXED BY ready_by_priority
    WHERE is_ready = 1 AND type = ? AND compatibility > ? ORDER BY compatibility LIMIT 1`,
  readyAhead: Object.fromEntries(ORDERS.map(([order, isAhead]) => [
    order,
    `SELECT id FROM task_queue INDEXED BY ${
      order === "priority" ? "ready_by_priority" : "ready_by_id"
    }
      WHERE is_ready = 1 AND type = ?1 AND compatibility = ?5 AND grp = ?6 AND ${isAhead} LIMIT ?2`,
  ])) as Record<ClaimOrder, string>,
  otherGroups: `SELECT count(*) FROM group_lanes INDEXED BY open_groups
    WHERE is_active = 1 AND closed_at IS NULL AND type = ? AND compatibility = ? AND grp <> ?`,
  dueAhead: Object.fromEntries(ORDERS.map(([order, isAhead]) => [
    order,
    `SELECT type, compatibility FROM task_queue INDEXED BY scheduled_tasks
      WHERE status = 'queued' AND is_ready = 0 AND waits_for = 0 AND run_after_utc <= ?1
        AND ${isAhead} LIMIT ?2`,
  ])) as Record<ClaimOrder, string>,
} as const;

/** The workers that can take a task, at one moment. */
interface Line {
  readonly workers: readonly WorkerRecord[];
  readonly nowMs: number;
}

/** Why a due task that each of `workers` can take is not taken yet. */
export function inLine(reader: Reader, task: Task, { workers, nowMs }: Line): Why {
  const able = workers.filter((worker) => hasPlace(worker, task.type));
  if (able.length === 0) return typeAtLimit(task, workers);
  const places = [...groupBy(able, ({ strategy }) => strategy)].map(([order, those]) => ({
    order,
    ahead: countAhead(reader, task, { workers: those, nowMs, order }),
  }));
  const why = standingIn(task, places, able);
  const turns = turnsOf(reader, task);
  return turns === undefined ? why : takingTurns(task, why, turns);
}

/** How the groups of the task's lane take turns; `undefined` when they do not. */
function turnsOf(reader: Reader, task: Task): Turns | undefined {
  const lane = laneOf(task);
  if (!isGrouped(reader, lane)) return undefined;
  const grp = task.group ?? "";
  const weight = flowOf(reader).weightOf({ type: task.type, grp });
  const parameters = [lane.type, lane.compatibility, grp];
  return { weight, others: Number(reader.read(EXPLAIN_SQL.otherGroups, parameters)[0]![0]) };
}

function laneOf({ type, compatibility }: Task): Lane {
  return { type, compatibility: canonicalJson(compatibility) };
}

/** Tasks that the same workers could take now and would take first, in this order. */
function countAhead(
  reader: Reader,
  task: Task,
  { workers, nowMs, order }: Line & { readonly order: ClaimOrder },
): number {
  const isTaken = (type: string, compatibility: string): boolean =>
    canTake(workers, { type, compatibility: JSON.parse(compatibility) });
  const { priority, id } = task;
  let ahead = 0;
  for (const type of new Set(workers.flatMap(({ types }) => types))) {
    for (const compatibility of compatibilitiesOf(reader, type)) {
      if (ahead >= AHEAD_MAX || !isTaken(type, compatibility)) continue;
      const isOwn = type === task.type && compatibility === laneOf(task).compatibility;
      const grp = isOwn ? task.group ?? "" : "";
      const parameters = [type, AHEAD_MAX - ahead, priority, id, compatibility, grp];
      ahead += reader.read(EXPLAIN_SQL.readyAhead[order], parameters).length;
    }
  }
  const dueParameters = [nowMs, AHEAD_MAX - ahead, priority, id];
  for (const [type, compatibility] of reader.read(EXPLAIN_SQL.dueAhead[order], dueParameters)) {
    if (isTaken(String(type), String(compatibility))) ahead++;
  }
  return ahead;
}

function compatibilitiesOf(reader: Reader, type: string): string[] {
  const found: string[] = [];
  for (;;) {
    const [row] = reader.read(EXPLAIN_SQL.nextLane, [type, found.at(-1) ?? ""]);
    if (row === undefined) return found;
    found.push(String(row[0]));
  }
}
