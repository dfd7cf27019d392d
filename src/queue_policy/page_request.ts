/**
 * Requests for a part of a long list, checked.
 */
import { checkInteger } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { TASK_LIMITS } from "../domain/task.ts";
import type { PartRequest } from "../queue/page_request.ts";

/** A checked `PartRequest`. */
export type PreparedPart = Required<PartRequest>;

const PART_OPTIONS = optionNames<PartRequest>({ offset: true, limit: true });

/** Checks a request. @throws TypeError, RangeError */
export function preparePart(request: PartRequest): PreparedPart {
  checkOptions(request, PART_OPTIONS, "a page");
  const { offset = 0, limit } = request;
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
