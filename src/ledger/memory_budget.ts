/**
 * The memory budget: how large the database in memory may become, and what is refused before it is full.
 *
 * Each process holds the whole queue in WASM memory, which ends at 2 GB; SQLite gets 2.04 GB of pages into it. A process in
 * which a record finds no room can neither follow the others nor free anything. So an operation that adds is refused above
 * the high-water mark, and a large result above the limit; what makes room never is. Pages decide, which are nearly the
 * same in every process, and not this process's memory; what was deleted leaves free pages, which count as free.
 */
import { QueueFullError } from "../domain/errors.ts";
import { MEMORY_LIMITS } from "../domain/memory_limits.ts";
import type { MemoryUsage } from "../domain/storage_stats.ts";
import type { SqlDatabase } from "./sql_engine.ts";

/** What an operation must leave the database below, if it writes anything. */
export type MemoryMark = "high_water" | "limit";

/**
 * What was written is measured when it may have used up this share of the room below a mark. A character of a row takes
 * about two bytes with its indexes; sixteen where it splits pages.
 */
const MEASURE_SHARE = 1 / 16;

/** The budget of one database. */
export class MemoryBudget {
  readonly #database: Pick<SqlDatabase, "all">;
  readonly #path: string;
  readonly #maxBytes: number;
  #usedBytes = 0;
  /** Characters, about, that were written since it was measured. */
  #written = Infinity;

  constructor(
    database: Pick<SqlDatabase, "all">,
    { path, maxBytes }: { readonly path: string; readonly maxBytes: number },
  ) {
    this.#database = database;
    this.#path = path;
    this.#maxBytes = maxBytes;
  }

  /** Notes that about so many characters were written. */
  note(characters: number): void {
    this.#written += characters;
  }

  /** Within an operation, once it has written. @throws QueueFullError when it leaves the database above `mark`. */
  check(mark: MemoryMark): void {
    const markBytes = this.#markBytes(mark);
    if (this.#written < (markBytes - this.#usedBytes) * MEASURE_SHARE) return;
    const { memoryUsedBytes } = this.usage();
    if (memoryUsedBytes <= markBytes) return;
    // What is refused is undone: the pages that were counted are not those that will be there.
    this.#written = Infinity;
    throw new QueueFullError(this.#path, { usedBytes: memoryUsedBytes, markBytes });
  }

  /** Measures. */
  usage(): MemoryUsage {
    const number = (pragma: string): number =>
      Number(this.#database.all(`PRAGMA ${pragma}`)[0]![0]);
    this.#usedBytes = (number("page_count") - number("freelist_count")) * number("page_size");
    this.#written = 0;
    return { memoryUsedBytes: this.#usedBytes, memoryMaxBytes: this.#maxBytes };
  }

  #markBytes(mark: MemoryMark): number {
    return mark === "limit" ? this.#maxBytes : this.#maxBytes * MEMORY_LIMITS.highWaterShare;
  }
}
