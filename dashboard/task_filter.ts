/**
 * Which tasks are shown: a filter that stands in the URL, and reading the tasks that it leaves.
 *
 * The queue filters by status, type, group and tag, and searches for a text; age alone is looked for here. Both in bounded steps: a page ends
 * after a while, and says where the search goes on. Text is looked for in what is shown, so never in what is masked.
 */
import {
  isFoundShown,
  isTaskStatus,
  SEARCH_LIMITS,
  type Task,
  TASK_LIMITS,
  type TaskQueue,
  type TaskStatus,
} from "../src/core.ts";
import type { Kept } from "./kept.ts";
import { mask } from "./mask.ts";
import { rest } from "./rest.ts";

/** A filter. */
export interface TaskFilter {
  readonly status?: TaskStatus;
  readonly type?: string;
  readonly group?: string;
  readonly tag?: string;
  /** What `search` finds: a name of tasks, or a part of their payload, error, type or worker. */
  readonly text?: string;
  /** Where the search of the text goes on. */
  readonly cursor?: string;
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

/** So long, in milliseconds, a page looks for a text, or for an age; then it asks whether to go on. */
const SEARCH_MS = 30;

/** So many at once, so that other work goes on between. */
const STEP = 100;

/** The count ends here. */
export const COUNT_MAX = 10_000;

/** The filter in a query. What makes no sense is passed over. */
export function filterOf(query: URLSearchParams): TaskFilter {
  const status = query.get("status") ?? "";
  const type = (query.get("type") ?? "").trim();
  const group = (query.get("group") ?? "").trim();
  const tag = (query.get("tag") ?? "").trim();
  const text = textOf(query.get("q") ?? "");
  const cursor = query.get("from") ?? "";
  const age = query.get("age") ?? "";
  const before = query.get("before") ?? "";
  return {
    status: isTaskStatus(status) ? status : undefined,
    type: type !== "" && type.length <= TASK_LIMITS.typeMaxLength ? type : undefined,
    group: group !== "" && group.length <= TASK_LIMITS.groupMaxLength ? group : undefined,
    tag: tag !== "" && tag.length <= TASK_LIMITS.tagMaxLength ? tag : undefined,
    text: text === "" ? undefined : text,
    cursor: CURSOR.test(cursor) ? cursor : undefined,
    olderThanMs: Object.hasOwn(AGES, age) ? AGES[age] : undefined,
    beforeId: /^\d{1,15}$/.test(before) ? Number(before) : undefined,
  };
}

/** The cursor of a search. */
const CURSOR = /^(?:named-\d{1,15}-|runs-\d{1,15}-.{0,200}|(?:group|tag|text)-\d{1,15}-\d{1,16})$/u;

/** A text as it can be searched for: printable, and no longer than may be. */
function textOf(given: string): string {
  // deno-lint-ignore no-control-regex
  const printable = given.replace(/[\u0000-\u001f\u007f]+/g, " ").trim();
  return printable.slice(0, SEARCH_LIMITS.textMaxLength).toWellFormed().trim();
}

/** The query of a filter. */
export function queryOf(filter: TaskFilter): URLSearchParams {
  const query = new URLSearchParams();
  const age = Object.entries(AGES).find(([, ms]) => ms === filter.olderThanMs)?.[0];
  const fields = {
    status: filter.status,
    type: filter.type,
    group: filter.group,
    tag: filter.tag,
    q: filter.text,
    age,
  };
  for (const [name, value] of Object.entries(fields)) if (value) query.set(name, value);
  if (filter.beforeId !== undefined) query.set("before", String(filter.beforeId));
  if (filter.cursor !== undefined) query.set("from", filter.cursor);
  return query;
}

/** A part of the tasks that a filter leaves, newest first; what a text names comes first. */
export interface TaskPage {
  readonly tasks: readonly Task[];
  /** What makes the filter that of the next page; `null` when there is none. */
  readonly next: Pick<TaskFilter, "beforeId" | "cursor"> | null;
  /** How many were looked at, where that is more than are shown. */
  readonly searched: number;
  /** How many are left to be searched for a text at most. */
  readonly leftMax: number;
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
  options: ReadOptions,
): Promise<TaskPage> {
  const { text } = filter;
  const { limit = PAGE_SIZE } = options;
  return text === undefined
    ? await listTasks(queue, filter, { ...options, limit })
    : await searchTasks(queue, { ...filter, text }, { ...options, limit });
}

/** The queue searches; what it finds by what is masked here is left out, and not counted either. */
async function searchTasks(
  queue: TaskQueue,
  { text, olderThanMs, cursor: from, beforeId: _, ...where }: TaskFilter & {
    readonly text: string;
  },
  { nowMs, maskedKeys, limit }: Required<ReadOptions>,
): Promise<TaskPage> {
  const createdBefore = olderThanMs === undefined ? undefined : new Date(nowMs - olderThanMs + 1);
  const request = { text, filter: { ...where, createdBefore } };
  const isShown = (task: Task): boolean =>
    isFoundShown(task, text, mask(task.payload, maskedKeys).value);
  const endMs = performance.now() + SEARCH_MS;
  const found: Task[] = [];
  for (let cursor = from;;) {
    const budgetMs = Math.max(0, Math.floor(endMs - performance.now()));
    const page = await queue.search({ ...request, cursor, limit: limit - found.length, budgetMs });
    found.push(...page.tasks.filter(isShown));
    const { searched, leftMax } = page;
    if (page.cursor === null) return { tasks: found, next: null, searched, leftMax };
    cursor = page.cursor;
    if (found.length >= limit || performance.now() >= endMs) {
      return { tasks: found, next: { cursor }, searched, leftMax };
    }
  }
}

async function listTasks(
  queue: TaskQueue,
  { olderThanMs, beforeId: before, text: _1, cursor: _2, ...where }: TaskFilter,
  { nowMs, limit }: Required<ReadOptions>,
): Promise<TaskPage> {
  const isOld = (task: Task): boolean =>
    olderThanMs === undefined || nowMs - task.createdAt.getTime() >= olderThanMs;
  const endMs = performance.now() + SEARCH_MS;
  const found: Task[] = [];
  let beforeId = before;
  for (let searched = 0;;) {
    const part = await queue.list({ ...where, beforeId, limit: Math.min(STEP, limit + 1) });
    if (part.length === 0) return { tasks: found, next: null, searched, leftMax: 0 };
    for (const task of part) {
      if (found.length === limit) {
        return { tasks: found, next: { beforeId: beforeId! }, searched, leftMax: 0 };
      }
      searched++;
      beforeId = task.id;
      if (isOld(task)) found.push(task);
    }
    if (olderThanMs !== undefined && performance.now() >= endMs) {
      return { tasks: found, next: { beforeId: beforeId! }, searched, leftMax: 0 };
    }
    await rest();
  }
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
  const name = `count ${JSON.stringify([filter.status, filter.type, filter.group, filter.tag])}`;
  return await kept.get(name, () => countUpTo(queue, filter));
}

async function countUpTo(
  queue: TaskQueue,
  { status, type, group, tag }: TaskFilter,
): Promise<number> {
  const [beyond] = await queue.list({ status, type, group, tag, offset: COUNT_MAX, limit: 1 });
  return beyond === undefined ? await queue.count({ status, type, group, tag }) : COUNT_MAX + 1;
}

/** The text of such a count. */
export function countText(n: number): string {
  return n > COUNT_MAX ? "10,000+" : String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}
