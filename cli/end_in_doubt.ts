/**
 * Services end when their queue is in doubt or cannot be read for a while, or when their process is broken: their supervisor
 * restarts them, and that opens the queue again, or says each time why it cannot.
 */
import {
  type Clock,
  messageOf,
  sleep,
  StorageError,
  systemClock,
  type TaskQueue,
} from "../src/mod.ts";
import { OpenError } from "./exit.ts";

const LOOK_INTERVAL_MS = 5000;

/** What may pass by itself, such as a file that another program holds for a moment, may last so long. */
const UNREADABLE_MAX_MS = 30_000;

/** Where a service works. */
export interface Service {
  readonly queue: TaskQueue;
  /** Aborts when the service is to end. */
  readonly signal: AbortSignal;
  /** Aborts when only a new process helps; its reason is what the service then ends with. Default never. */
  readonly broken?: AbortSignal;
  /** How long the queue may give no answer, in milliseconds; default 30,000. */
  readonly unreadableMaxMs?: number;
  /** Default the system's. */
  readonly clock?: Clock;
}

/**
 * Does `work`, whose signal aborts with the service's, as soon as the queue is in doubt, once it could not be read for 30 s,
 * or when the process is broken.
 *
 * @throws StorageError in doubt, OpenError when it cannot be read, or the reason of `broken`, once `work` has ended.
 */
export async function whileSound<T>(
  { queue, signal, broken = NEVER, unreadableMaxMs = UNREADABLE_MAX_MS, clock = systemClock }:
    Service,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const over = AbortSignal.any([signal, ending.signal, broken]);
  const doubt = firstDoubt({ queue, signal: over, unreadableMaxMs, clock }).finally(() =>
    ending.abort()
  );
  try {
    return await work(over);
  } finally {
    ending.abort();
    const error = await doubt ?? broken.reason;
    // deno-lint-ignore no-unsafe-finally -- why the work had to end says more than how it did
    if (error !== undefined) throw error;
  }
}

const NEVER = new AbortController().signal;

async function firstDoubt(
  { queue, signal: over, unreadableMaxMs, clock }: Required<Omit<Service, "broken">>,
): Promise<Error | undefined> {
  for (let readAtMs = clock.nowMs(); !over.aborted;) {
    try {
      await queue.nextDueAt();
      readAtMs = clock.nowMs();
    } catch (error) {
      if (error instanceof StorageError && error.isInDoubt) return error;
      if (clock.nowMs() - readAtMs >= unreadableMaxMs) return unreadable(error);
    }
    await sleep(clock, LOOK_INTERVAL_MS, over);
  }
  return undefined;
}

function unreadable(cause: unknown): OpenError {
  const seconds = UNREADABLE_MAX_MS / 1000;
  return new OpenError(`Cannot read the queue for ${seconds} s: ${messageOf(cause)}`, { cause });
}
