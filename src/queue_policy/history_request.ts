/**
 * Requests for a part of the history, checked.
 */
import { checkInteger } from "../domain/check.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import type { HistoryRequest } from "../queue/task_transition.ts";

/** A checked `HistoryRequest`. */
export interface PreparedHistory {
  /** `null` when only the end is asked for. */
  readonly afterId: number | null;
  readonly limit: number;
}

/** Checks a request. @throws TypeError, RangeError */
export function prepareHistory({ afterId, limit }: HistoryRequest): PreparedHistory {
  const { listDefault, listMax } = TASK_LIMITS;
  return {
    afterId: afterId === undefined
      ? null
      : checkInteger(afterId, "afterId", 0, Number.MAX_SAFE_INTEGER),
    limit: checkInteger(limit ?? listDefault, "limit", 1, listMax),
  };
}
