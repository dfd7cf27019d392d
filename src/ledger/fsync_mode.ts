/**
 * How an fsync runs: blocking this thread or not.
 *
 * On a fast disk that saves the way to another thread and back, which costs as much as the fsync itself. But while the
 * thread is held up no operation can come to share the next commit: 32 callers would get an fsync each. So now and
 * then an fsync lets others in, ever more seldom while none comes; when several came, the next ones do too.
 */

/** How many fsyncs in a row may hold up the thread. */
const HELD_UP_MAX = 32;

/** From how many operations on that came during an fsync it is better to let them in. */
const CROWD = 2;

/** Decides it for one ledger, from what came before. */
export class FsyncMode {
  /** How many fsyncs may still hold up the thread until one lets others in. */
  #left = 0;
  /** How many will, when no operation has come. */
  #next = 1;

  /** Whether the next fsync may hold up this thread. */
  get mayBlock(): boolean {
    return this.#left > 0;
  }

  /** Notes how an fsync was made, and how many operations waited at its end. */
  note(mayBlock: boolean, waiting: number): void {
    if (mayBlock) {
      this.#left--;
      return;
    }
    const isCrowded = waiting >= CROWD;
    this.#left = isCrowded ? 0 : this.#next;
    this.#next = isCrowded ? 1 : Math.min(2 * this.#next, HELD_UP_MAX);
  }
}
