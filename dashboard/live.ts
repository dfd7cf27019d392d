/**
 * The stream that tells open pages that something has changed: no more than once a second, and never what. A page then reads itself
 * again.
 */
import type { Hono } from "hono";
import { sleep } from "../src/core.ts";
import { type ServerEvent, streamEvents } from "../server/http/event_stream.ts";
import { requires } from "../server/http/access.ts";
import type { Services } from "./options.ts";

/** The shortest time between two events, in milliseconds. */
const PAUSE_MS = 1000;

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
  { changes, app }: Services,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  const waiter = changes.wait();
  try {
    for (;;) {
      await waiter.changed(signal);
      if (signal.aborted) return;
      waiter.mark();
      yield { event: "message", data: "changed" };
      await sleep(app.clock, PAUSE_MS, signal);
    }
  } finally {
    waiter.close();
  }
}
