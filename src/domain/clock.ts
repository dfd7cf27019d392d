/**
 * Time, passed in: the same core runs on the system's clock and on a simulated one.
 */

/** Stops a timer; harmless when it has fired already. */
export type CancelTimer = () => void;

/** A source of time and timers. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  nowMs(): number;
  /** Calls `fire` once, `delayMs` milliseconds from now; never when that is `Infinity`. */
  setTimer(fire: () => void, delayMs: number): CancelTimer;
}

/** The longest delay of `setTimeout`; it takes a longer one for 1 ms. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

/** The time of the machine that this runs on. */
export const systemClock: Clock = Object.freeze({
  nowMs: () => Date.now(),
  setTimer: (fire: () => void, delayMs: number) => {
    if (delayMs === Infinity) return () => {};
    let timer: ReturnType<typeof setTimeout>;
    const wait = (remainingMs: number): void => {
      timer = remainingMs > TIMEOUT_MAX_MS
        ? setTimeout(() => wait(remainingMs - TIMEOUT_MAX_MS), TIMEOUT_MAX_MS)
        : setTimeout(fire, remainingMs);
    };
    wait(delayMs);
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
