/**
 * What a run says: its log, whole or as it grows.
 */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { isFinal, type LogLine, type LogStore } from "../../src/core.ts";
import { requires } from "../http/access.ts";
import { asInput, HttpError } from "../http/errors.ts";
import { streamEvents } from "../http/event_stream.ts";
import { requireRunTask } from "../runs/find_run.ts";
import {
  LogDownloadQuery,
  LogPageSchema,
  LogQuery,
  LogStreamHeaders,
  TaskLogQuery,
  TaskLogSchema,
} from "./schemas.ts";
import { requireTask } from "../tasks/find_task.ts";
import { TaskParams } from "../tasks/schemas.ts";
import type { AppServices } from "../http/services.ts";
import { eventStreamResponse, jsonResponse, queueErrors } from "../http/responses.ts";
import { isEndId, runEvents } from "../runs/run_events.ts";
import {
  cursorOf,
  cursorText,
  everyLine,
  lastLines,
  linesAfter,
  lineText,
  type LogCursor,
} from "./run_log.ts";
import { RunParams } from "../runs/schemas.ts";

const getLog = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/runs/{id}/logs",
  operationId: "getLog",
  summary: "Read a run's log",
  request: { params: RunParams, query: LogQuery },
  responses: { 200: jsonResponse(LogPageSchema, "The lines"), ...queueErrors(404, 422) },
});

const getTaskLog = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/tasks/{id}/log",
  operationId: "getTaskLog",
  summary: "Read a task's log as it is kept",
  description: "By the offsets of the log store; empty when nothing was said.",
  request: { params: TaskParams, query: TaskLogQuery },
  responses: { 200: jsonResponse(TaskLogSchema, "A part of it"), ...queueErrors(404, 422) },
});

const downloadLog = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/runs/{id}/logs/download",
  operationId: "downloadLog",
  summary: "Download a run's log",
  request: { params: RunParams, query: LogDownloadQuery },
  responses: {
    200: {
      description: "The whole log as a file",
      content: {
        "text/plain": { schema: z.string() },
        "application/x-ndjson": { schema: z.string() },
      },
    },
    ...queueErrors(404, 422),
  },
});

const streamLog = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/runs/{id}/logs/stream",
  operationId: "streamLog",
  summary: "Follow a run",
  description:
    "Server-sent events: `log` (LogLine), `status` (StatusEvent), at the end `complete` (Run). Last-Event-ID goes on after the line that it names. A run that was complete then is answered 204, which tells browsers to stop.",
  request: { params: RunParams, headers: LogStreamHeaders },
  responses: {
    200: eventStreamResponse("The run's events, until it is over"),
    204: { description: "The event that Last-Event-ID names was the last one" },
    ...queueErrors(404, 422),
  },
});

/** Adds the routes under `/api/runs/{id}/logs`. */
export function addLogRoutes(app: OpenAPIHono, services: AppServices): void {
  const { queue, logs } = services.options;

  app.openapi(getLog, async (c) => {
    const { lines, since, cursor } = c.req.valid("query");
    const task = await requireRunTask(queue, c.req.valid("param").id);
    const store = requireLogs(logs);
    const read = cursor === undefined
      ? await lastLines(store, task.id, lines)
      : await nextLines(store, task.id, { cursor: cursorOf(cursor), lines });
    const sinceMs = since === undefined ? -Infinity : Date.parse(since);
    const wanted = read.lines.filter(({ at }) => Date.parse(at) >= sinceMs);
    const next_cursor = cursorText(read.after);
    return c.json({ run_id: task.runId, lines: wanted, next_cursor }, 200);
  });
  app.openapi(getTaskLog, async (c) => {
    const { offset, tail } = c.req.valid("query");
    const { id } = await requireTask(queue, c.req.valid("param").id);
    const store = requireLogs(logs);
    const { lines, nextOffset } = await asInput(() =>
      tail === undefined ? store.read(id, offset) : store.tail(id, { lines: tail, offset })
    );
    return c.json({ lines: [...lines], next_offset: nextOffset }, 200);
  });
  app.openapi(downloadLog, async (c) => {
    const task = await requireRunTask(queue, c.req.valid("param").id);
    const isText = c.req.valid("query").format === "text";
    const name = `${task.runId.replaceAll(/[^\w.-]/g, "_")}.${isText ? "log" : "ndjson"}`;
    const type = isText ? "text/plain; charset=utf-8" : "application/x-ndjson";
    const pages = everyLine(requireLogs(logs), task.id);
    c.header("Content-Disposition", `attachment; filename="${name}"`);
    c.header("Content-Type", type);
    const textOf = isText ? lineText : (line: LogLine): string => `${JSON.stringify(line)}\n`;
    // deno-lint-ignore no-explicit-any -- the declared bodies are strings, this one is written as it is read
    return c.body(linesStream(pages, textOf), 200) as any;
  });
  app.openapi(streamLog, async (c) => {
    const lastEventId = c.req.valid("header")["last-event-id"];
    const task = await requireRunTask(queue, c.req.valid("param").id);
    if (isEndId(lastEventId) && isFinal(task.status)) return c.body(null, 204);
    // A cursor that leads nowhere is refused here, where that can still be a status.
    if (logs !== undefined && lastEventId !== undefined) {
      await linesAfter(logs, task.id, cursorOf(lastEventId));
    }
    const following = { taskId: task.id, lastEventId };
    return streamEvents(c, (signal) => runEvents(following, services, signal), services);
  });
}

interface NextRequest {
  readonly cursor: LogCursor;
  readonly lines: number;
}

async function nextLines(
  logs: LogStore,
  taskId: number,
  { cursor, lines }: NextRequest,
): Promise<{ readonly lines: readonly LogLine[]; readonly after: LogCursor }> {
  const page = (await linesAfter(logs, taskId, cursor)).slice(0, lines);
  return { lines: page.map(({ line }) => line), after: page.at(-1)?.after ?? cursor };
}

/** A page of the log at a time, as its reader takes it. */
function linesStream(
  pages: AsyncGenerator<LogLine[]>,
  textOf: (line: LogLine) => string,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller): Promise<void> {
      const page = await pages.next();
      if (page.done) return controller.close();
      controller.enqueue(encoder.encode(page.value.map(textOf).join("")));
    },
    async cancel(): Promise<void> {
      await pages.return(undefined);
    },
  }, { highWaterMark: 0 });
}

/** @throws HttpError `LOGS_NOT_KEPT`. */
function requireLogs(logs: LogStore | undefined): LogStore {
  if (logs !== undefined) return logs;
  throw new HttpError("LOGS_NOT_KEPT", "Cannot give the log: this server was given no log store");
}
