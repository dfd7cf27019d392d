/**
 * Metrics: how the queue goes, now and over a window.
 */
import type { Reader } from "../../ledger/replica.ts";
import type { QueueMetrics } from "../../queue/metrics.ts";
import { dueSplit, limitMetrics } from "../../queue_policy/limit_state.ts";
import { countByState } from "../../queue_policy/worker_beat.ts";
import { heldBack } from "./limits.ts";
import { statsOf } from "./stats.ts";
import { listWorkers } from "./workers.ts";

/** Everything that can be measured in the replica, beside what happened in the window and before. */
export function measure(
  reader: Reader,
  { window, totals }: Pick<QueueMetrics, "window" | "totals">,
  nowMs: number,
): QueueMetrics {
  const held = heldBack(reader, nowMs);
  const { byStatus, byType, scheduled, waitingForParents, oldestDueAt } = statsOf(
    reader,
    held.due,
  );
  return {
    at: new Date(nowMs),
    byStatus,
    byType,
    scheduled,
    waitingForParents,
    due: byStatus.queued - scheduled - waitingForParents,
    dueSplit: dueSplit(held),
    limits: limitMetrics(held),
    oldestDueAgeMs: oldestDueAt === null ? null : nowMs - oldestDueAt.getTime(),
    window,
    totals,
    workers: countByState(listWorkers(reader, nowMs)),
  };
}
