/**
 * The queue itself: enqueueing a task of any type, looking at one, counting all.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { enqueueChecked, schedulingOf } from "../enqueue.ts";
import { HttpError } from "../errors.ts";
import { statsJson, taskJson } from "../json.ts";
import type { ResolvedAppOptions } from "../options.ts";
import { errorResponses, jsonResponse } from "../responses.ts";
import { EnqueueBody, EnqueuedSchema, StatsSchema, TaskParams, TaskSchema } from "../schemas.ts";

const enqueueTask = createRoute({
  method: "post",
  path: "/api/queue/enqueue",
  summary: "Enqueue a task",
  description: "Answers when the task is on disk. The type need not have a handler here.",
  request: { body: { required: true, content: { "application/json": { schema: EnqueueBody } } } },
  responses: {
    201: jsonResponse(EnqueuedSchema, "The new task"),
    200: jsonResponse(EnqueuedSchema, "The task that the idempotency key names already"),
    ...errorResponses(400, 409, 413, 415, 422, 503),
  },
});

const getTask = createRoute({
  method: "get",
  path: "/api/queue/tasks/{id}",
  summary: "Get a task",
  request: { params: TaskParams },
  responses: { 200: jsonResponse(TaskSchema, "The task"), ...errorResponses(404, 422, 503) },
});

const getStats = createRoute({
  method: "get",
  path: "/api/queue/stats",
  summary: "Count the tasks",
  responses: { 200: jsonResponse(StatsSchema, "The queue in numbers"), ...errorResponses(503) },
});

/** Adds the routes under `/api/queue`. */
export function addQueueRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  app.openapi(enqueueTask, async (c) => {
    const { type, payload = {}, compatibility, run_id, ...scheduling } = c.req.valid("json");
    const wanted = { type, payload, compatibility, runId: run_id, ...schedulingOf(scheduling) };
    const { task, created } = await enqueueChecked(wanted, "payload", options);
    return c.json({ ...taskJson(task), created }, created ? 201 : 200);
  });

  app.openapi(getTask, async (c) => {
    const { id } = c.req.valid("param");
    const task = await options.queue.get(id);
    if (task === undefined) throw new HttpError("TASK_NOT_FOUND", `Cannot find task ${id}`);
    return c.json(taskJson(task), 200);
  });

  app.openapi(getStats, async (c) => c.json(statsJson(await options.queue.stats()), 200));
}
