/**
 * Changes by hand: cancelling, retrying and updating a task.
 */
import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import type { BulkFilter, TaskQueue, TaskUpdate } from "../../src/core.ts";
import { nameOf, requires, requireScope } from "../http/access.ts";
import { asInput, HttpError } from "../http/errors.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import { bodyErrors, changeErrors, jsonBody, jsonResponse } from "../http/responses.ts";
import { BulkBody, BulkSchema, ByQuery, ReplaceBody, UpdateBody } from "./change_schemas.ts";
import { checkPayloads } from "./enqueue.ts";
import { requireTask } from "./find_task.ts";
import { bulkJson, taskJson } from "./json.ts";
import { TaskParams, TaskSchema } from "./schemas.ts";

const cancelTask = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/queue/tasks/{id}/cancel",
  operationId: "cancelTask",
  summary: "Cancel a task",
  request: { params: TaskParams, query: ByQuery },
  responses: {
    200: jsonResponse(TaskSchema, "The task, cancelled"),
    ...changeErrors(404, 409, 410, 422),
  },
});

const retryTask = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/queue/tasks/{id}/retry",
  operationId: "retryTask",
  summary: "Queue a failed or cancelled task again",
  request: { params: TaskParams, query: ByQuery },
  responses: {
    200: jsonResponse(TaskSchema, "The task, queued"),
    ...changeErrors(404, 409, 410, 422),
  },
});

const updateTask = createRoute({
  ...requires("operate"),
  method: "patch",
  path: "/api/queue/tasks/{id}",
  operationId: "updateTask",
  summary: "Change a queued task",
  description: "Its priority, time, attempts or group. What a worker holds cannot be changed.",
  request: { params: TaskParams, body: jsonBody(UpdateBody) },
  responses: {
    200: jsonResponse(TaskSchema, "The task as it is now"),
    ...bodyErrors(404, 409, 410),
  },
});

const replaceTask = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/queue/tasks/{id}/replace",
  operationId: "replaceTask",
  summary: "Store another task with another payload in place of one",
  description:
    "A queued task is cancelled, and what waits for it waits for the new one. A failed or cancelled one stays.",
  request: { params: TaskParams, body: jsonBody(ReplaceBody) },
  responses: {
    201: jsonResponse(TaskSchema, "The new task"),
    ...bodyErrors(404, 409, 410, 507),
  },
});

const removeTask = createRoute({
  ...requires("admin"),
  method: "delete",
  path: "/api/queue/tasks/{id}",
  operationId: "removeTask",
  summary: "Delete a task for good",
  description: "With its transitions and log. A queued one is cancelled first.",
  request: { params: TaskParams, query: ByQuery },
  responses: { 204: { description: "It is gone" }, ...changeErrors(404, 409, 410, 422) },
});

const bulk = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/queue/bulk",
  operationId: "bulk",
  summary: "Change all tasks that match a filter",
  description:
    "In small transactions, as many as fit into budget_ms; ask again with the cursor for the rest.",
  request: { body: jsonBody(BulkBody) },
  responses: { 200: jsonResponse(BulkSchema, "What was done"), ...bodyErrors(410) },
});

/** Adds the routes that change a task. */
export function addChangeRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  addStatusRoutes(app, options.queue);
  addEditRoutes(app, options);
  addBulkRoute(app, options.queue);
}

function addStatusRoutes(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(cancelTask, async (c) => {
    const { id } = c.req.valid("param");
    const isDone = await queue.cancel(id, { by: c.req.valid("query").by ?? nameOf(c) });
    const task = await requireTask(queue, id);
    if (isDone) return c.json(taskJson(task), 200);
    throw new HttpError(
      "TASK_FINISHED",
      `Cannot cancel task ${id}: it is ${task.status} already`,
    );
  });

  app.openapi(retryTask, async (c) => {
    const { id } = c.req.valid("param");
    const isDone = await queue.retry(id, { by: c.req.valid("query").by ?? nameOf(c) });
    const task = await requireTask(queue, id);
    if (isDone) return c.json(taskJson(task), 200);
    throw new HttpError(
      "TASK_NOT_RETRYABLE",
      `Cannot retry task ${id}: it is ${task.status}, failed or cancelled is needed`,
    );
  });
}

function addEditRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  const { queue } = options;

  app.openapi(updateTask, async (c) => {
    const { id } = c.req.valid("param");
    const { expect_updated_at: expectUpdatedAt, by, ...body } = c.req.valid("json");
    const who = { expectUpdatedAt, by: by ?? nameOf(c) };
    const task = await asInput(() => queue.update(id, updateOf(body), who));
    return c.json(taskJson(task), 200);
  });

  app.openapi(replaceTask, async (c) => {
    const { id } = c.req.valid("param");
    const { payload, run_id: runId, expect_updated_at, by, ...body } = c.req.valid("json");
    const who = { expectUpdatedAt: expect_updated_at, by: by ?? nameOf(c) };
    const { type } = await requireTask(queue, id);
    await checkPayloads([{ task: { type, payload }, payloadPath: ["payload"] }], options);
    const replacement = { payload, runId, ...updateOf(body) };
    const task = await asInput(() => queue.replace(id, replacement, who));
    return c.json(taskJson(task), 201);
  });

  app.openapi(removeTask, async (c) => {
    const { id } = c.req.valid("param");
    await queue.remove(id, { by: c.req.valid("query").by ?? nameOf(c) });
    return c.body(null, 204);
  });
}

function addBulkRoute(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(bulk, async (c) => {
    const { action, all, filter, dry_run: dryRun, budget_ms: budgetMs, by, ...body } = c.req
      .valid("json");
    if (action === "remove") requireScope(c, "admin");
    const { priority, run_after: runAfter, delay_ms: delayMs, cursor } = body;
    const request = { action, all, priority, runAfter, delayMs, dryRun, cursor, budgetMs };
    const who = { by: by ?? nameOf(c) };
    const report = await asInput(() =>
      queue.bulk({ ...request, ...who, filter: filterOf(filter) })
    );
    return c.json(bulkJson(report), 200);
  });
}

/** A filter as programs say it. */
function filterOf(filter: z.infer<typeof BulkBody>["filter"]): BulkFilter {
  const { statuses, type, group, tag, ids, created_before, finished_before } = filter;
  return {
    ...{ statuses, type, group, tag, ids },
    createdBefore: created_before,
    finishedBefore: finished_before,
    errorContains: filter.error_contains,
    attemptsMin: filter.attempts_min,
    upToId: filter.up_to_id,
  };
}

/** An update as programs say it. */
function updateOf(
  body: Omit<z.infer<typeof UpdateBody>, "expect_updated_at" | "by">,
): TaskUpdate {
  const { priority, run_after: runAfter, delay_ms: delayMs, max_attempts, group } = body;
  const { expires_at: expiresAt, tags } = body;
  return { priority, runAfter, delayMs, maxAttempts: max_attempts, group, expiresAt, tags };
}
