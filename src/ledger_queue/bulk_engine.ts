/**
 * LedgerBulk: a bulk request on a ledger. Each step is one write; between two, the event loop has a turn.
 */
import { type Clock, sleep, systemClock } from "../domain/clock.ts";
import type { IdRange, PreparedBulk } from "../queue_policy/bulk_request.ts";
import type { BulkEngine, BulkSlice, BulkStep } from "../queue_policy/bulk_walk.ts";
import type { Duties } from "./duties.ts";
import type { LedgerAccess } from "./ledger_access.ts";
import { BULK_STEP, change, lastId, look } from "./tasks/bulk.ts";

/** Bulk requests of one queue. */
export class LedgerBulk implements BulkEngine {
  readonly clock: Clock;
  readonly stepMax = BULK_STEP;
  readonly #access: LedgerAccess;
  readonly #duties: Duties;

  constructor(access: LedgerAccess, duties: Duties) {
    this.clock = access.clock;
    this.#access = access;
    this.#duties = duties;
  }

  lastId(): Promise<number> {
    return this.#access.read(lastId);
  }

  look({ filter }: PreparedBulk, range: IdRange): Promise<BulkSlice> {
    return this.#access.read((reader) => look(reader, filter, range));
  }

  async change(bulk: PreparedBulk, ids: readonly number[]): Promise<BulkStep> {
    if (bulk.action === "remove") await this.#duties.count();
    const { removed, ...step } = await this.#access.writeIfOpen((tx, context) =>
      change(tx, { bulk, ids }, context)
    );
    if (removed.length > 0) this.#duties.tellPruned(removed);
    return step;
  }

  /** The system's time: a queue in memory would never let anything else run otherwise. */
  async rest(): Promise<void> {
    await sleep(systemClock, 0);
  }
}
