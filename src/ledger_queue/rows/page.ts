/**
 * Pages: a part of a list that may be long and whose rows may be large.
 *
 * A page ends early where its rows become too large together, so that no reader of pages has to hold hundreds of megabytes;
 * it has one row at least, so that a reader that goes on until a page is empty has seen all.
 */
import { TASK_LIMITS } from "../../domain/task.ts";
import type { SqlRow } from "../../ledger/sql_engine.ts";

/** The first of these rows, which are read one by one: one at least, and no more than 16 Mi characters together. */
export function fillPage(rows: Iterable<SqlRow>): SqlRow[] {
  const page: SqlRow[] = [];
  let left = TASK_LIMITS.listMaxLength;
  for (const row of rows) {
    left -= lengthOf(row);
    if (left < 0 && page.length > 0) break;
    page.push(row);
  }
  return page;
}

/** How many characters a row has. */
export function lengthOf(row: SqlRow): number {
  let length = 0;
  for (const value of row) if (typeof value === "string") length += value.length;
  return length;
}
