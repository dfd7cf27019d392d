/**
 * The stream that tells open pages that something has changed: no more than once a second, and never what. A page then reads itself
 * again. The more pages are open the less often each is told, so that all of them together cost a worker in this process little.
 */
import type { Hono } from "hono";
import { sleep } from "../src/core.ts";
import { type ServerEvent, streamEvents } from "../server/http/event_stream.ts";
import { requires } from "../server/http/access.ts";
import type { Services } from "./options.ts";

/** The shortest time between two events, in milliseconds. */
const PAUSE_MS = 1000;

/** For each open page it is so long, in milliseconds: to read a page takes some five. */
const PAUSE_EACH_MS = 250;

/** Adds the stream. */
export function addLive(app: Hono, services: Services): void {
  app.get(
    "/live",
    requires("read").middleware,
    (c) =>
      streamEvents(c, (signal) => tellChanges(services, signal), {
        options: services.app,
        streams: services.streams,
      }),
  );
}

async function* tellChanges(
  { changes, app, streams }: Services,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  const waiter = changes.wait();
  try {
    for (;;) {
      await waiter.changed(signal);
      if (signal.aborted) return;
      waiter.mark();
      yield { event: "message", data: "changed" };
      await sleep(app.clock, pauseMs(streams.size), signal);
    }
  } finally {
    waiter.close();
  }
}

/** Between half and one and a half of the time that so many pages need: they are not to be read all at once. */
function pauseMs(open: number): number {
  return Math.max(PAUSE_MS, open * PAUSE_EACH_MS * (0.5 + Math.random()));
}
