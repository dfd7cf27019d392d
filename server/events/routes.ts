/**
 * All transitions of all tasks as a stream and page by page, from the queue's own history, so nothing is missed between two
 * connections; and the changes of tasks as watchers get them.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { requires } from "../http/access.ts";
import { asInput, HttpError } from "../http/errors.ts";
import { type ServerEvent, streamEvents } from "../http/event_stream.ts";
import { historyJson, transitionEventJson } from "../tasks/json.ts";
import { HistoryQuery, HistorySchema } from "../tasks/schemas.ts";
import { EventHeaders } from "../logs/schemas.ts";
import type { AppServices } from "../http/services.ts";
import { eventStreamResponse, jsonResponse, queueErrors } from "../http/responses.ts";
import { taskChanges } from "./task_changes.ts";

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

const getHistory = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/history",
  operationId: "getHistory",
  summary: "Read the transitions of all tasks",
  description: "In order, from one on; without after it says where the history ends.",
  request: { query: HistoryQuery },
  responses: { 200: jsonResponse(HistorySchema, "A part of the history"), ...queueErrors(422) },
});

const streamChanges = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/changes",
  operationId: "streamChanges",
  summary: "Watch all tasks",
  description:
    "Server-sent events `changes` (ChangesEvent) soon after every change, also of progress and leases; several changes of one task may come as one. `reset`, which comes first, means that anything may have changed. Never ends by itself.",
  responses: {
    200: eventStreamResponse("What became of tasks, by whichever process"),
    ...queueErrors(),
  },
});

/** Adds `/api/events`, the history, and the changes of tasks. */
export function addEventRoutes(app: OpenAPIHono, services: AppServices): void {
  const { queue } = services.options;

  app.openapi(getHistory, async (c) => {
    const query = c.req.valid("query");
    return c.json(historyJson(await asInput(() => queue.history(query))), 200);
  });

  app.openapi(streamChanges, async (c) => {
    await queue.nextDueAt(); // a queue that does not answer is told by the status
    return streamEvents(c, (signal) => taskChanges(queue, signal), services);
  });

  app.openapi(streamTransitions, async (c) => {
    const after = c.req.valid("header")["last-event-id"] ?? await endOfHistory(services);
    await checkCursor(after, services);
    return streamEvents(c, (signal) => transitionEvents(after, services, signal), services);
  });
}

async function endOfHistory({ options }: AppServices): Promise<string> {
  return (await options.queue.history()).cursor;
}

/** @throws HttpError before a stream is begun that would fail at its first event. */
async function checkCursor(after: string, { options }: AppServices): Promise<void> {
  try {
    await options.queue.history({ after, limit: 1 });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HttpError(
      "VALIDATION_ERROR",
      "Cannot use this Last-Event-ID: the id of an event is needed",
    );
  }
}

async function* transitionEvents(
  from: string,
  { options, changes }: AppServices,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  let after = from;
  const waiter = changes.wait();
  try {
    while (!signal.aborted) {
      waiter.mark(); // before looking, so that no change is missed
      const { entries, cursor } = await options.queue.history({ after });
      for (const entry of entries) {
        yield { event: "transition", id: entry.cursor, data: transitionEventJson(entry) };
      }
      after = cursor;
      if (entries.length === 0) await waiter.changed(signal);
    }
  } finally {
    waiter.close();
  }
}
