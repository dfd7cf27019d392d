/**
 * Pages: a part of a list that may be long and whose rows may be large. Their lengths are read first, the rows that fit then.
 */
import { TASK_LIMITS } from "../../domain/task.ts";

/** A row that is to be read, and how many characters it has. */
export interface Measured<Key> {
  readonly key: Key;
  readonly length: number;
}

/** The first of these: one at least, and no more than 16 Mi characters together. */
export function fitting<Key>(rows: Iterable<Measured<Key>>): Key[] {
  const page: Key[] = [];
  let left = TASK_LIMITS.listMaxLength;
  for (const { key, length } of rows) {
    left -= length;
    if (left < 0 && page.length > 0) break;
    page.push(key);
  }
  return page;
}
