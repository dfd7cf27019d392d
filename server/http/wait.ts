/**
 * Waiting within a request: looks again whenever something has changed, until it is as wished, the time is over, the
 * client has gone or the server closes.
 */
import { sleep } from "../../src/core.ts";
import type { Waiter } from "./changes.ts";
import type { AppServices } from "./services.ts";

/** How to wait. */
export interface WaitRequest extends AppServices {
  /** How long at most. */
  readonly waitMs: number;
  /** What is answered by it; waiting ends when its client has gone. */
  readonly request: Request;
  /** After how long to look again even when nothing has changed, in milliseconds, asked after each look; default never. */
  readonly lookAgainMs?: () => Promise<number>;
}

/** What `look` gives as soon as `isWished`, or at last. @throws HttpError `TOO_MANY_STREAMS`; what `look` throws. */
export async function waitUntil<T>(
  look: () => Promise<T>,
  isWished: (seen: T) => boolean,
  waiting: WaitRequest,
): Promise<T> {
  const seen = await look();
  if (waiting.waitMs <= 0 || isWished(seen)) return seen;
  waiting.streams.checkRoom();
  const leave = waiting.streams.add();
  const waiter = waiting.changes.wait();
  try {
    return await lookWhile(look, isWished, { ...waiting, waiter });
  } finally {
    waiter.close();
    leave();
  }
}

async function lookWhile<T>(
  look: () => Promise<T>,
  isWished: (seen: T) => boolean,
  waiting: WaitRequest & { readonly waiter: Waiter },
): Promise<T> {
  const { clock, closing } = waiting.options;
  const ending = AbortSignal.any([closing, waiting.request.signal]);
  const untilMs = clock.nowMs() + waiting.waitMs;
  for (;;) {
    waiting.waiter.mark(); // before looking, so that no change is missed
    const seen = await look();
    if (isWished(seen) || ending.aborted) return seen;
    const againMs = await waiting.lookAgainMs?.() ?? Infinity;
    const leftMs = Math.min(untilMs - clock.nowMs(), againMs);
    if (leftMs <= 0) return seen;
    const turn = new AbortController();
    const signal = AbortSignal.any([ending, turn.signal]);
    await Promise.race([sleep(clock, leftMs, signal), waiting.waiter.changed(signal)]);
    turn.abort();
  }
}
