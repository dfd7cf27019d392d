/**
 * Parts: a million records go in statements of some hundreds.
 */
import type { PreparedRecord } from "../../queue_policy/task_record.ts";

/** How many rows one statement takes at most. */
export const PART_MAX = 1000;

/** How many characters of payloads and results one statement takes at most, beside the first record's. */
const LENGTH_MAX = 4 * 1024 * 1024;

/** Items in their order, some in each part. */
export function* parts<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < items.length; i += PART_MAX) yield items.slice(i, i + PART_MAX);
}

/** Records in their order, fewer in a part when they are large. */
export function* recordParts(
  records: readonly PreparedRecord[],
): Generator<readonly PreparedRecord[]> {
  let [begin, length] = [0, 0];
  for (const [i, { payload, result }] of records.entries()) {
    const more = payload.length + (result?.length ?? 0);
    const isFull = i - begin === PART_MAX || (i > begin && length + more > LENGTH_MAX);
    if (isFull) {
      yield records.slice(begin, i);
      [begin, length] = [i, 0];
    }
    length += more;
  }
  if (begin < records.length) yield records.slice(begin);
}
