/**
 * The system's clock, where no other is passed in.
 */
import type { Clock } from "../domain/clock.ts";

/** Wall-clock time and the runtime's own timers. */
export const systemClock: Clock = Object.freeze({
  nowMs: (): number => Date.now(),
  setTimer: (fire: () => void, delayMs: number): () => void => {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
});
