/**
 * PostgresSearch: a search on a database. Each slice is a few statements.
 */
import type { Clock } from "../domain/clock.ts";
import type { PreparedSearch } from "../queue_policy/search_request.ts";
import {
  type IdSpan,
  Pace,
  type SearchEngine,
  type SearchPart,
  type SearchSlice,
} from "../queue_policy/search_walk.ts";
import { idSpan, look } from "./insight/search.ts";
import type { PostgresAccess } from "./postgres_access.ts";

/** One search. */
export class PostgresSearch implements SearchEngine {
  readonly clock: Clock;
  readonly #access: PostgresAccess;
  readonly #pace = new Pace();

  constructor(access: PostgresAccess) {
    this.clock = access.clock;
    this.#access = access;
  }

  async look(search: PreparedSearch, part: SearchPart): Promise<SearchSlice> {
    const { size } = this.#pace;
    const beganMs = performance.now();
    const slice = await look(this.#access.statements, search, { ...part, size });
    if (slice.looked > 0) this.#pace.note(slice.looked, performance.now() - beganMs);
    return slice;
  }

  idSpan(): Promise<IdSpan | undefined> {
    return idSpan(this.#access.statements);
  }

  /** Each slice waits for the server, so other work has its turns already. */
  async rest(): Promise<void> {}
}
