/**
 * Reports of progress, in turn: on a queue that answers over a network, what was reported first must not arrive last, nor after
 * the attempt has ended.
 */

/** Knows, for each task, the last report that is on its way. */
export class ReportsInTurn {
  readonly #last = new Map<number, Promise<void>>();

  /** Sends a report of a task's progress once those before it have been answered. */
  async send<T>(taskId: number, report: () => Promise<T>): Promise<T> {
    const before = this.#last.get(taskId);
    const sent = before === undefined ? report() : before.then(report);
    const settled = sent.then(() => {}, () => {});
    this.#last.set(taskId, settled);
    settled.finally(() => {
      if (this.#last.get(taskId) === settled) this.#last.delete(taskId);
    });
    return await sent;
  }

  /** Resolves when every report of a task that was sent before has been answered. */
  async settled(taskId: number): Promise<void> {
    await this.#last.get(taskId);
  }
}
