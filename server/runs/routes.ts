/**
 * Runs: tasks as the API's clients see them, found by run id only.
 */
import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import { isFinal, runStatusOf, type Task, taskStatusOf } from "../../src/core.ts";
import { nameOf, requires } from "../http/access.ts";
import { HttpError } from "../http/errors.ts";
import { requireRunTask, runNotFound } from "./find_run.ts";
import { explanationJson, runJsonOfTask } from "./json.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import type { AppServices } from "../http/services.ts";
import { nextCursorOf } from "../http/paging.ts";
import { changeErrors, jsonResponse, queueErrors } from "../http/responses.ts";
import {
  ExplanationSchema,
  RunPageSchema,
  RunParams,
  RunQuery,
  RunResultSchema,
  RunSchema,
  RunWaitQuery,
} from "./schemas.ts";
import { TaskParams } from "../tasks/schemas.ts";
import { type WaitRequest, waitUntil } from "../http/wait.ts";

const listRuns = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/runs",
  operationId: "listRuns",
  summary: "List runs",
  description:
    "Newest first. Filters combine. With cursor, what is started meanwhile moves no page.",
  request: { query: RunQuery },
  responses: { 200: jsonResponse(RunPageSchema, "One page of runs"), ...queueErrors(422) },
});

const getRun = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/runs/{id}",
  operationId: "getRun",
  summary: "Get a run",
  request: { params: RunParams, query: RunWaitQuery },
  responses: { 200: jsonResponse(RunSchema, "The run"), ...queueErrors(404, 422) },
});

const getResult = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/runs/{id}/results",
  operationId: "getResult",
  summary: "Get what a run came to",
  request: { params: RunParams },
  responses: {
    200: jsonResponse(RunResultSchema, "The result, or why there is none"),
    ...queueErrors(404, 409, 422),
  },
});

const cancelResponses = {
  200: jsonResponse(RunSchema, "The run, cancelled"),
  ...changeErrors(404, 409, 410, 422),
};

const cancelRun = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/runs/{id}/cancel",
  operationId: "cancelRun",
  summary: "Cancel a run",
  description: "Queued or running. Answers when the cancellation is on disk.",
  request: { params: RunParams },
  responses: cancelResponses,
});

const deleteRun = createRoute({
  ...requires("operate"),
  method: "delete",
  path: "/api/runs/{id}",
  operationId: "deleteRun",
  summary: "Cancel a run",
  description: "The same as POST /api/runs/{id}/cancel; the run stays listed.",
  request: { params: RunParams },
  responses: cancelResponses,
});

const retryRun = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/runs/{id}/retry",
  operationId: "retryRun",
  summary: "Queue a failed or cancelled run again",
  description: "With fresh attempts. Answers when that is on disk.",
  request: { params: RunParams },
  responses: {
    200: jsonResponse(RunSchema, "The run, queued"),
    ...changeErrors(404, 409, 410, 422),
  },
});

const explainRun = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/runs/{id}/explain",
  operationId: "explainRun",
  summary: "Say why a run is where it is",
  request: { params: RunParams },
  responses: { 200: jsonResponse(ExplanationSchema, "Why"), ...queueErrors(404, 422) },
});

const explainTask = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/tasks/{id}/explain",
  operationId: "explainTask",
  summary: "Say why a task is where it is",
  request: { params: TaskParams },
  responses: { 200: jsonResponse(ExplanationSchema, "Why"), ...queueErrors(404, 422) },
});

/** Adds the routes under `/api/runs`. */
export function addRunRoutes(app: OpenAPIHono, services: AppServices): void {
  addLookingRoutes(app, services);
  addChangingRoutes(app, services.options);
}

function addLookingRoutes(app: OpenAPIHono, services: AppServices): void {
  const { queue, handlers } = services.options;

  app.openapi(listRuns, async (c) => {
    const { module_id, status, limit, offset, cursor } = c.req.valid("query");
    const filter = { type: module_id, status: status && taskStatusOf(status) };
    const [tasks, total] = await Promise.all([
      queue.list({ ...filter, limit, offset, beforeId: cursor }),
      queue.count(filter),
    ]);
    const next_cursor = await nextCursorOf(queue, filter, tasks);
    const runs = tasks.map((task) => runJsonOfTask(task, handlers));
    return c.json({ runs, total, limit, offset, next_cursor }, 200);
  });

  app.openapi(getRun, async (c) => {
    const { id } = c.req.valid("param");
    const { wait = 0 } = c.req.valid("query");
    const task = await finalTask(id, { ...services, waitMs: wait, request: c.req.raw });
    return c.json(runJsonOfTask(task, handlers), 200);
  });

  app.openapi(getResult, async (c) => {
    const task = await requireRunTask(queue, c.req.valid("param").id);
    if (!isFinal(task.status)) {
      throw new HttpError(
        "RUN_NOT_FINISHED",
        `Cannot give the result of run ${JSON.stringify(task.runId)}: it is ${
          runStatusOf(task.status)
        }`,
      );
    }
    const { run_id, status, exit_code, result, error_message, completed_at, duration_seconds } =
      runJsonOfTask(task, handlers);
    return c.json(
      { run_id, status, exit_code, result, error_message, completed_at, duration_seconds },
      200,
    );
  });

  app.openapi(explainRun, async (c) => {
    const { id } = c.req.valid("param");
    const explanation = await queue.explain(id);
    if (explanation === undefined) throw runNotFound(id);
    return c.json(explanationJson(explanation), 200);
  });

  app.openapi(explainTask, async (c) => {
    const { id } = c.req.valid("param");
    const explanation = await queue.explain(id);
    if (explanation === undefined) {
      throw new HttpError("TASK_NOT_FOUND", `Cannot find task ${id}`);
    }
    return c.json(explanationJson(explanation), 200);
  });
}

function addChangingRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  app.openapi(
    cancelRun,
    async (c) => c.json(await cancel(options, c.req.valid("param").id, nameOf(c)), 200),
  );

  app.openapi(
    deleteRun,
    async (c) => c.json(await cancel(options, c.req.valid("param").id, nameOf(c)), 200),
  );

  app.openapi(retryRun, async (c) => {
    const { id } = c.req.valid("param");
    const { id: taskId } = await requireRunTask(options.queue, id);
    const isDone = await options.queue.retry(taskId, { by: nameOf(c) });
    const task = await requireRunTask(options.queue, id);
    if (isDone) return c.json(runJsonOfTask(task, options.handlers), 200);
    const status = runStatusOf(task.status);
    throw new HttpError(
      "RUN_NOT_RETRYABLE",
      `Cannot retry run ${JSON.stringify(id)}: it is ${status}, failed or cancelled is needed`,
    );
  });
}

/** The task of a run once it is final, or as it is after the wait. */
async function finalTask(
  runId: string,
  request: WaitRequest,
): Promise<Task> {
  const look = (): Promise<Task> => requireRunTask(request.options.queue, runId);
  return await waitUntil(look, ({ status }) => isFinal(status), request);
}

async function cancel(
  { queue, handlers }: ResolvedAppOptions,
  runId: string,
  by: string | undefined,
): Promise<z.infer<typeof RunSchema>> {
  const task = await requireRunTask(queue, runId);
  if (await queue.cancel(task.id, { by })) {
    return runJsonOfTask(await requireRunTask(queue, runId), handlers);
  }
  const { status } = await requireRunTask(queue, runId);
  throw new HttpError(
    "RUN_FINISHED",
    `Cannot cancel run ${JSON.stringify(runId)}: it is ${status} already`,
  );
}
