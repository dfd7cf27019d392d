/**
 * A clock that stands still until it is told to advance.
 */
import { setImmediate } from "node:timers";
import type { CancelTimer, Clock } from "../../src/domain/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly fire: () => void;
}

/** Time in a test. */
export class FakeClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(fire: () => void, delayMs: number): CancelTimer {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /**
   * Moves on by `ms` in at most fifty steps, firing after each the timers whose time has come and letting what they woke
   * run. A timer may fire late by a step.
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    const stepMs = Math.max(1, Math.ceil(ms / STEPS));
    while (this.#nowMs < untilMs) {
      const fired = this.jump(Math.min(stepMs, untilMs - this.#nowMs));
      if (fired > 0) await settle();
    }
    await settle();
  }

  /** Moves on by `ms` at once and fires each timer whose time has come, in order; how many there were. */
  jump(ms: number): number {
    this.#nowMs += ms;
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs).sort((a, b) =>
      a.atMs - b.atMs
    );
    for (const timer of due) if (this.#timers.delete(timer)) timer.fire();
    return due.length;
  }

  /** Moves on by `ms` while no timer fires, as while the thread is blocked. */
  jumpUnheard(ms: number): void {
    this.#nowMs += ms;
  }

  /** How many timers have yet to fire. */
  get pendingTimers(): number {
    return this.#timers.size;
  }
}

/** How finely `advance` moves. */
const STEPS = 50;

/** What is asked of others: while an answer is on its way, nothing has settled. */
const askers = new Set<() => boolean>();

/** From now on `settle` also waits while `isWaiting`; until what this gives is called. */
export function settleAfter(isWaiting: () => boolean): () => void {
  askers.add(isWaiting);
  return () => void askers.delete(isWaiting);
}

/** Lets everything run that needs no timer. */
export async function settle(): Promise<void> {
  do {
    for (let turn = 0; turn < 5; turn++) await new Promise((resume) => setImmediate(resume));
  } while ([...askers].some((isWaiting) => isWaiting()));
}
