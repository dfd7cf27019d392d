/**
 * Runs: tasks as the API's clients see them, found by run id only.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { type Run, runOfTask, type Task, taskStatusOf } from "../../src/mod.ts";
import { HttpError } from "../errors.ts";
import { explanationJson, runJson } from "../json.ts";
import type { ResolvedAppOptions } from "../options.ts";
import { errorResponses, jsonResponse } from "../responses.ts";
import { ExplanationSchema, RunPageSchema, RunParams, RunQuery, RunSchema } from "../schemas.ts";

const listRuns = createRoute({
  method: "get",
  path: "/api/runs",
  summary: "List runs",
  description: "Newest first. Filters combine.",
  request: { query: RunQuery },
  responses: { 200: jsonResponse(RunPageSchema, "One page of runs"), ...errorResponses(422, 503) },
});

const getRun = createRoute({
  method: "get",
  path: "/api/runs/{id}",
  summary: "Get a run",
  request: { params: RunParams },
  responses: { 200: jsonResponse(RunSchema, "The run"), ...errorResponses(404, 422, 503) },
});

const cancelResponses = {
  200: jsonResponse(RunSchema, "The run, cancelled"),
  ...errorResponses(404, 409, 422, 503),
};

const cancelRun = createRoute({
  method: "post",
  path: "/api/runs/{id}/cancel",
  summary: "Cancel a run",
  description: "Queued or running. Answers when the cancellation is on disk.",
  request: { params: RunParams },
  responses: cancelResponses,
});

const deleteRun = createRoute({
  method: "delete",
  path: "/api/runs/{id}",
  summary: "Cancel a run",
  description: "The same as POST /api/runs/{id}/cancel; the run stays listed.",
  request: { params: RunParams },
  responses: cancelResponses,
});

const explainRun = createRoute({
  method: "get",
  path: "/api/runs/{id}/explain",
  summary: "Say why a run is where it is",
  request: { params: RunParams },
  responses: { 200: jsonResponse(ExplanationSchema, "Why"), ...errorResponses(404, 422, 503) },
});

/** Adds the routes under `/api/runs`. */
export function addRunRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  app.openapi(listRuns, async (c) => {
    const { module_id, status, limit, offset } = c.req.valid("query");
    const filter = { type: module_id, status: status && taskStatusOf(status) };
    const [tasks, total] = await Promise.all([
      options.queue.list({ ...filter, limit, offset }),
      options.queue.count(filter),
    ]);
    const runs = tasks.map((task) => runJson(runOfTask(task)));
    return c.json({ runs, total, limit, offset }, 200);
  });

  app.openapi(getRun, async (c) => {
    const task = await requireTask(options, c.req.valid("param").id);
    return c.json(runJson(runOfTask(task)), 200);
  });

  app.openapi(explainRun, async (c) => {
    const { id } = c.req.valid("param");
    const explanation = await options.queue.explain(id);
    if (explanation === undefined) throw runNotFound(id);
    return c.json(explanationJson(explanation), 200);
  });

  app.openapi(
    cancelRun,
    async (c) => c.json(runJson(await cancel(options, c.req.valid("param").id)), 200),
  );

  app.openapi(
    deleteRun,
    async (c) => c.json(runJson(await cancel(options, c.req.valid("param").id)), 200),
  );
}

async function cancel(options: ResolvedAppOptions, runId: string): Promise<Run> {
  const task = await requireTask(options, runId);
  if (await options.queue.cancel(task.id)) return runOfTask(await requireTask(options, runId));
  const { status } = await requireTask(options, runId);
  throw new HttpError(
    "RUN_FINISHED",
    `Cannot cancel run ${JSON.stringify(runId)}: it is ${status} already`,
  );
}

async function requireTask({ queue }: ResolvedAppOptions, runId: string): Promise<Task> {
  const task = await queue.getByRunId(runId);
  if (task !== undefined) return task;
  throw runNotFound(runId);
}

function runNotFound(runId: string): HttpError {
  return new HttpError("RUN_NOT_FOUND", `Cannot find run ${JSON.stringify(runId)}`);
}
