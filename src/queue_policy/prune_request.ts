/**
 * Prune requests, checked.
 */
import { checkInteger } from "../domain/check.ts";
import type { PruneReport, PruneRequest } from "../queue/operator.ts";

/** A status that a pruned task can have. */
export type PrunableStatus = keyof PruneReport["byStatus"];

/** A checked `PruneRequest`. */
export interface PreparedPrune {
  /** Whose tasks go. */
  readonly statuses: readonly PrunableStatus[];
  /** Only tasks that finished longer ago; `-Infinity` for any, also those that finish later by a clock that was put back. */
  readonly olderThanMs: number;
  /** How many of each status stay. */
  readonly keep: number;
}

const PRUNABLE: readonly PrunableStatus[] = ["completed", "failed", "cancelled"];

/** Checks a request, before any effect. @throws TypeError, RangeError */
export function preparePrune(request: PruneRequest): PreparedPrune {
  const { olderThanMs, keep, statuses = PRUNABLE } = request;
  if (olderThanMs === undefined && keep === undefined) {
    throw new TypeError("Cannot prune every finished task: olderThanMs or keep is needed");
  }
  const unknown = statuses.find((status) => !PRUNABLE.includes(status));
  if (unknown !== undefined) {
    throw new TypeError(
      `Cannot prune status ${JSON.stringify(unknown)}: allowed are ${PRUNABLE.join(", ")}`,
    );
  }
  const max = Number.MAX_SAFE_INTEGER;
  return {
    statuses: [...new Set(statuses)],
    olderThanMs: olderThanMs === undefined
      ? -Infinity
      : checkInteger(olderThanMs, "olderThanMs", 0, max),
    keep: checkInteger(keep ?? 0, "keep", 0, max),
  };
}
