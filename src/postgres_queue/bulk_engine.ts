/**
 * PostgresBulk: a bulk request on a database. Each step is one transaction.
 */
import type { Clock } from "../domain/clock.ts";
import type { IdRange, PreparedBulk } from "../queue_policy/bulk_request.ts";
import type { BulkEngine, BulkSlice, BulkStep } from "../queue_policy/bulk_walk.ts";
import type { Duties } from "./duties.ts";
import type { PostgresAccess } from "./postgres_access.ts";
import { BULK_STEP, change, lastId, look } from "./tasks/bulk.ts";

/** Bulk requests of one queue. */
export class PostgresBulk implements BulkEngine {
  readonly clock: Clock;
  readonly stepMax = BULK_STEP;
  readonly #access: PostgresAccess;
  readonly #duties: Duties;

  constructor(access: PostgresAccess, duties: Duties) {
    this.clock = access.clock;
    this.#access = access;
    this.#duties = duties;
  }

  lastId(): Promise<number> {
    return this.#access.read(lastId);
  }

  look({ filter }: PreparedBulk, range: IdRange): Promise<BulkSlice> {
    return this.#access.read((tx) => look(tx, filter, range));
  }

  async change(bulk: PreparedBulk, ids: readonly number[]): Promise<BulkStep> {
    const { removed, ...step } = await this.#access.writeIfOpen((work) =>
      change(work, { bulk, ids })
    );
    if (removed.length > 0) this.#duties.tellPruned(removed);
    return step;
  }

  /** Each step waits for the server, so other work has its turns already. */
  async rest(): Promise<void> {}
}
