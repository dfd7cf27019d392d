/**
 * How long the worker's thread did nothing: a gap between two of its turns, each of which it notes.
 *
 * A free thread renews each lease at a third of its length, so a gap as long as a lease is a thread that was blocked, or a
 * process that was paused. Then leases run out although the worker lives.
 */
import type { Clock } from "../domain/clock.ts";
import { durationText } from "../domain/duration_text.ts";

/** Watches the turns of a thread. */
export class ThreadWatch {
  readonly #clock: Clock;
  readonly #leaseDurationMs: number;
  #lastTurnMs: number;
  /** The latest gap. */
  #gap = { fromMs: 0, untilMs: 0 };

  /** Its first turn is now. */
  constructor(clock: Clock, leaseDurationMs: number) {
    this.#clock = clock;
    this.#leaseDurationMs = leaseDurationMs;
    this.#lastTurnMs = clock.nowMs();
  }

  /** The thread has a turn. */
  noteTurn(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#lastTurnMs >= this.#leaseDurationMs) {
      this.#gap = { fromMs: this.#lastTurnMs, untilMs: nowMs };
    }
    this.#lastTurnMs = nowMs;
  }

  /** Why a lease that was to end at `leaseUntilMs` was lost, if the thread had no turn when it ended. */
  whyLost(leaseUntilMs: number): string | undefined {
    const { fromMs, untilMs } = this.#gap;
    if (leaseUntilMs < fromMs || leaseUntilMs > untilMs) return undefined;
    return `The thread was blocked, or the process paused, for ${
      durationText(untilMs - fromMs)
    } with a lease of ${
      durationText(this.#leaseDurationMs)
    }: use isolation: "worker" for handlers that compute`;
  }
}
