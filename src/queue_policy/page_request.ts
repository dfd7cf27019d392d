/**
 * Requests for a part of a long list, checked.
 */
import { checkInteger } from "../domain/check.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import type { PartRequest } from "../queue/page_request.ts";

/** A checked `PartRequest`. */
export type PreparedPart = Required<PartRequest>;

/** Checks a request. @throws TypeError, RangeError */
export function preparePart({ offset = 0, limit }: PartRequest): PreparedPart {
  const { MAX_SAFE_INTEGER } = Number;
  return {
    offset: checkInteger(offset, "offset", -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
    limit: checkLimit(limit),
  };
}

/** How many a page may have, 1–1000; by default as many as may be. @throws TypeError, RangeError */
export function checkLimit(limit: number = TASK_LIMITS.listMax): number {
  return checkInteger(limit, "limit", 1, TASK_LIMITS.listMax);
}

/** Where a part of `count` begins. */
export function beginOf({ offset }: PreparedPart, count: number): number {
  return offset < 0 ? Math.max(0, count + offset) : offset;
}
