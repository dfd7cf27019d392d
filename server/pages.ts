/**
 * Pages that survive inserts: a cursor is the id of the last task of a page, and ids only ever grow.
 */
import type { ListRequest, Task, TaskQueue } from "../src/mod.ts";

/** A page that was read. */
export interface Page {
  readonly tasks: readonly Task[];
  /** How many there could be. */
  readonly limit: number;
}

/** Where the next page begins; `null` when this one is the last. */
export async function nextCursorOf(
  queue: TaskQueue,
  filter: Pick<ListRequest, "status" | "type">,
  { tasks, limit }: Page,
): Promise<string | null> {
  const last = tasks.at(-1);
  if (last === undefined || tasks.length < limit) return null;
  const more = await queue.list({ ...filter, beforeId: last.id, limit: 1 });
  return more.length === 0 ? null : String(last.id);
}
