/**
 * Lets callers wait until a manager has nothing left to do.
 */

/** Wakes all waiters. Each checks again whether what it waits for holds. */
export class IdleSignal {
  #waiters: (() => void)[] = [];

  /** Resolves the next time `fire` is called. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Wakes all that wait now. */
  fire(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
