/**
 * Search: the tasks that a text names, or that have it in them.
 */
import type { Task, TaskStatus } from "../domain/task.ts";

/** The ranges of a search. */
export const SEARCH_LIMITS: {
  /** The longest text, in characters. */
  readonly textMaxLength: number;
  /** A text of so many characters or more is also the beginning of a run id. */
  readonly prefixMinLength: number;
  /** How many tasks one answer has when nothing is said. */
  readonly limitDefault: number;
  /** How many it has at most. */
  readonly limitMax: number;
  /** After how long it is answered when nothing is said, in milliseconds. */
  readonly budgetDefaultMs: number;
  /** The longest time that can be asked for, in milliseconds. */
  readonly budgetMaxMs: number;
} = Object.freeze({
  textMaxLength: 200,
  prefixMinLength: 4,
  limitDefault: 50,
  limitMax: 500,
  budgetDefaultMs: 50,
  budgetMaxMs: 10_000,
});

/** Where to search; a task is found when all that is given is true of it. */
export interface SearchFilter {
  /** Only tasks with this status. */
  readonly status?: TaskStatus;
  /** Only tasks of this type. */
  readonly type?: string;
  /** Only tasks of this group. */
  readonly group?: string;
  /** Only tasks with this tag. */
  readonly tag?: string;
  /** Only those that were stored before: a `Date`, or an ISO 8601 string with a zone. */
  readonly createdBefore?: Date | string;
}

/** What to look for. */
export interface SearchRequest {
  /**
   * 1–200 characters. First come the tasks that it names: by id (also written `#7`), idempotency key, run id or, from four characters
   * on, the beginning of one, group, and tag. Then those that have it in their payload's JSON, last error, type or worker, in any case of
   * the letters A to Z, newest first.
   */
  readonly text: string;
  /** Where; default everywhere. */
  readonly filter?: SearchFilter;
  /** How many tasks at most, 1–500; default 50. */
  readonly limit?: number;
  /** The `cursor` of the answer before, to go on; default from the beginning. */
  readonly cursor?: string;
  /** After how long to answer with what is found so far, 0 to 10,000 ms; default 50. A slice is always searched. */
  readonly budgetMs?: number;
}

/** What one request has found. */
export interface SearchPage {
  /**
   * Each is found once, however many answers there are, but for one whose tags or group are changed in between. They are fewer, one at
   * least, when they are large; the first answer may have one more, where a number is the id of one task and the key of another.
   */
  readonly tasks: readonly Task[];
  /** How many tasks were searched for the text, in all answers up to this one. What an index names is not searched for. */
  readonly searched: number;
  /** How many are left to be searched at most, by their ids; 0 at the end. */
  readonly leftMax: number;
  /** Give this to go on; `null` at the end. */
  readonly cursor: string | null;
}

/** Searching a queue. */
export interface QueueSearch {
  /**
   * Finds tasks by a text. What it names is found by indexes, however many tasks there are; the rest in slices, between which other
   * work goes on, and no more of them than the time allows. What is stored meanwhile is not found.
   *
   * @throws TypeError, RangeError
   */
  search(request: SearchRequest): Promise<SearchPage>;
}
