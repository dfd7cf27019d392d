/**
 * Which tasks have ended, and when: what of them may go goes in that order.
 */
import type { Reader } from "../../ledger/replica.ts";

/** The statement; a test reads its plan. */
export const FINISHED_SQL = "SELECT status, finished_at_utc FROM task_queue WHERE id = ?";

/**
 * When each of these tasks ended, in milliseconds since 1970: `-Infinity` for one that is not there any more; one that has not ended is
 * left out.
 */
export function finishedAt(reader: Reader, ids: readonly number[]): Map<number, number> {
  const ended = new Map<number, number>();
  for (const id of ids) {
    const [row] = reader.read(FINISHED_SQL, [id]);
    if (row === undefined) ended.set(id, -Infinity);
    else if (row[0] !== "queued" && row[0] !== "leased") ended.set(id, Number(row[1] ?? 0));
  }
  return ended;
}
