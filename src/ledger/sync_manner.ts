/**
 * The manner of an fsync: whether it may hold up this thread.
 *
 * On a fast disk that saves the way to another thread and back, which costs as much as the fsync itself. But while the
 * thread is held up nobody's operation can come to share the next commit: 32 callers would get an fsync each. So every few
 * fsyncs one lets others in; when several came meanwhile, the next ones do too.
 */

/** How many fsyncs in a row may hold up the thread. */
const HELD_UP_MAX = 31;

/** From how many operations on that came during an fsync it is better to let them in. */
const CROWD = 2;

/** Decides it for one ledger, from what came before. */
export class SyncManner {
  #heldUp = HELD_UP_MAX;
  #isCrowded = false;

  /** Whether the next fsync may hold up this thread. */
  get mayBlock(): boolean {
    return !this.#isCrowded && this.#heldUp < HELD_UP_MAX;
  }

  /** Notes how an fsync was made, and how many operations waited at its end. */
  note(mayBlock: boolean, waiting: number): void {
    this.#heldUp = mayBlock ? this.#heldUp + 1 : 0;
    if (!mayBlock) this.#isCrowded = waiting >= CROWD;
  }
}
