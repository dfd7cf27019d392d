/**
 * A clock that stands still until a test moves it.
 */
import type { CancelTimer, Clock } from "../../src/domain/clock.ts";

/** Fires timers when `advance` passes them. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<{ readonly atMs: number; readonly fire: () => void }>();

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(fire: () => void, delayMs: number): CancelTimer {
    const timer = { atMs: this.#nowMs + delayMs, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers have yet to fire. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves time on and fires what has become due, in order. */
  advance(byMs: number): void {
    this.#nowMs += byMs;
    const due = [...this.#timers].filter((timer) => timer.atMs <= this.#nowMs)
      .sort((a, b) => a.atMs - b.atMs);
    for (const timer of due) {
      this.#timers.delete(timer);
      timer.fire();
    }
  }
}
