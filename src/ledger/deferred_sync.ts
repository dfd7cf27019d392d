/**
 * The deferred fsync of relaxed durability: what was acknowledged becomes durable soon.
 *
 * It runs in the ledger's loop, before all else that waits there. While the loop waits for the commit lock, whose holder
 * may be suspended, it runs beside the loop, which then does nothing under the lock until it has ended.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";

/** What a deferred fsync needs. */
export interface DeferredSyncTools {
  readonly clock: Clock;
  /** The longest time between a write and its fsync, in milliseconds. */
  readonly delayMs: number;
  readonly sync: () => Promise<void>;
  /** Runs a job in the ledger's loop, before all others. */
  readonly runNext: (job: () => Promise<void>) => void;
  /** Whether the loop waits for the commit lock. */
  readonly isLoopWaiting: () => boolean;
  /** Called when it fails. */
  readonly onError: (error: unknown) => void;
}

/** At most one fsync that is due later. */
export class DeferredSync {
  readonly #tools: DeferredSyncTools;
  #cancelTimer: CancelTimer | undefined;
  #underWay: Promise<void> | undefined;

  constructor(tools: DeferredSyncTools) {
    this.#tools = tools;
  }

  /** The fsync beside the loop, until it has ended. */
  get underWay(): Promise<void> | undefined {
    return this.#underWay;
  }

  /** Sees to it that an fsync follows. */
  schedule(): void {
    const { clock, delayMs } = this.#tools;
    this.#cancelTimer ??= clock.setTimer(() => {
      this.#cancelTimer = undefined;
      this.#begin();
    }, delayMs);
  }

  /** Cancels what is scheduled. */
  cancel(): void {
    this.#cancelTimer?.();
  }

  #begin(): void {
    const { isLoopWaiting, runNext } = this.#tools;
    if (isLoopWaiting()) {
      this.#underWay = this.#sync().finally(() => {
        this.#underWay = undefined;
      });
    } else {
      runNext(() => this.#sync());
    }
  }

  async #sync(): Promise<void> {
    const { sync, onError } = this.#tools;
    try {
      await sync();
    } catch (error) {
      onError(error);
    }
  }
}
