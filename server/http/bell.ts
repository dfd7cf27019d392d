/**
 * A bell that one waits for: whoever has something to tell rings it. A ring that nobody waits for is lost, so ask first.
 */
import { deferred } from "../../src/core.ts";

/** A bell. */
export class Bell {
  #wake: () => void = () => {};

  /** Wakes whoever waits. */
  ring(): void {
    this.#wake();
  }

  /** Resolves when it rings, or when `signal` aborts. */
  async rung(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = deferred<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    signal.removeEventListener("abort", wake);
  }
}
