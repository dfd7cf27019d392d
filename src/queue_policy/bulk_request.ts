/**
 * Bulk requests, checked, and which tasks one is for.
 */
import {
  checkArray,
  checkBoolean,
  checkInstant,
  checkInteger,
  checkName,
  checkOneOf,
  checkTaskId,
} from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { shownValue } from "../domain/shown_value.ts";
import { TASK_LIMITS, TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import {
  BULK_ACTIONS,
  BULK_LIMITS,
  BULK_STATUSES,
  type BulkAction,
  type BulkFilter,
  type BulkRequest,
} from "../queue/bulk.ts";
import { checkBy } from "./changed_by.ts";
import { checkTag, tagsOfText } from "./tags.ts";
import { type PreparedUpdate, prepareUpdate } from "./update_request.ts";

/** A task as far as a filter looks at it. */
export interface BulkFacts {
  readonly id: number;
  readonly status: TaskStatus;
  readonly type: string;
  readonly grp: string;
  readonly tags: string | null;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | null;
  readonly attempts: number;
  readonly errorMessage: string | null;
}

/** A checked filter. */
export interface PreparedFilter {
  readonly statuses: readonly TaskStatus[];
  readonly type: string | null;
  readonly group: string | null;
  readonly tag: string | null;
  /** Ascending, each once. */
  readonly ids: readonly number[] | null;
  readonly createdBeforeMs: number;
  readonly finishedBeforeMs: number | null;
  /** In small letters. */
  readonly error: string | null;
  readonly attemptsMin: number;
  readonly upToId: number;
}

/** A part of the tasks, by their ids. */
export interface IdRange {
  readonly afterId: number;
  readonly upToId: number;
}

/** A checked request. */
export interface PreparedBulk {
  readonly action: BulkAction;
  readonly filter: PreparedFilter;
  /** What is to be different, for `reschedule` and `set_priority`. */
  readonly update: PreparedUpdate | null;
  readonly by: string | null;
  readonly isDryRun: boolean;
  /** `null` for the beginning. */
  readonly range: IdRange | null;
  readonly budgetMs: number;
}

const REQUEST_FIELDS = optionNames<BulkRequest>({
  ...{ action: true, filter: true, all: true, priority: true, runAfter: true, delayMs: true },
  ...{ dryRun: true, cursor: true, budgetMs: true, by: true },
});

const FILTER_FIELDS = optionNames<BulkFilter>({
  ...{ statuses: true, type: true, group: true, tag: true, ids: true, createdBefore: true },
  ...{ finishedBefore: true, errorContains: true, attemptsMin: true, upToId: true },
});

/** Checks a request. @throws TypeError, RangeError */
export function prepareBulk(request: BulkRequest): PreparedBulk {
  checkOptions(request, REQUEST_FIELDS, "bulk");
  const action = checkOneOf(request.action, BULK_ACTIONS, "action");
  const { budgetDefaultMs, budgetMaxMs } = BULK_LIMITS;
  const { dryRun = false, all = false, cursor, budgetMs = budgetDefaultMs } = request;
  return {
    action,
    filter: prepareFilter(action, request.filter, checkBoolean(all, "all")),
    update: updateOf(action, request),
    by: checkBy(request),
    isDryRun: checkBoolean(dryRun, "dryRun"),
    range: cursor === undefined ? null : rangeOf(cursor),
    budgetMs: checkInteger(budgetMs, "budgetMs", 0, budgetMaxMs),
  };
}

function updateOf(action: BulkAction, request: BulkRequest): PreparedUpdate | null {
  const { priority, runAfter, delayMs } = request;
  const isFor = (wanted: BulkAction, given: readonly unknown[]): boolean => {
    const isGiven = given.some((value) => value !== undefined);
    if (isGiven && action !== wanted) {
      throw new TypeError(`Cannot ${action} with what is for ${wanted} alone`);
    }
    if (!isGiven && action === wanted) {
      const what = wanted === "reschedule" ? "runAfter or delayMs" : "priority";
      throw new TypeError(`Cannot ${action} without ${what}`);
    }
    return isGiven;
  };
  const isChange = [isFor("set_priority", [priority]), isFor("reschedule", [runAfter, delayMs])];
  if (!isChange.includes(true)) return null;
  return prepareUpdate({ priority, runAfter, delayMs }, { by: request.by });
}

function prepareFilter(action: BulkAction, filter: BulkFilter, isAll: boolean): PreparedFilter {
  checkOptions(filter, FILTER_FIELDS, "filter");
  if (!isAll && Object.values(filter).every((value) => value === undefined)) {
    throw new TypeError(
      `Cannot ${action} every task without being told so: a filter is needed, or all: true`,
    );
  }
  const { type, group, tag, ids, createdBefore, finishedBefore, errorContains, attemptsMin } =
    filter;
  const { typeMaxLength, groupMaxLength, maxAttemptsMax } = TASK_LIMITS;
  const { errorMaxLength } = BULK_LIMITS;
  return {
    statuses: statusesOf(action, filter),
    type: type === undefined ? null : checkName(type, "task type", typeMaxLength),
    group: group === undefined ? null : checkName(group, "group", groupMaxLength),
    tag: tag === undefined ? null : checkTag(tag),
    ids: ids === undefined ? null : idsOf(ids),
    createdBeforeMs: createdBefore === undefined
      ? Infinity
      : checkInstant(createdBefore, "createdBefore"),
    finishedBeforeMs: finishedBefore === undefined
      ? null
      : checkInstant(finishedBefore, "finishedBefore"),
    error: errorContains === undefined
      ? null
      : checkName(errorContains, "errorContains", errorMaxLength).toLowerCase(),
    attemptsMin: checkInteger(attemptsMin ?? 0, "attemptsMin", 0, maxAttemptsMax),
    upToId: checkTaskId(filter.upToId ?? Number.MAX_SAFE_INTEGER),
  };
}

function statusesOf(action: BulkAction, { statuses }: BulkFilter): readonly TaskStatus[] {
  const allowed = BULK_STATUSES[action];
  if (statuses === undefined) return allowed;
  if (checkArray(statuses, "statuses", "statuses").length === 0) {
    throw new TypeError("Cannot use [] as statuses: some are needed");
  }
  for (const status of statuses) checkOneOf(status, TASK_STATUSES, "status");
  const other = statuses.find((status) => !allowed.includes(status));
  if (other === undefined) return allowed.filter((status) => statuses.includes(status));
  throw new TypeError(
    `Cannot ${action} tasks that are ${other}: allowed are ${allowed.join(", ")}`,
  );
}

function idsOf(ids: readonly number[]): readonly number[] {
  checkArray(ids, "ids", "task ids");
  checkInteger(ids.length, "number of ids", 0, BULK_LIMITS.idsMax);
  return [...new Set(ids.map(checkTaskId))].sort((a, b) => a - b);
}

/** Where a request goes on. @throws RangeError */
function rangeOf(cursor: string): IdRange {
  const [, after, upTo] = /^(\d{1,15})-(\d{1,15})$/.exec(cursor) ?? [];
  if (after !== undefined) return { afterId: Number(after), upToId: Number(upTo) };
  throw new RangeError(
    `Cannot use ${shownValue(cursor)} as cursor: the cursor of an answer of bulk() is needed`,
  );
}

/** The cursor of a range that is left. */
export function cursorOf({ afterId, upToId }: IdRange): string {
  return `${afterId}-${upToId}`;
}

/** Whether a filter lets a task through. */
export function matches(task: BulkFacts, filter: PreparedFilter): boolean {
  const { statuses, type, group, tag, createdBeforeMs, finishedBeforeMs, error, attemptsMin } =
    filter;
  return statuses.includes(task.status) && (type ?? task.type) === task.type &&
    (group ?? task.grp) === task.grp && (tag === null || tagsOfText(task.tags).includes(tag)) &&
    task.createdAtMs < createdBeforeMs &&
    (finishedBeforeMs === null || (task.finishedAtMs ?? Infinity) < finishedBeforeMs) &&
    task.attempts >= attemptsMin &&
    (error === null || (task.errorMessage?.toLowerCase().includes(error) ?? false));
}
