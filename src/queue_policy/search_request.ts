/**
 * Search requests, checked; where a search goes on; and what a text finds.
 */
import { checkInstant, checkInteger, checkName, checkOneOf, checkText } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { shownValue } from "../domain/shown_value.ts";
import { type Task, TASK_LIMITS, TASK_STATUSES, type TaskStatus } from "../domain/task.ts";
import { checkTag } from "./tags.ts";
import { SEARCH_LIMITS, type SearchFilter, type SearchRequest } from "../queue/search.ts";

/** The steps of a search, in order; none gives again what one before it gives. */
export const SEARCH_STEPS = ["named", "runs", "group", "tag", "text"] as const;

/** One of them. */
export type SearchStep = typeof SEARCH_STEPS[number];

/** Where a search goes on. */
export interface SearchPlace {
  readonly step: SearchStep;
  /** How many tasks were searched for the text before. */
  readonly searched: number;
  /** Behind which run id, or below which id. */
  readonly at: string;
}

/** A checked filter; `null` for any. */
export interface PreparedSearchFilter {
  readonly status: TaskStatus | null;
  readonly type: string | null;
  readonly group: string | null;
  readonly tag: string | null;
  readonly createdBeforeMs: number;
}

/** A checked request. */
export interface PreparedSearch {
  readonly text: string;
  /** The id that the text may be. */
  readonly id: number | null;
  /** The text as it is compared, and as a JSON text has it where that differs. */
  readonly wanted: string;
  readonly wantedJson: string | null;
  readonly filter: PreparedSearchFilter;
  readonly limit: number;
  readonly place: SearchPlace;
  readonly budgetMs: number;
}

const REQUEST_FIELDS = optionNames<SearchRequest>({
  ...{ text: true, filter: true, limit: true, cursor: true, budgetMs: true },
});

const FILTER_FIELDS = optionNames<SearchFilter>({
  ...{ status: true, type: true, group: true, tag: true, createdBefore: true },
});

/** Above every id. */
const TOP = String(Number.MAX_SAFE_INTEGER);

/** Checks a request. @throws TypeError, RangeError */
export function prepareSearch(request: SearchRequest): PreparedSearch {
  checkOptions(request, REQUEST_FIELDS, "search");
  const { textMaxLength, limitDefault, limitMax, budgetDefaultMs, budgetMaxMs } = SEARCH_LIMITS;
  const text = checkName(request.text, "text to search for", textMaxLength);
  const { filter = {}, cursor, limit = limitDefault, budgetMs = budgetDefaultMs } = request;
  const id = /^#?(\d{1,15})$/.exec(text)?.[1];
  return {
    text,
    id: id === undefined ? null : Number(id),
    ...wantedOf(text),
    filter: prepareFilter(filter),
    limit: checkInteger(limit, "limit", 1, limitMax),
    place: cursor === undefined ? placeAt("named", 0) : placeOf(cursor),
    budgetMs: checkInteger(budgetMs, "budgetMs", 0, budgetMaxMs),
  };
}

function prepareFilter(filter: SearchFilter): PreparedSearchFilter {
  checkOptions(filter, FILTER_FIELDS, "search's filter");
  const { status = null, type, group, tag, createdBefore } = filter;
  const { typeMaxLength, groupMaxLength } = TASK_LIMITS;
  return {
    status: status === null ? null : checkOneOf(status, TASK_STATUSES, "status"),
    type: type === undefined ? null : checkName(type, "task type", typeMaxLength),
    group: group === undefined ? null : checkName(group, "group", groupMaxLength),
    tag: tag === undefined ? null : checkTag(tag),
    createdBeforeMs: createdBefore === undefined
      ? Number.MAX_SAFE_INTEGER
      : checkInstant(createdBefore, "createdBefore"),
  };
}

function wantedOf(text: string): Pick<PreparedSearch, "wanted" | "wantedJson"> {
  const wanted = folded(text);
  const wantedJson = folded(JSON.stringify(text).slice(1, -1));
  return { wanted, wantedJson: wantedJson === wanted ? null : wantedJson };
}

/** A text as texts are compared: both engines know small letters from A to Z alone. */
function folded(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The beginning of a step. */
export function placeAt(step: SearchStep, searched: number): SearchPlace {
  return { step, searched, at: step === "named" || step === "runs" ? "" : TOP };
}

/** The beginning of the step behind a place; `null` when it is the last. */
export function placeAfter({ step, searched }: SearchPlace): SearchPlace | null {
  const next = SEARCH_STEPS[SEARCH_STEPS.indexOf(step) + 1];
  return next === undefined ? null : placeAt(next, searched);
}

/** The cursor of a place. */
export function cursorOf({ step, searched, at }: SearchPlace): string {
  return `${step}-${searched}-${at}`;
}

function placeOf(cursor: unknown): SearchPlace {
  const text = checkText(cursor, "cursor");
  const parts = /^(named|runs|group|tag|text)-(\d{1,15})-([^\0]{0,200})$/su.exec(text);
  const [, step, searched, at] = parts ?? [];
  const isId = step === "group" || step === "tag" || step === "text";
  if (parts === null || isId && !/^\d{1,16}$/.test(at!)) {
    throw new RangeError(
      `Cannot use ${shownValue(text)} as cursor: the cursor of an answer of search() is needed`,
    );
  }
  return { step: step as SearchStep, searched: Number(searched), at: at! };
}

/** The range of run ids that the text names, from the first to below the second. */
export function runRange({ text }: PreparedSearch): readonly [from: string, below: string] {
  const isPrefix = text.length >= SEARCH_LIMITS.prefixMinLength;
  return [text, isPrefix ? `${text}\u{10ffff}` : `${text}\u0001`];
}

/** Whether the filter lets a task through. */
export function passes(task: Task, filter: PreparedSearchFilter): boolean {
  const { status, type, group, tag, createdBeforeMs } = filter;
  return (status ?? task.status) === task.status && (type ?? task.type) === task.type &&
    (group ?? task.group) === task.group && (tag === null || task.tags.includes(tag)) &&
    task.createdAt.getTime() < createdBeforeMs;
}

/** Whether one of the steps before this one gives a task. */
export function isNamedBefore(task: Task, step: SearchStep, search: PreparedSearch): boolean {
  const { text, id } = search;
  const isRun = text.length >= SEARCH_LIMITS.prefixMinLength
    ? task.runId.startsWith(text)
    : task.runId === text;
  const named: Readonly<Record<SearchStep, boolean>> = {
    named: task.id === id || task.idempotencyKey === text,
    runs: isRun,
    group: task.group === text,
    tag: task.tags.includes(text),
    text: false,
  };
  return SEARCH_STEPS.slice(0, SEARCH_STEPS.indexOf(step)).some((each) => named[each]);
}

/**
 * Whether a text finds a task that is shown with another payload than it has: one that is masked. `undefined` stands for a payload
 * of which nothing is shown.
 */
export function isFoundShown(task: Task, text: string, payload: unknown): boolean {
  const search = prepareSearch({ text });
  if (isNamedBefore(task, "text", search)) return true;
  const { wanted, wantedJson } = search;
  const json = folded(JSON.stringify(payload) ?? "");
  const plain = [task.type, task.lockedBy, task.errorMessage].map((part) => folded(part ?? ""));
  return [json, ...plain].some((part) => part.includes(wanted)) ||
    wantedJson !== null && json.includes(wantedJson);
}
