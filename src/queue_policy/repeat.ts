/**
 * What a queue does by itself, again and again.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";

/** What to repeat. */
export interface Duty {
  /** How long it rests between two turns, in milliseconds. */
  readonly everyMs: number;
  readonly run: () => Promise<unknown>;
  /** Is told why a turn failed; the next one comes all the same. */
  readonly onError: (error: unknown) => void;
}

/**
 * Repeats a duty until it is stopped.
 *
 * A turn that comes late by a whole period was held up by something that held up everything else here: it is passed
 * over, once, so that a worker of this process can renew its leases before they are found expired.
 */
export function repeat(clock: Clock, { everyMs, run, onError }: Duty): CancelTimer {
  let isStopped = false;
  let wasPassedOver = false;
  let cancel: CancelTimer = () => {};
  const schedule = (): void => {
    if (isStopped) return;
    const dueAtMs = clock.nowMs() + everyMs;
    cancel = clock.setTimer(() => void turn(dueAtMs), everyMs);
  };
  const turn = async (dueAtMs: number): Promise<void> => {
    wasPassedOver = !wasPassedOver && clock.nowMs() - dueAtMs > everyMs;
    try {
      if (!wasPassedOver) await run();
    } catch (error) {
      if (!isStopped) onError(error);
    } finally {
      schedule();
    }
  };
  schedule();
  return () => {
    isStopped = true;
    cancel();
  };
}
