/**
 * Routes for operating the queue: health, metrics, statistics, pruning, checkpoints.
 */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { maintenanceOf, type StorageStats, type TaskQueue } from "../../src/core.ts";
import { requires } from "../http/access.ts";
import { errorJson, HttpError, queueUnavailable, reportError } from "../http/errors.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import {
  bodyErrors,
  changeErrors,
  errorResponses,
  jsonBody,
  jsonResponse,
  queueErrors,
} from "../http/responses.ts";
import { taskJson } from "../tasks/json.ts";
import { TaskListSchema } from "../tasks/schemas.ts";
import { healthReasonsJson, metricsJson, statsJson } from "./json.ts";
import { METRICS_WINDOW_MS, prometheusText } from "./metrics_text.ts";
import {
  HealthSchema,
  MetricsQuery,
  MetricsSchema,
  PruneBody,
  PruneSchema,
  StatsSchema,
  UnhealthySchema,
} from "./schemas.ts";

const getHealth = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/health",
  operationId: "getHealth",
  summary: "Say how the queue is",
  responses: {
    200: jsonResponse(HealthSchema, "Healthy, or degraded and why"),
    ...errorResponses(),
    503: jsonResponse(UnhealthySchema, "Unhealthy and why, or the queue does not answer"),
  },
});

const getMetrics = createRoute({
  ...requires("read"),
  method: "get",
  path: "/metrics",
  operationId: "getMetrics",
  summary: "Metrics in the text format of Prometheus",
  responses: {
    200: { description: "The metrics", content: { "text/plain": { schema: z.string() } } },
    ...queueErrors(),
  },
});

/** Adds `/api/health` and `/metrics`. */
export function addHealthRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  const { queue, version, clock } = options;

  app.openapi(getHealth, async (c) => {
    try {
      const { verdict, reasons, at } = await queue.health();
      const { total, byStatus } = await queue.stats();
      const known = { version, reasons: healthReasonsJson(reasons), at: at.toISOString() };
      if (verdict !== "unhealthy") {
        const counts = { total, by_status: { ...byStatus } };
        return c.json({ status: verdict, ...known, queue: counts }, 200);
      }
      const problems = reasons.filter(({ severity }) => severity !== "notice");
      const detail = problems.map(({ message }) => message).join("; ");
      const error = errorJson(new HttpError("QUEUE_UNHEALTHY", detail), clock.nowMs());
      return c.json({ status: verdict, ...known, ...error }, 503);
    } catch (thrown) {
      const error = queueUnavailable(thrown);
      reportError(error, options);
      const body = { status: "unhealthy" as const, version, ...errorJson(error, clock.nowMs()) };
      return c.json(body, 503, { ...error.headers });
    }
  });

  app.openapi(getMetrics, async (c) => {
    const metrics = await queue.metrics({ windowMs: METRICS_WINDOW_MS });
    const text = prometheusText(metrics, {
      health: await queue.health(),
      storage: storageOf(queue),
    });
    return c.text(text, 200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" });
  });
}

const getStats = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/stats",
  operationId: "getStats",
  summary: "Count the tasks",
  responses: { 200: jsonResponse(StatsSchema, "The queue in numbers"), ...queueErrors() },
});

const pruneTasks = createRoute({
  ...requires("admin"),
  method: "post",
  path: "/api/queue/prune",
  operationId: "pruneTasks",
  summary: "Delete finished tasks",
  description: "With their transitions, logs and idempotency keys, for good.",
  request: { body: jsonBody(PruneBody) },
  responses: { 200: jsonResponse(PruneSchema, "How many were deleted"), ...bodyErrors(410) },
});

const rescueTasks = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/queue/rescue",
  operationId: "rescueTasks",
  summary: "Take tasks from silent workers",
  description: "Queues tasks whose lease has expired again. Also done every second by itself.",
  responses: { 200: jsonResponse(TaskListSchema, "The tasks"), ...changeErrors() },
});

const measureQueue = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/queue/metrics",
  operationId: "measureQueue",
  summary: "Measure how the queue goes",
  request: { query: MetricsQuery },
  responses: { 200: jsonResponse(MetricsSchema, "The metrics"), ...queueErrors(422) },
});

const checkpoint = createRoute({
  ...requires("admin"),
  method: "post",
  path: "/api/queue/checkpoint",
  operationId: "checkpoint",
  summary: "Fold the journal into the snapshot",
  responses: {
    200: jsonResponse(
      z.object({
        sequence: z.number().int().openapi({ example: 1 }),
        snapshot_bytes: z.number().int().openapi({ example: 4096 }),
        removed_segments: z.number().int().openapi({ example: 1 }),
      }).openapi("Checkpoint"),
      "The new snapshot",
    ),
    ...changeErrors(501),
  },
});

/** Adds statistics, pruning and checkpoints. */
export function addOperatorRoutes(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(
    getStats,
    async (c) => c.json(statsJson(await queue.stats(), storageOf(queue)), 200),
  );

  app.openapi(pruneTasks, async (c) => {
    const { older_than_ms, keep, statuses } = c.req.valid("json");
    const { pruned, byStatus } = await queue.prune({ olderThanMs: older_than_ms, keep, statuses });
    return c.json({ pruned, by_status: { ...byStatus } }, 200);
  });

  app.openapi(
    rescueTasks,
    async (c) => c.json({ tasks: (await queue.rescue()).map(taskJson) }, 200),
  );

  app.openapi(measureQueue, async (c) => {
    const { window_ms: windowMs } = c.req.valid("query");
    return c.json(metricsJson(await queue.metrics({ windowMs })), 200);
  });

  app.openapi(checkpoint, async (c) => {
    const maintenance = maintenanceOf(queue);
    if (maintenance === null) {
      throw new HttpError("NOT_SUPPORTED", "Cannot make a checkpoint: the queue is on a database");
    }
    const { sequence, snapshotBytes, removedSegments } = await maintenance.checkpoint();
    const report = { sequence, snapshot_bytes: snapshotBytes, removed_segments: removedSegments };
    return c.json(report, 200);
  });
}

function storageOf(queue: TaskQueue): StorageStats | null {
  return maintenanceOf(queue)?.storageStats() ?? null;
}
