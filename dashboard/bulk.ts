/**
 * Actions on many tasks: in steps, so that other work goes on between, and so many at once at most.
 */
import type { Task, TaskQueue } from "../src/core.ts";
import type { Services } from "./options.ts";
import { readTasks, type TaskFilter } from "./task_filter.ts";

/** What can be done to many tasks. */
export type TaskAction = "cancel" | "retry";

/** So many tasks are changed in one transaction, about: what is asked for together is committed together. */
const STEP = 100;

/** So many tasks are looked at for one request; then the reader is asked to go on. */
const LOOKED_AT_MAX = 10_000;

/** Whether a field names such an action. */
export function isTaskAction(text: string | undefined): text is TaskAction {
  return text === "cancel" || text === "retry";
}

/** Does it to these tasks; how many it changed. @throws QueueError `task_not_found` when one alone was named. */
export async function actOnEach(
  queue: TaskQueue,
  action: TaskAction,
  ids: readonly number[],
): Promise<number> {
  if (ids.length === 1) return Number(await queue[action](ids[0]!));
  let changed = 0;
  for (let from = 0; from < ids.length; from += STEP) {
    const part = ids.slice(from, from + STEP);
    const outcomes = await Promise.allSettled(part.map((id) => queue[action](id)));
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") changed += Number(outcome.value);
      else if (!isGone(outcome.reason)) throw outcome.reason;
    }
  }
  return changed;
}

/** A task that was deleted meanwhile is no failure of the others. */
function isGone(reason: unknown): boolean {
  return reason instanceof Error && "code" in reason && reason.code === "task_not_found";
}

/** Whether an action may change a task with this status. */
export function isOpenTo(action: TaskAction, { status }: Pick<Task, "status">): boolean {
  if (action === "cancel") return status === "queued" || status === "leased";
  return status === "failed" || status === "cancelled";
}

/** Does it to all tasks that the filter leaves, newest first, as far as one request goes. */
export async function actOnAll(
  { queue, app, maskedKeys }: Pick<Services, "queue" | "app" | "maskedKeys">,
  action: TaskAction,
  filter: TaskFilter,
): Promise<{ readonly changed: number; readonly hasMore: boolean }> {
  let changed = 0;
  let { beforeId } = filter;
  for (let looked = 0; looked < LOOKED_AT_MAX; looked += STEP) {
    const options = { nowMs: app.clock.nowMs(), maskedKeys, limit: STEP };
    const { tasks, nextBeforeId } = await readTasks(queue, { ...filter, beforeId }, options);
    const ids = tasks.filter((task) => isOpenTo(action, task)).map(({ id }) => id);
    changed += ids.length === 0 ? 0 : await actOnEach(queue, action, ids);
    if (nextBeforeId === null) return { changed, hasMore: false };
    beforeId = nextBeforeId;
  }
  return { changed, hasMore: true };
}
