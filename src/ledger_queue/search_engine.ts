/**
 * LedgerSearch: a search in a ledger. Each slice is one read; between two, the event loop has a turn.
 */
import { type Clock, sleep, systemClock } from "../domain/clock.ts";
import type { PreparedSearch } from "../queue_policy/search_request.ts";
import {
  type IdSpan,
  Pace,
  type SearchEngine,
  type SearchPart,
  type SearchSlice,
} from "../queue_policy/search_walk.ts";
import { idSpan, look } from "./insight/search.ts";
import type { LedgerAccess } from "./ledger_access.ts";

/** One search. */
export class LedgerSearch implements SearchEngine {
  readonly clock: Clock;
  readonly #access: LedgerAccess;
  readonly #pace = new Pace();

  constructor(access: LedgerAccess) {
    this.clock = access.clock;
    this.#access = access;
  }

  look(search: PreparedSearch, part: SearchPart): Promise<SearchSlice> {
    const { size } = this.#pace;
    return this.#access.read((reader) => {
      const beganMs = performance.now();
      const slice = look(reader, search, { ...part, size });
      if (slice.looked > 0) this.#pace.note(slice.looked, performance.now() - beganMs);
      return slice;
    });
  }

  idSpan(): Promise<IdSpan | undefined> {
    return this.#access.read(idSpan);
  }

  /** The system's time: a queue in memory would never let anything else run otherwise. */
  async rest(): Promise<void> {
    await sleep(systemClock, 0);
  }
}
