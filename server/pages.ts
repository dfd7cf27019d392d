/**
 * Pages that survive inserts: a cursor is the id of the last task of a page, and ids only ever grow.
 */
import type { ListRequest, Task, TaskQueue } from "../src/mod.ts";

/** Where the next page begins; `null` when this one is the last. A page of large tasks is shorter than was asked for. */
export async function nextCursorOf(
  queue: TaskQueue,
  filter: Pick<ListRequest, "status" | "type">,
  tasks: readonly Task[],
): Promise<string | null> {
  const last = tasks.at(-1);
  if (last === undefined) return null;
  const more = await queue.list({ ...filter, beforeId: last.id, limit: 1 });
  return more.length === 0 ? null : String(last.id);
}
