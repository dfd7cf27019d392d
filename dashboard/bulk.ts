/**
 * Actions on tasks: on one, on some, and on all that match. The queue does them, in many small transactions; here a request only
 * says which, and ends after a while, so that its reader can be asked to go on.
 */
import {
  BULK_STATUSES,
  type BulkAction,
  type BulkFilter,
  type BulkRequest,
  checkInstant,
  type Task,
  type TaskQueue,
  type TaskUpdate,
} from "../src/core.ts";
import type { Scope } from "../server/http/access.ts";
import { HttpError } from "../server/http/errors.ts";
import { priorityOf } from "./new_task.ts";
import type { Services } from "./options.ts";
import { readTasks, type TaskFilter } from "./task_filter.ts";

/** What can be done to tasks. */
export const TASK_ACTIONS = [
  "retry",
  "cancel",
  "run_now",
  "set_priority",
  "reschedule",
  "remove",
] as const;

/** One of them. */
export type TaskAction = typeof TASK_ACTIONS[number];

/** What the pages say of an action. */
interface ActionText {
  /** On a button, before how many tasks. */
  readonly verb: string;
  /** What the answer is called. */
  readonly did: string;
  /** Whether it cannot be undone. */
  readonly isGrave: boolean;
  readonly scope: Scope;
  /** What the queue is asked for. */
  readonly bulk: BulkAction;
}

/** What there is to know of each action. */
export const ACTIONS: Readonly<Record<TaskAction, ActionText>> = Object.freeze({
  retry: { verb: "Retry", did: "retried", isGrave: false, scope: "operate", bulk: "retry" },
  cancel: { verb: "Cancel", did: "cancelled", isGrave: true, scope: "operate", bulk: "cancel" },
  run_now: {
    ...{ verb: "Run now", did: "run_now", isGrave: false, scope: "operate" },
    bulk: "reschedule",
  },
  set_priority: {
    ...{ verb: "Set the priority of", did: "updated", isGrave: false, scope: "operate" },
    bulk: "set_priority",
  },
  reschedule: {
    ...{ verb: "Set the time of", did: "updated", isGrave: false, scope: "operate" },
    bulk: "reschedule",
  },
  remove: { verb: "Delete", did: "removed", isGrave: true, scope: "admin", bulk: "remove" },
});

/** What a form says about an action on tasks. */
export type ActionFields = Readonly<Record<string, string>>;

/** Who acts, how. */
export interface Acting {
  readonly action: TaskAction;
  readonly fields: ActionFields;
  readonly by: string;
}

/** How many were changed, and whether there are more. */
export interface Acted {
  readonly changed: number;
  readonly hasMore: boolean;
}

/** So long, in milliseconds, one request searches for a text; then the reader is asked to go on. */
const SEARCH_MS = 5000;

/** The action in a field. @throws HttpError `VALIDATION_ERROR`. */
export function checkAction(text: string | undefined): TaskAction {
  const action = TASK_ACTIONS.find((each) => each === text);
  if (action !== undefined) return action;
  const shown = JSON.stringify(text ?? null);
  const allowed = TASK_ACTIONS.join(", ");
  throw new HttpError("VALIDATION_ERROR", `Cannot do ${shown}: allowed are ${allowed}`);
}

/** Whether an action may change a task with this status. */
export function isOpenTo(action: TaskAction, { status }: Pick<Task, "status">): boolean {
  return BULK_STATUSES[ACTIONS[action].bulk].includes(status);
}

/** Does it to one task; whether that is different now. @throws QueueError when its state does not allow it. */
export async function actOnOne(queue: TaskQueue, acting: Acting, id: number): Promise<boolean> {
  const { action, by } = acting;
  if (action === "cancel" || action === "retry") return await queue[action](id, { by });
  if (action === "remove") {
    await queue.remove(id, { by });
    return true;
  }
  const before = await queue.get(id);
  const after = await queue.update(id, changeOf(acting), { by });
  return before?.updatedAt.getTime() !== after.updatedAt.getTime();
}

/** Does it to some tasks, all of them. */
export async function actOnEach(
  queue: TaskQueue,
  acting: Acting,
  ids: readonly number[],
): Promise<Acted> {
  const request = requestOf(acting, { ids });
  let report = await queue.bulk(request);
  let { changed } = report;
  while (report.cursor !== null) {
    report = await queue.bulk({ ...request, cursor: report.cursor });
    changed += report.changed;
  }
  return { changed, hasMore: false };
}

/** Does it to all tasks that the filter leaves, as far as one request goes. */
export async function actOnAll(
  services: Pick<Services, "queue" | "app" | "maskedKeys">,
  acting: Acting,
  { filter, upToId }: { readonly filter: TaskFilter; readonly upToId: number },
): Promise<Acted> {
  const { status, type, group, tag, olderThanMs } = filter;
  const statuses = BULK_STATUSES[ACTIONS[acting.action].bulk];
  if (status !== undefined && !statuses.includes(status)) return { changed: 0, hasMore: false };
  if (filter.text !== undefined) return await actOnFound(services, acting, { filter, upToId });
  const { queue, app } = services;
  const createdBefore = olderThanMs === undefined
    ? undefined
    : new Date(app.clock.nowMs() - olderThanMs);
  const bulkFilter = { statuses: status && [status], type, group, tag, createdBefore, upToId };
  const { changed, cursor } = await queue.bulk(requestOf(acting, bulkFilter));
  return { changed, hasMore: cursor !== null };
}

/** A text is looked for in what is shown here, so that nothing masked is found: newest first, in steps. */
async function actOnFound(
  { queue, app, maskedKeys }: Pick<Services, "queue" | "app" | "maskedKeys">,
  acting: Acting,
  { filter, upToId }: { readonly filter: TaskFilter; readonly upToId: number },
): Promise<Acted> {
  const options = { nowMs: app.clock.nowMs(), maskedKeys, limit: 500 };
  const endMs = performance.now() + SEARCH_MS;
  let changed = 0;
  for (let from: Pick<TaskFilter, "cursor"> = {};;) {
    const { tasks, next } = await readTasks(queue, { ...filter, ...from }, options);
    const isMeant = (task: Task): boolean => task.id <= upToId && isOpenTo(acting.action, task);
    const ids = tasks.filter(isMeant).map(({ id }) => id);
    if (ids.length > 0) changed += (await actOnEach(queue, acting, ids)).changed;
    if (next === null) return { changed, hasMore: false };
    if (performance.now() >= endMs) return { changed, hasMore: true };
    from = next;
  }
}

function requestOf(acting: Acting, filter: BulkFilter): BulkRequest {
  const { action, by } = acting;
  return { action: ACTIONS[action].bulk, filter, by, ...changeOf(acting) };
}

/** What is to be different of each task. @throws TypeError, RangeError, HttpError for what a form says wrongly. */
function changeOf(
  { action, fields }: Acting,
): Pick<TaskUpdate, "priority" | "runAfter" | "delayMs"> {
  if (action === "run_now") return { delayMs: 0 };
  if (action === "set_priority") return { priority: priorityOf(fields.priority ?? "") };
  if (action !== "reschedule") return {};
  return { runAfter: new Date(checkInstant(fields.run_after?.trim(), "time")) };
}
