/**
 * Which tasks are shown: a filter that stands in the URL, and reading the tasks that it leaves.
 *
 * The queue filters by status, type and group. Text and age are looked for here, in bounded steps: a page that has looked at so many tasks
 * ends, and says where the search goes on. Text is looked for in what is shown, so never in what is masked.
 */
import {
  isTaskStatus,
  type Task,
  TASK_LIMITS,
  type TaskQueue,
  type TaskStatus,
} from "../src/core.ts";
import type { Kept } from "./kept.ts";
import { mask } from "./mask.ts";

/** A filter. */
export interface TaskFilter {
  readonly status?: TaskStatus;
  readonly type?: string;
  readonly group?: string;
  /** A part of the id, run id, type, payload, worker or error, in any case. */
  readonly text?: string;
  /** Only tasks that were stored longer ago than this, in milliseconds. */
  readonly olderThanMs?: number;
  /** Only tasks with a lower id. */
  readonly beforeId?: number;
}

/** Ages that can be chosen, in milliseconds. */
export const AGES: Readonly<Record<string, number>> = {
  "1min": 60_000,
  "10min": 600_000,
  "1h": 3_600_000,
  "1d": 86_400_000,
  "7d": 604_800_000,
};

/** So many tasks stand on a page. */
export const PAGE_SIZE = 50;

/** A search looks at so many tasks before it asks whether to go on. */
const SEARCHED_MAX = 1000;

/** So many at once, so that other work goes on between. */
const STEP = 100;

/** The count ends here. */
export const COUNT_MAX = 10_000;

/** The filter in a query. What makes no sense is passed over. */
export function filterOf(query: URLSearchParams): TaskFilter {
  const status = query.get("status") ?? "";
  const type = (query.get("type") ?? "").trim();
  const group = (query.get("group") ?? "").trim();
  const text = (query.get("q") ?? "").trim().slice(0, 200);
  const age = query.get("age") ?? "";
  const before = query.get("before") ?? "";
  return {
    status: isTaskStatus(status) ? status : undefined,
    type: type !== "" && type.length <= TASK_LIMITS.typeMaxLength ? type : undefined,
    group: group !== "" && group.length <= TASK_LIMITS.groupMaxLength ? group : undefined,
    text: text === "" ? undefined : text,
    olderThanMs: Object.hasOwn(AGES, age) ? AGES[age] : undefined,
    beforeId: /^\d{1,15}$/.test(before) ? Number(before) : undefined,
  };
}

/** The query of a filter. */
export function queryOf(filter: TaskFilter): URLSearchParams {
  const query = new URLSearchParams();
  const age = Object.entries(AGES).find(([, ms]) => ms === filter.olderThanMs)?.[0];
  const fields = {
    status: filter.status,
    type: filter.type,
    group: filter.group,
    q: filter.text,
    age,
  };
  for (const [name, value] of Object.entries(fields)) if (value) query.set(name, value);
  if (filter.beforeId !== undefined) query.set("before", String(filter.beforeId));
  return query;
}

/** A part of the tasks that a filter leaves, newest first. */
export interface TaskPage {
  readonly tasks: readonly Task[];
  /** Where the next page begins; `null` when there is none. */
  readonly nextBeforeId: number | null;
  /** How many were looked at, where that is more than are shown. */
  readonly searched: number;
}

/** What reading needs. */
export interface ReadOptions {
  readonly nowMs: number;
  readonly maskedKeys: RegExp;
  readonly limit?: number;
}

/** The next tasks that the filter leaves. */
export async function readTasks(
  queue: TaskQueue,
  filter: TaskFilter,
  { nowMs, maskedKeys, limit = PAGE_SIZE }: ReadOptions,
): Promise<TaskPage> {
  const { status, type, group } = filter;
  const found: Task[] = [];
  let { beforeId } = filter;
  for (let searched = 0; searched < SEARCHED_MAX;) {
    const part = await queue.list({
      status,
      type,
      group,
      beforeId,
      limit: Math.min(STEP, limit + 1),
    });
    if (part.length === 0) return { tasks: found, nextBeforeId: null, searched };
    for (const task of part) {
      if (found.length === limit) return { tasks: found, nextBeforeId: beforeId!, searched };
      searched++;
      beforeId = task.id;
      if (isMatch(task, filter, { nowMs, maskedKeys })) found.push(task);
    }
    if (found.length < limit && searched >= SEARCHED_MAX) {
      return { tasks: found, nextBeforeId: beforeId!, searched };
    }
  }
  return { tasks: found, nextBeforeId: beforeId!, searched: SEARCHED_MAX };
}

function isMatch(
  task: Task,
  { text, olderThanMs }: TaskFilter,
  { nowMs, maskedKeys }: ReadOptions,
): boolean {
  if (olderThanMs !== undefined && nowMs - task.createdAt.getTime() < olderThanMs) return false;
  if (text === undefined) return true;
  const wanted = text.toLowerCase();
  const plain = [`#${task.id}`, task.runId, task.type, task.lockedBy, task.errorMessage];
  if (plain.some((part) => part?.toLowerCase().includes(wanted))) return true;
  return JSON.stringify(mask(task.payload, maskedKeys).value)?.toLowerCase().includes(wanted) ??
    false;
}

/** Whether the queue itself can apply all of a filter. */
export function isCounted({ text, olderThanMs }: TaskFilter): boolean {
  return text === undefined && olderThanMs === undefined;
}

/** How many tasks the queue itself finds, but no more than `COUNT_MAX` and one. */
export async function countKept(
  { queue, kept }: { readonly queue: TaskQueue; readonly kept: Kept },
  filter: TaskFilter,
): Promise<number> {
  const name = `count ${JSON.stringify([filter.status, filter.type, filter.group])}`;
  return await kept.get(name, () => countUpTo(queue, filter));
}

async function countUpTo(
  queue: TaskQueue,
  { status, type, group }: TaskFilter,
): Promise<number> {
  const [beyond] = await queue.list({ status, type, group, offset: COUNT_MAX, limit: 1 });
  return beyond === undefined ? await queue.count({ status, type, group }) : COUNT_MAX + 1;
}

/** The text of such a count. */
export function countText(n: number): string {
  return n > COUNT_MAX ? "10,000+" : String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}
