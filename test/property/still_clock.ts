/**
 * A clock that moves only by hand and never fires a timer, so nothing happens that no test asked for.
 */
import type { CancelTimer, Clock } from "../../src/domain/clock.ts";

/** Time in a property test. */
export class StillClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(): CancelTimer {
    return () => {};
  }

  /** Moves on by `ms` milliseconds. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }
}
