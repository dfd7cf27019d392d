/**
 * The walk of a search: what the text names by indexes, then the tasks from the newest to the oldest in slices that take about as long
 * as each other. Other work goes on between two slices.
 */
import type { Clock } from "../domain/clock.ts";
import { type Task, TASK_LIMITS } from "../domain/task.ts";
import type { SearchPage } from "../queue/search.ts";
import {
  cursorOf,
  isNamedBefore,
  passes,
  placeAfter,
  type PreparedSearch,
  type SearchPlace,
} from "./search_request.ts";

/** A slice to look at. */
export interface SearchPart {
  readonly place: SearchPlace;
  /** How many tasks to find at most, 1 or more. */
  readonly wanted: number;
}

/** What a slice has found. */
export interface SearchSlice {
  /** What may match, in order; a part of what was wanted, one at least, when they are large. */
  readonly tasks: readonly Task[];
  /** How many characters they have. */
  readonly length: number;
  /** How many tasks were looked at. */
  readonly looked: number;
  /** Behind which run id, or below which id, the step goes on; `null` at its end. */
  readonly next: string | null;
}

/** The lowest and the highest id. */
export interface IdSpan {
  readonly lowest: number;
  readonly highest: number;
}

/** What an engine does of it. */
export interface SearchEngine {
  readonly clock: Clock;
  /** Looks at the next slice. */
  look(search: PreparedSearch, part: SearchPart): Promise<SearchSlice>;
  /** The ids that there are; `undefined` without any. */
  idSpan(): Promise<IdSpan | undefined>;
  /** Lets other work go on. */
  rest(): Promise<void>;
}

/** Does what a request says, for as long as it says. */
export async function walkSearch(
  engine: SearchEngine,
  search: PreparedSearch,
): Promise<SearchPage> {
  const endMs = engine.clock.nowMs() + search.budgetMs;
  const found = new Found(search);
  for (;;) {
    const { place, wanted } = found;
    const slice = await engine.look(search, { place, wanted });
    found.add(slice);
    const isSearched = place.step === "text" || slice.next !== null;
    const isLate = isSearched && engine.clock.nowMs() >= endMs;
    if (found.isOver || found.isFull || isLate) break;
    await engine.rest();
  }
  return found.page(found.isOver ? undefined : await engine.idSpan());
}

/** What a request has found so far, and where it goes on. */
class Found {
  readonly #search: PreparedSearch;
  readonly #tasks: Task[] = [];
  #length = 0;
  #place: SearchPlace;
  #isOver = false;

  constructor(search: PreparedSearch) {
    this.#search = search;
    this.#place = search.place;
  }

  get place(): SearchPlace {
    return this.#place;
  }

  get wanted(): number {
    return this.#search.limit - this.#tasks.length;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get isFull(): boolean {
    return this.wanted <= 0 || this.#length >= TASK_LIMITS.listMaxLength;
  }

  add({ tasks, length, looked, next }: SearchSlice): void {
    const { filter } = this.#search;
    const { step, searched } = this.#place;
    const isNew = (task: Task): boolean =>
      passes(task, filter) && !isNamedBefore(task, step, this.#search);
    this.#tasks.push(...tasks.filter(isNew));
    this.#length += length;
    const reached = { ...this.#place, searched: searched + (step === "text" ? looked : 0) };
    const place = next === null ? placeAfter(reached) : { ...reached, at: next };
    this.#isOver = place === null;
    this.#place = place ?? reached;
  }

  /** `span` is of the ids, where something is left. */
  page(span: IdSpan | undefined): SearchPage {
    const { step, searched, at } = this.#place;
    const highest = step === "text" ? Math.min(Number(at) - 1, span?.highest ?? 0) : span?.highest;
    return {
      tasks: this.#tasks,
      searched,
      leftMax: span === undefined ? 0 : Math.max(0, highest! - span.lowest + 1),
      cursor: this.#isOver ? null : cursorOf(this.#place),
    };
  }
}

/** How long a slice is to take, in milliseconds, and how many tasks the first one has. */
const SLICE_MS = 8;
const BEGINNING = 250;

/** How many tasks a slice has at least, and at most. */
const SLICE_MIN = 20;
const SLICE_MAX = 2000;

/** How many tasks a slice has: as many as were searched in `SLICE_MS` by the slice before, but not many more than that one had. */
export class Pace {
  #size = BEGINNING;

  /** How many the next slice has. */
  get size(): number {
    return this.#size;
  }

  /** Notes that a slice of `looked` tasks took so long. */
  note(looked: number, tookMs: number): void {
    const fitting = looked * SLICE_MS / Math.max(tookMs, 0.1);
    this.#size = Math.max(SLICE_MIN, Math.min(SLICE_MAX, this.#size * 2, Math.round(fitting)));
  }
}
