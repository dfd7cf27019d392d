/**
 * Routes of the workers as the queue knows them.
 */
import { createRoute } from "@hono/zod-openapi";
import { requires } from "../http/access.ts";
import { changeErrors, jsonResponse, queueErrors } from "../http/responses.ts";
import { WorkerListSchema, WorkerParams } from "./schemas.ts";

/** The workers as the queue knows them. */
export const listWorkers = createRoute({
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

/** Forgetting a worker. */
export const retireWorker = createRoute({
  ...requires("admin"),
  method: "delete",
  path: "/api/queue/workers/{id}",
  operationId: "retireWorker",
  summary: "Forget a worker",
  description: "Its next heartbeat brings it back. Harmless when it is unknown.",
  request: { params: WorkerParams },
  responses: { 204: { description: "It is forgotten" }, ...changeErrors(422) },
});
