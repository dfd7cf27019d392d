/**
 * A clock that stands still until a test moves it.
 */
import type { CancelTimer, Clock } from "../src/mod.ts";

/** Where a test clock begins unless it is told otherwise: 2026-01-01T00:00:00Z. */
const START_MS = Date.UTC(2026, 0, 1);

/** Time in a test. */
export class TestClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<{ readonly atMs: number; readonly fire: () => void }>();

  /** A clock that shows `startAt`. */
  constructor(startAt: Date = new Date(START_MS)) {
    this.#nowMs = startAt.getTime();
  }

  /** What it shows, in milliseconds since 1970. */
  nowMs(): number {
    return this.#nowMs;
  }

  /** Calls `fire` once it has been moved by `delayMs`. */
  setTimer(fire: () => void, delayMs: number): CancelTimer {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), fire };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Moves on by `ms` at once, and fires each timer whose time has come, in order. */
  jump(ms: number): void {
    this.#nowMs += ms;
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs)
      .sort((a, b) => a.atMs - b.atMs);
    for (const timer of due) if (this.#timers.delete(timer)) timer.fire();
  }
}
