/**
 * Claim orders: which of the due tasks comes first.
 *
 * Due tasks stand in lanes, one per type and compatibility; each lane is sorted by the order's key (see the indexes in
 * `ledger_queue/rows/schema.ts`), so a claim reads the heads of the lanes and merges them: O(log n) at any backlog.
 *
 * Weighted random uses exponential clocks. A task with weight w = 1/(priority + 1) draws a waiting time
 * −ln(u)/w; of several such clocks the one with weight w rings first with probability w / Σw, and what remains on the
 * others is distributed as if freshly drawn. A lane's `clock` is the time its clocks have already run, so a task that
 * arrives later draws from there on: its chances are exact beside older ones.
 */
import type { Random } from "./random.ts";

/** Every order, the default last. */
export const CLAIM_ORDERS = ["fifo", "lifo", "weighted_random", "priority"] as const;

/**
 * - `fifo`: lowest id first. `lifo`: highest id first. `priority` (default): lowest priority number, then lowest id.
 * - `weighted_random`: by chance, in proportion to 1/(priority + 1).
 */
export type ClaimOrder = typeof CLAIM_ORDERS[number];

/** Whether `text` names an order. */
export function isClaimOrder(text: string): text is ClaimOrder {
  return (CLAIM_ORDERS as readonly string[]).includes(text);
}

/** A task's waiting time under weighted random: exponential with mean priority + 1. */
export function drawWaitingTime(priority: number, random: Random): number {
  return -Math.log(1 - random()) * (priority + 1);
}
