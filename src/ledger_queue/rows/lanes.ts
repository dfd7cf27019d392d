/**
 * Lanes: the ready tasks of one type and compatibility, and how far the clocks of weighted random have run in each.
 */
import { drawWaitingTime } from "../../domain/claim_order.ts";
import type { Random } from "../../domain/random.ts";
import { type Awaited, isReady } from "../../domain/readiness.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";
import type { OperationContext } from "./context.ts";
import { findGroup, type GroupPlace } from "./groups.ts";
import { cell } from "./cells.ts";
import { LANE_TABLE } from "./schema.ts";

/** How many clocks are remembered. */
const CLOCKS_MAX = 1000;

/** The row of a lane, if its clocks have run yet. */
export function findLane(reader: Reader, type: string, compatibility: string): SqlRow | undefined {
  const select = "SELECT * FROM claim_lanes WHERE type = ? AND compatibility = ?";
  return reader.read(select, [type, compatibility])[0];
}

/** How far the clocks of a lane have run under weighted random. */
export function clockOf(lane: SqlRow | undefined): number {
  return Number(lane?.[2] ?? 0);
}

/** A task's lane, and its weight in it. */
export interface LaneEntry {
  readonly type: string;
  readonly compatibility: string;
  readonly grp: string;
  readonly priority: number;
  /** Whether it is behind another of its ordering key: then its waiting time does not run yet. Default false. */
  readonly isBehind?: boolean;
}

/** The lane of a task's row. */
export function laneOfRow(row: SqlRow): LaneEntry {
  return {
    type: cell(row, "type") as string,
    compatibility: cell(row, "compatibility") as string,
    grp: cell(row, "grp") as string,
    priority: cell(row, "priority") as number,
    isBehind: cell(row, "is_behind") === 1,
  };
}

/** The columns that say when a queued task can be claimed, and where it stands in its lane then. */
export function readinessOf(
  reader: Reader,
  task: LaneEntry & Awaited,
  { nowMs, random }: Pick<OperationContext, "nowMs" | "random">,
): {
  readonly run_after_utc: number;
  readonly waits_for: number;
  readonly is_ready: 0 | 1;
  readonly draw_key: number;
} {
  return {
    run_after_utc: task.runAfterMs,
    waits_for: task.waitsFor,
    is_ready: isReady(task, nowMs) ? 1 : 0,
    draw_key: drawKey(reader, task, random),
  };
}

/** The clocks of lanes that were asked for lately, for as long as none runs: a lane of a thousand new tasks is read once. */
function rememberedClock(reader: Reader, { type, compatibility }: GroupPlace): number {
  const clocks = reader.remember(LANE_TABLE, noClocks);
  const lane = JSON.stringify([type, compatibility]);
  const known = clocks.get(lane);
  if (known !== undefined) return known;
  const clock = clockOf(findLane(reader, type, compatibility));
  if (clocks.size >= CLOCKS_MAX) clocks.clear();
  clocks.set(lane, clock);
  return clock;
}

function noClocks(): Map<string, number> {
  return new Map();
}

/** The place of a task that becomes ready now in its group's weighted random order. */
export function drawKey(reader: Reader, task: LaneEntry, random: Random): number {
  const clock = task.isBehind === true ? 0 : laneClock(reader, task);
  return clock + drawWaitingTime(task.priority, random);
}

/** How far the clocks of a task have run under weighted random. */
export function laneClock(reader: Reader, place: GroupPlace): number {
  return place.grp === "" ? rememberedClock(reader, place) : findGroup(reader, place)?.clock ?? 0;
}
