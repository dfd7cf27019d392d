/**
 * What an operation needs beside its transaction: the time, chance, and the queue's settings.
 */
import type { RetryPolicy } from "../domain/backoff.ts";
import { drawWaitingTime } from "../domain/claim_order.ts";
import type { Random } from "../domain/random.ts";
import type { Reader } from "../ledger/replica.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";

/** Fixed for the length of one operation. */
export interface OperationContext {
  readonly nowMs: number;
  readonly random: Random;
  /** Makes the run id of a task that came without. */
  readonly newRunId: () => string;
  /** What applies where neither the task nor its handler says otherwise. */
  readonly retryPolicy: RetryPolicy;
  /** Where what is enqueued stands in a distributed trace; default nowhere. */
  readonly traceParent?: string | null;
}

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
