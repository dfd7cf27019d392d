/**
 * How much one operation may write, so that its record stays far below the longest that the ledger takes, however large the
 * payloads are. What is left over, another operation does.
 */
import type { SqlRow } from "../ledger/sql_engine.ts";

/** In characters of rows; a record may have eight times as many, and JSON within JSON up to doubles them. */
const BUDGET = 8 * 1024 * 1024;

/** About what a value costs that is no text. */
const NUMBER_LENGTH = 12;

/** What is left of an operation's budget. Whoever spends it writes one row at least. */
export class RecordBudget {
  #left = BUDGET;

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** Notes that `row` is written. */
  spend(row: SqlRow): void {
    for (const value of row) this.#left -= typeof value === "string" ? value.length : NUMBER_LENGTH;
  }
}
