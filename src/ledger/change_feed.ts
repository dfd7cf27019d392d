/**
 * The change feed: tells watchers what changed, in the journal's order.
 *
 * Changes are noted as they are applied and told later: this process's own only once they are durable.
 */
import type { Change } from "./change.ts";

/** What changed, in order; or `"reset"`: the replica was loaded anew. */
export type LedgerChanges = readonly Change[] | "reset";

/** The watchers of a ledger, and what they have not been told yet. */
export class ChangeFeed {
  readonly #watchers = new Set<(changes: LedgerChanges) => void>();
  readonly #onError: (error: unknown) => void;
  #untold: Change[] = [];

  /** @param onError Is told what a watcher throws. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Adds a watcher; gives the way to remove it. */
  watch(watcher: (changes: LedgerChanges) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Notes changes to be told. */
  note(changes: readonly Change[]): void {
    for (const change of changes) this.#untold.push(change);
  }

  /** Forgets what was noted. */
  forget(): void {
    this.#untold = [];
  }

  /** Tells what was noted. */
  tell(): void {
    if (this.#untold.length === 0) return;
    const changes = this.#untold;
    this.#untold = [];
    this.#tellAll(changes);
  }

  /** Tells that anything may have changed. */
  tellReset(): void {
    this.#untold = [];
    this.#tellAll("reset");
  }

  /** Removes every watcher. */
  close(): void {
    this.#watchers.clear();
  }

  #tellAll(changes: LedgerChanges): void {
    for (const watcher of this.#watchers) {
      try {
        watcher(changes);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
