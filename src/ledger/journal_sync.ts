/**
 * The fsyncs of a ledger's journal: one is made when there is something to make durable, and counted.
 */
import { FsyncMode } from "./fsync_mode.ts";
import type { JournaledReplica } from "./journaled_replica.ts";
import type { LedgerHealth } from "./ledger_health.ts";

/** What the fsyncs of a journal need. */
export interface JournalSyncTools {
  readonly copy: JournaledReplica;
  readonly health: LedgerHealth;
  /** How many operations wait for the next batch. */
  readonly waitingCount: () => number;
}

/** Makes what was appended durable. After a failure every later attempt is refused: an fsync is never retried. */
export class JournalSync {
  readonly #tools: JournalSyncTools;
  readonly #mode = new FsyncMode();
  #count = 0;

  constructor(tools: JournalSyncTools) {
    this.#tools = tools;
  }

  /** How many were made. */
  get count(): number {
    return this.#count;
  }

  /** Makes everything appended so far durable; others may append meanwhile. @throws StorageError */
  async sync(): Promise<void> {
    const { copy: { journal }, health, waitingCount } = this.#tools;
    health.check();
    if (journal.isDurable) return;
    this.#count++;
    const { mayBlock } = this.#mode;
    await health.guard(() => journal.sync(mayBlock));
    this.#mode.note(mayBlock, waitingCount());
  }

  /** The same without letting go of the thread: the caller holds the commit lock. @throws StorageError */
  syncNow(): void {
    const { copy: { journal }, health } = this.#tools;
    if (journal.isDurable) return;
    this.#count++;
    health.guardNow(() => journal.syncNow());
  }
}
