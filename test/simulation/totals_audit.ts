/**
 * Keeps account of every transition that the journal brings; the queue's own totals must be the same after every record.
 */
import type { Change } from "../../src/ledger/change.ts";
import type { Reader } from "../../src/ledger/replica.ts";
import { LOG_TABLE } from "../../src/ledger_queue/rows/schema.ts";
import { TotalsSum } from "../../src/ledger_queue/rows/totals.ts";
import type { EventLog } from "./event_log.ts";

/** Counts by kind. */
export class TotalsAudit {
  readonly #log: EventLog;
  readonly #counts = new Map<string, number>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** What one record changes; the reader is where it leads. */
  check(changes: readonly Change[], reader: Reader): void {
    const added = changes.filter((change) =>
      change.table === LOG_TABLE && change.row !== null && change.changed === undefined
    );
    for (const { row } of added) {
      const kind = String(row![4]);
      this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    }
    this.#log.count("totals compared with what happened");
    const found = new Map<string, number>();
    const sum = new TotalsSum();
    for (let isOver = false; !isOver;) isOver = sum.follow(reader);
    for (const { transitions } of Object.values(sum.values())) {
      for (const [kind, n] of Object.entries(transitions)) {
        if (n > 0) found.set(kind, (found.get(kind) ?? 0) + n);
      }
    }
    if (textOf(found) !== textOf(this.#counts)) {
      this.#log.violate(
        `the totals are ${textOf(found)}, what happened is ${textOf(this.#counts)}`,
      );
    }
  }
}

function textOf(counts: ReadonlyMap<string, number>): string {
  return JSON.stringify([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
