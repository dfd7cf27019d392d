/**
 * The server's time, as its answers tell it, for whom the queue's instants are compared with a clock: leases and what becomes
 * due. A machine's clock that is wrong by minutes neither ends a lease early nor makes a worker ask without pause.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";

/** What the header `Date` and the way of an answer leave open; a smaller difference is none. */
const TOLERANCE_MS = 2000;

/** A header says whole seconds; on average it is half a second later. */
const HALF_SECOND_MS = 500;

/** A clock that shows the server's time. */
export class ServerTime implements Clock {
  readonly #clock: Clock;
  #aheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs() + this.#aheadMs;
  }

  setTimer(fire: () => void, delayMs: number): CancelTimer {
    return this.#clock.setTimer(fire, delayMs);
  }

  /** Takes note of the header `Date` of an answer to what was sent at `sentAtMs`. */
  note(date: string | null, sentAtMs: number): void {
    const saidMs = date === null ? NaN : Date.parse(date) + HALF_SECOND_MS;
    if (Number.isNaN(saidMs)) return;
    const aheadMs = Math.round(saidMs - (sentAtMs + this.#clock.nowMs()) / 2);
    if (Math.abs(aheadMs - this.#aheadMs) <= TOLERANCE_MS) return;
    this.#aheadMs = Math.abs(aheadMs) <= TOLERANCE_MS ? 0 : aheadMs;
  }
}
