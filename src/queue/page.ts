/**
 * Pages: a part of a list that may be long and whose rows may be large.
 *
 * A page ends early where its rows become too large together, so that no reader of pages has to hold hundreds of megabytes;
 * it has one row at least, so that whoever goes on until a page is empty has seen all.
 */
import { checkInteger, TASK_LIMITS } from "../domain/task.ts";
import type { SqlRow } from "../ledger/sql_engine.ts";

/** Which part of a list that only grows at its end. */
export interface PartRequest {
  /** How many to pass over; a negative one counts from the end. Default 0. */
  readonly offset?: number;
  /** How many at most, 1–1000; default 1000. */
  readonly limit?: number;
}

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

/** The first of these rows, which are read one by one: one at least, and no more than 16 Mi characters together. */
export function fillPage(rows: Iterable<SqlRow>): SqlRow[] {
  const page: SqlRow[] = [];
  let left = TASK_LIMITS.listMaxLength;
  for (const row of rows) {
    for (const value of row) if (typeof value === "string") left -= value.length;
    if (left < 0 && page.length > 0) break;
    page.push(row);
  }
  return page;
}
