/**
 * A doorbell: the worker sleeps until it rings, or for a time. It may ring often and costs next to nothing while none sleeps.
 */
import type { Clock } from "../domain/clock.ts";

/** Wakes one sleeper. */
export class Doorbell {
  readonly #clock: Clock;
  #rings = 0;
  #rouse: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of rings. */
  get rings(): number {
    return this.#rings;
  }

  /** Wakes the sleeper. */
  ring(): void {
    this.#rings++;
    this.#rouse();
  }

  /** Resolves after `delayMs` milliseconds, or when it rings; at once if it has rung since there were `rings`. */
  sleep(delayMs: number, rings: number): Promise<void> {
    if (rings !== this.#rings) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#rouse = () => {};
        resolve();
      };
      const cancel = this.#clock.setTimer(wake, delayMs);
      this.#rouse = wake;
    });
  }
}
