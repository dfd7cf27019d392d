/**
 * Services end when their queue is in doubt: whoever keeps them running starts them anew, and that opens the queue again.
 */
import { type Clock, sleep, StorageError, systemClock, type TaskQueue } from "../src/mod.ts";

const LOOK_INTERVAL_MS = 5000;

/** Where a service works. */
export interface Service {
  readonly queue: TaskQueue;
  /** Aborts when the service is to end. */
  readonly signal: AbortSignal;
  /** Default the system's. */
  readonly clock?: Clock;
}

/**
 * Does `work`, whose signal aborts with the service's, or as soon as the queue is in doubt.
 *
 * @throws StorageError in the latter case, once `work` has ended.
 */
export async function whileSound<T>(
  { queue, signal, clock = systemClock }: Service,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const over = AbortSignal.any([signal, ending.signal]);
  const doubt = firstDoubt(queue, over, clock).finally(() => ending.abort());
  try {
    return await work(over);
  } finally {
    ending.abort();
    const error = await doubt;
    // deno-lint-ignore no-unsafe-finally -- why the work had to end says more than how it did
    if (error !== undefined) throw error;
  }
}

async function firstDoubt(
  queue: TaskQueue,
  over: AbortSignal,
  clock: Clock,
): Promise<StorageError | undefined> {
  while (!over.aborted) {
    try {
      await queue.nextDueAt();
    } catch (error) {
      if (error instanceof StorageError && error.isInDoubt) return error;
    }
    await sleep(clock, LOOK_INTERVAL_MS, over);
  }
  return undefined;
}
