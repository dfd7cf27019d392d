/**
 * Carrying tasks, schedules and limits to another queue, as they are stored.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { QueueRecords, TaskQueue } from "../../src/core.ts";
import { requires } from "../http/access.ts";
import { asInput } from "../http/errors.ts";
import { bodyErrors, jsonBody, jsonResponse, queueErrors } from "../http/responses.ts";
import { flowRecordJson } from "../limits/json.ts";
import { importJson, importOf, scheduleRecordJson, taskRecordJson } from "./json.ts";
import { ImportBody, ImportSchema, RecordLineSchema, RecordQuery } from "./schemas.ts";

const exportRecords = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/records",
  operationId: "exportRecords",
  summary: "Give the tasks, schedules and limits of one moment as they are stored",
  description:
    "One JSON object a line: tasks in order of their ids, then schedules by their ids, then limits, at last how many there are.",
  request: { query: RecordQuery },
  responses: {
    200: {
      description: "The records",
      content: { "application/x-ndjson": { schema: RecordLineSchema } },
    },
    ...queueErrors(422),
  },
});

const importRecords = createRoute({
  ...requires("admin"),
  method: "post",
  path: "/api/queue/records",
  operationId: "importRecords",
  summary: "Store tasks, schedules and limits of another queue",
  description: "All of them in one transaction, or none. What is here already is not added again.",
  request: { body: jsonBody(ImportBody) },
  responses: { 200: jsonResponse(ImportSchema, "What came of it"), ...bodyErrors(410, 507) },
});

/** Adds `/api/queue/records`. */
export function addRecordRoutes(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(exportRecords, async (c) => {
    const { statuses } = c.req.valid("query");
    const records = statuses === undefined
      ? await queue.exportAll()
      : { tasks: await queue.exportRecords({ statuses }), schedules: [], limits: [] };
    c.header("Content-Type", "application/x-ndjson");
    // deno-lint-ignore no-explicit-any -- the declared body is a line, this one is written line by line
    return c.body(streamOf(linesOf(records)), 200) as any;
  });

  app.openapi(importRecords, async (c) => {
    const { records, options } = importOf(c.req.valid("json"));
    return c.json(importJson(await asInput(() => queue.importRecords(records, options))), 200);
  });
}

function* linesOf({ tasks, schedules, limits }: QueueRecords): Generator<string> {
  for (const task of tasks) yield `${JSON.stringify({ task: taskRecordJson(task) })}\n`;
  for (const schedule of schedules) {
    yield `${JSON.stringify({ schedule: scheduleRecordJson(schedule) })}\n`;
  }
  for (const limit of limits) yield `${JSON.stringify({ limit: flowRecordJson(limit) })}\n`;
  const end = { tasks: tasks.length, schedules: schedules.length, limits: limits.length };
  yield `${JSON.stringify({ end })}\n`;
}

/** A line at a time, as its reader takes them. */
function streamOf(lines: Generator<string>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull(controller): void {
      const { done, value } = lines.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
  });
}
