/**
 * Requests for a part of the history, checked.
 */
import { checkInteger } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { shownValue } from "../domain/shown_value.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import type { HistoryRequest } from "../queue/task_transition.ts";

/** A checked `HistoryRequest`. */
export interface PreparedHistory {
  /** `null` when only the end is asked for. */
  readonly after: string | null;
  readonly limit: number;
}

const HISTORY_OPTIONS = optionNames<HistoryRequest>({ after: true, limit: true });

/** Checks a request. @throws TypeError, RangeError */
export function prepareHistory(request: HistoryRequest): PreparedHistory {
  checkOptions(request, HISTORY_OPTIONS, "history");
  const { after, limit } = request;
  const { listDefault, listMax } = TASK_LIMITS;
  return {
    after: after === undefined ? null : checkCursor(after),
    limit: checkInteger(limit ?? listDefault, "limit", 1, listMax),
  };
}

/** Each engine checks further whether the cursor is one of its own. */
function checkCursor(after: unknown): string {
  if (typeof after === "string") return after;
  throw new TypeError(
    `Cannot use ${shownValue(after)} as after: a cursor of history() is needed`,
  );
}
