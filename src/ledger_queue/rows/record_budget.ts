/**
 * How much one operation may write, so that its record stays far below the longest that the ledger takes, however large the
 * payloads are. What is left over, another operation does.
 */
import type { SqlRow } from "../../ledger/sql_engine.ts";

/** The default. In characters of rows, about; a record may have eight times as many, and JSON within JSON up to doubles them. */
export const RECORD_BUDGET = 8 * 1024 * 1024;

/** What a row costs beside its texts, with the transition that is noted for it. */
const ROW_LENGTH = 500;

/** What is left of an operation's budget. An operation that spends it writes one row at least. */
export class RecordBudget {
  #left: number;

  constructor(size: number) {
    this.#left = size;
  }

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** Notes that `row` is written. */
  spend(row: SqlRow): void {
    this.#left -= ROW_LENGTH;
    for (const value of row) if (typeof value === "string") this.#left -= value.length;
  }
}
