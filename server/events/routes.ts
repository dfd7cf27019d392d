/**
 * All transitions of all tasks as a stream, from the queue's own history, so nothing is missed between two connections.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { requires } from "../http/access.ts";
import { type ServerEvent, streamEvents } from "../http/event_stream.ts";
import { transitionEventJson } from "../tasks/json.ts";
import { EventHeaders } from "../logs/schemas.ts";
import type { AppParts } from "../http/services.ts";
import { eventStreamResponse, queueErrors } from "../http/responses.ts";

const streamTransitions = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/events",
  operationId: "streamEvents",
  summary: "Follow all tasks",
  description:
    "Server-sent events `transition` (TransitionEvent), from now on, or after the one that Last-Event-ID names. Never ends by itself.",
  request: { headers: EventHeaders },
  responses: {
    200: eventStreamResponse("Everything that happens, by whichever process"),
    ...queueErrors(422),
  },
});

/** Adds `/api/events`. */
export function addEventRoutes(app: OpenAPIHono, parts: AppParts): void {
  app.openapi(streamTransitions, async (c) => {
    const seenId = c.req.valid("header")["last-event-id"];
    const { lastId } = await parts.options.queue.history({ afterId: seenId, limit: 1 });
    const afterId = seenId === undefined ? lastId : Math.min(seenId, lastId);
    return streamEvents(c, (signal) => transitionEvents(afterId, parts, signal), parts);
  });
}

async function* transitionEvents(
  afterId: number,
  { options, changes }: AppParts,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  const waiter = changes.wait();
  try {
    while (!signal.aborted) {
      waiter.mark(); // before looking, so that no change is missed
      const { entries, lastId } = await options.queue.history({ afterId });
      for (const entry of entries) {
        yield { event: "transition", id: String(entry.id), data: transitionEventJson(entry) };
      }
      afterId = lastId;
      if (entries.length === 0) await waiter.changed(signal);
    }
  } finally {
    waiter.close();
  }
}
