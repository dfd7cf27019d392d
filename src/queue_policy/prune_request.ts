/**
 * Prune requests, checked.
 */
import { checkArray, checkInteger, checkOneOf } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { FINAL_STATUSES, type FinalStatus } from "../domain/final_status.ts";
import type { PruneRequest } from "../queue/operator.ts";

/** A checked `PruneRequest`. */
export interface PreparedPrune {
  /** Whose tasks go. */
  readonly statuses: readonly FinalStatus[];
  /** Only tasks that finished longer ago; `-Infinity` for any, also those that finish later by a clock that was put back. */
  readonly olderThanMs: number;
  /** How many of each status stay. */
  readonly keep: number;
}

const PRUNE_OPTIONS = optionNames<PruneRequest>({ olderThanMs: true, keep: true, statuses: true });

/** Checks a request, before any effect. @throws TypeError, RangeError */
export function preparePrune(request: PruneRequest): PreparedPrune {
  checkOptions(request, PRUNE_OPTIONS, "prune");
  const { olderThanMs, keep, statuses = FINAL_STATUSES } = request;
  if (olderThanMs === undefined && keep === undefined) {
    throw new TypeError("Cannot prune every finished task: olderThanMs or keep is needed");
  }
  checkArray(statuses, "statuses", "final statuses");
  for (const status of statuses) checkOneOf(status, FINAL_STATUSES, { doing: "prune status" });
  const max = Number.MAX_SAFE_INTEGER;
  return {
    statuses: [...new Set(statuses)],
    olderThanMs: olderThanMs === undefined
      ? -Infinity
      : checkInteger(olderThanMs, "olderThanMs", 0, max),
    keep: checkInteger(keep ?? 0, "keep", 0, max),
  };
}
