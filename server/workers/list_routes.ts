/**
 * Routes of the workers as the queue knows them.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { TaskQueue } from "../../src/core.ts";
import { requires } from "../http/access.ts";
import { changeErrors, jsonResponse, queueErrors } from "../http/responses.ts";
import { workerJson } from "./json.ts";
import { WorkerListSchema, WorkerParams } from "./schemas.ts";

const listWorkers = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/workers",
  operationId: "listWorkers",
  summary: "List the workers",
  responses: {
    200: jsonResponse(
      WorkerListSchema,
      "Those heard of within a day, the latest first; 1,000 at most",
    ),
    ...queueErrors(),
  },
});

const retireWorker = createRoute({
  ...requires("operate"),
  method: "delete",
  path: "/api/queue/workers/{id}",
  operationId: "retireWorker",
  summary: "Forget a worker",
  description: "Its next heartbeat brings it back. Harmless when it is unknown.",
  request: { params: WorkerParams },
  responses: { 204: { description: "It is forgotten" }, ...changeErrors(422) },
});

/** Adds the list of workers, and the way to forget one. */
export function addWorkerListRoutes(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(
    listWorkers,
    async (c) => c.json({ workers: (await queue.listWorkers()).map(workerJson) }, 200),
  );

  app.openapi(retireWorker, async (c) => {
    await queue.retireWorker(c.req.valid("param").id);
    return c.body(null, 204);
  });
}
