/**
 * A clock that is put on and back, or of a machine that slept.
 */
import type { Clock } from "../../src/domain/clock.ts";
import { FakeClock } from "./fake_clock.ts";

/** A clock that can be put on and back; its timers, as real ones, take no notice. */
export class AdjustableClock implements Clock {
  /** What its timers go by. */
  readonly time = new FakeClock();
  /** How far it is ahead of its timers. */
  aheadMs = 0;

  nowMs(): number {
    return this.time.nowMs() + this.aheadMs;
  }

  setTimer(fire: () => void, delayMs: number): () => void {
    return this.time.setTimer(fire, delayMs);
  }

  /** Lets so many seconds pass, one after the other. */
  async seconds(count: number): Promise<void> {
    for (let second = 0; second < count; second++) await this.time.advance(1000);
  }
}
