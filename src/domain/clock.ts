/**
 * Time, passed in: the same core runs on the system's clock and on a simulated one.
 */

/** Stops a timer; harmless when it has fired already. */
export type CancelTimer = () => void;

/** A source of time and timers. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  nowMs(): number;
  /** Calls `fire` once, `delayMs` milliseconds from now. */
  setTimer(fire: () => void, delayMs: number): CancelTimer;
}

/** The time of the machine that this runs on. */
export const systemClock: Clock = Object.freeze({
  nowMs: () => Date.now(),
  setTimer: (fire: () => void, delayMs: number) => {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
});

/** Resolves after `delayMs` milliseconds of `clock`, or as soon as `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const wake = (): void => {
      cancel();
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const cancel = clock.setTimer(wake, delayMs);
    signal?.addEventListener("abort", wake, { once: true });
  });
}
