/**
 * Pages that survive inserts. A cursor is the id of the last task or schedule of a page, or how many of a list that only grows at
 * its end have been given.
 */
import type {
  ChildTask,
  ListRequest,
  PartRequest,
  Schedule,
  Task,
  TaskQueue,
} from "../../src/core.ts";

/** Where the next page begins; `null` when this one is the last. A page of large tasks is shorter than was asked for. */
export async function nextCursorOf(
  queue: TaskQueue,
  filter: Pick<ListRequest, "status" | "type" | "group" | "tag">,
  tasks: readonly Task[],
): Promise<string | null> {
  const last = tasks.at(-1);
  if (last === undefined) return null;
  const more = await queue.list({ ...filter, beforeId: last.id, limit: 1 });
  return more.length === 0 ? null : String(last.id);
}

/** Where the next page of schedules begins; `null` when this one is the last. */
export async function nextScheduleCursorOf(
  queue: TaskQueue,
  schedules: readonly Schedule[],
): Promise<string | null> {
  const last = schedules.at(-1);
  if (last === undefined) return null;
  const more = await queue.listSchedules({ afterId: last.id, limit: 1 });
  return more.length === 0 ? null : last.id;
}

/** Where the next page of a task's children begins; `null` when this one is the last. */
export async function nextChildCursorOf(
  queue: TaskQueue,
  parentId: number,
  children: readonly ChildTask[],
): Promise<string | null> {
  const last = children.at(-1);
  if (last === undefined) return null;
  const more = await queue.children(parentId, { afterId: last.taskId, limit: 1 });
  return more.length === 0 ? null : String(last.taskId);
}

/** Which page is asked for; `cursor` is how many were given before, `last` how many before the end it begins. */
export interface PartQuery {
  readonly cursor?: number;
  readonly last?: number;
  readonly limit?: number;
}

/** A page of a list that only grows at its end, and where the next one begins; `null` when this one is the last. */
export async function readPart<T>(
  read: (part: PartRequest) => Promise<readonly T[]>,
  { cursor = 0, last, limit }: PartQuery,
): Promise<{ readonly part: readonly T[]; readonly next_cursor: string | null }> {
  if (last !== undefined) return { part: await read({ offset: -last, limit }), next_cursor: null };
  const part = await read({ offset: cursor, limit });
  const end = cursor + part.length;
  const isLast = part.length === 0 || (await read({ offset: end, limit: 1 })).length === 0;
  return { part, next_cursor: isLast ? null : String(end) };
}
