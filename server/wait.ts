/**
 * Waiting within a request: looks again whenever something has changed, until it is as wished, the time is over, the
 * client has gone or the server closes.
 */
import { sleep } from "../src/mod.ts";
import type { Waiter } from "./changes.ts";
import type { AppParts } from "./parts.ts";

/** How to wait. */
export interface WaitRequest extends AppParts {
  /** How long at most. */
  readonly waitMs: number;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
  /** Looks again after this time even when nothing has changed; default never. */
  readonly pollMs?: number;
}

/** What `look` gives as soon as `isWished`, or at last. @throws HttpError `TOO_MANY_STREAMS`; what `look` throws. */
export async function waitUntil<T>(
  look: () => Promise<T>,
  isWished: (seen: T) => boolean,
  request: WaitRequest,
): Promise<T> {
  const seen = await look();
  if (request.waitMs <= 0 || isWished(seen)) return seen;
  request.streams.checkRoom();
  const leave = request.streams.add();
  const waiter = request.changes.wait();
  try {
    return await lookWhile(look, isWished, { ...request, waiter });
  } finally {
    waiter.close();
    leave();
  }
}

async function lookWhile<T>(
  look: () => Promise<T>,
  isWished: (seen: T) => boolean,
  request: WaitRequest & { readonly waiter: Waiter },
): Promise<T> {
  const { clock, closing } = request.options;
  const ending = AbortSignal.any([closing, request.signal]);
  const untilMs = clock.nowMs() + request.waitMs;
  for (;;) {
    request.waiter.mark(); // before looking, so that no change is missed
    const seen = await look();
    const leftMs = Math.min(untilMs - clock.nowMs(), request.pollMs ?? Infinity);
    if (isWished(seen) || leftMs <= 0 || ending.aborted) return seen;
    const turn = new AbortController();
    const signal = AbortSignal.any([ending, turn.signal]);
    await Promise.race([sleep(clock, leftMs, signal), request.waiter.changed(signal)]);
    turn.abort();
  }
}
