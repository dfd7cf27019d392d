/**
 * The walk of a bulk request: upwards by id, from the lowest to the highest that there was when it began, so that each task is met
 * once, whatever status it has had before. A slice is looked at, then what matches is changed in transactions of a bounded size,
 * each of which looks again at what it changes. Other work goes on between; who stops in between has done a part that a second
 * request completes.
 */
import type { Clock } from "../domain/clock.ts";
import { BULK_LIMITS, type BulkReport } from "../queue/bulk.ts";
import {
  type BulkFacts,
  cursorOf,
  type IdRange,
  matches,
  type PreparedBulk,
} from "./bulk_request.ts";

/** A part of what a request looks at. */
export interface BulkSlice {
  /** Tasks that may match, by their ids. */
  readonly tasks: readonly BulkFacts[];
  /** Up to which id there are no others. */
  readonly upToId: number;
}

/** What one transaction has done. */
export interface BulkStep {
  /** How many of the tasks still matched. */
  readonly matched: number;
  readonly changed: number;
  /** How many of the ids it has come to: fewer than it was given when that would have been too much. */
  readonly done: number;
}

/** What an engine does of it. */
export interface BulkEngine {
  readonly clock: Clock;
  /** How many tasks one transaction changes at most. */
  readonly stepMax: number;
  /** The highest id that there is; 0 without any. */
  lastId(): Promise<number>;
  /** The beginning of a range. */
  look(bulk: PreparedBulk, range: IdRange): Promise<BulkSlice>;
  /** Changes those of these tasks that match, in one transaction; begins with the first. */
  change(bulk: PreparedBulk, ids: readonly number[]): Promise<BulkStep>;
  /** Lets other work go on. */
  rest(): Promise<void>;
}

/** Does what a request says, for as long as it says. */
export async function walk(engine: BulkEngine, bulk: PreparedBulk): Promise<BulkReport> {
  const endMs = engine.clock.nowMs() + bulk.budgetMs;
  const range = bulk.range ?? await wholeRange(engine, bulk);
  const progress = new Progress(range);
  while (!progress.isOver) {
    const { tasks, upToId } = await engine.look(bulk, progress.range);
    const ids = tasks.filter((task) => matches(task, bulk.filter)).map(({ id }) => id);
    await goOver(engine, bulk, { ids, lookedUpToId: upToId, progress, endMs });
    const isFull = bulk.isDryRun && progress.matched >= BULK_LIMITS.countMax;
    if (isFull || engine.clock.nowMs() >= endMs) break;
    await engine.rest();
  }
  return progress.report;
}

async function wholeRange(engine: BulkEngine, { filter }: PreparedBulk): Promise<IdRange> {
  return { afterId: 0, upToId: Math.min(filter.upToId, await engine.lastId()) };
}

/** The slice that these tasks make, of which one look gives at most so many. */
export function sliceOf(
  tasks: readonly BulkFacts[],
  { upToId, max }: { readonly upToId: number; readonly max: number },
): BulkSlice {
  return { tasks, upToId: tasks.length < max ? upToId : tasks.at(-1)!.id };
}

/** Changes what was found in a slice, or counts it. */
async function goOver(
  engine: BulkEngine,
  bulk: PreparedBulk,
  { ids, lookedUpToId, progress, endMs }: {
    readonly ids: readonly number[];
    readonly lookedUpToId: number;
    readonly progress: Progress;
    readonly endMs: number;
  },
): Promise<void> {
  if (bulk.isDryRun) return progress.add({ matched: ids.length, changed: 0 }, lookedUpToId);
  for (let from = 0; from < ids.length;) {
    const part = ids.slice(from, from + engine.stepMax);
    const step = await engine.change(bulk, part);
    progress.add(step, part[step.done - 1]!);
    from += step.done;
    if (engine.clock.nowMs() >= endMs && from < ids.length) return;
    if (from < ids.length) await engine.rest();
  }
  progress.add({ matched: 0, changed: 0 }, lookedUpToId);
}

/** How far a request is. */
class Progress {
  readonly #upToId: number;
  #afterId: number;
  #matched = 0;
  #changed = 0;

  constructor({ afterId, upToId }: IdRange) {
    this.#afterId = afterId;
    this.#upToId = upToId;
  }

  get matched(): number {
    return this.#matched;
  }

  get range(): IdRange {
    return { afterId: this.#afterId, upToId: this.#upToId };
  }

  get isOver(): boolean {
    return this.#afterId >= this.#upToId;
  }

  get report(): BulkReport {
    return {
      matched: this.#matched,
      changed: this.#changed,
      doneUpToId: this.#afterId,
      upToId: this.#upToId,
      cursor: this.isOver ? null : cursorOf(this.range),
    };
  }

  /** Notes what was done up to an id. */
  add({ matched, changed }: Pick<BulkStep, "matched" | "changed">, upToId: number): void {
    this.#matched += matched;
    this.#changed += changed;
    this.#afterId = upToId;
  }
}
