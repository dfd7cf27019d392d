/**
 * Lanes: the ready tasks of one type and compatibility, and how far the clocks of weighted random have run in each.
 */
import { drawWaitingTime } from "../../domain/claim_order.ts";
import type { Random } from "../../domain/random.ts";
import type { Reader } from "../../ledger/replica.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";

/** The row of a lane, if its clocks have run yet. */
export function findLane(reader: Reader, type: string, compatibility: string): SqlRow | undefined {
  const select = "SELECT * FROM claim_lanes WHERE type = ? AND compatibility = ?";
  return reader.read(select, [type, compatibility])[0];
}

/** How far the clocks of a lane have run under weighted random. */
export function clockOf(lane: SqlRow | undefined): number {
  return Number(lane?.[2] ?? 0);
}

/** The place of a task that becomes ready now in its lane's weighted random order. */
export function drawKey(
  reader: Reader,
  task: { readonly type: string; readonly compatibility: string; readonly priority: number },
  random: Random,
): number {
  const clock = clockOf(findLane(reader, task.type, task.compatibility));
  return clock + drawWaitingTime(task.priority, random);
}
