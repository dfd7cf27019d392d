/**
 * Health: whether the queue answers, and how it is. Metrics for Prometheus.
 */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { requires } from "../access.ts";
import { errorJson, HttpError, queueUnavailable, reportError } from "../errors.ts";
import { healthReasonsJson } from "../json.ts";
import { METRICS_WINDOW_MS, prometheusText } from "../metrics_text.ts";
import type { ResolvedAppOptions } from "../options.ts";
import { errorResponses, jsonResponse, queueErrors } from "../responses.ts";
import { HealthSchema, UnhealthySchema } from "../schemas.ts";

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
      const { verdict, reasons } = await queue.health();
      const { total, byStatus } = await queue.stats();
      const known = { version, reasons: healthReasonsJson(reasons) };
      if (verdict !== "unhealthy") {
        const counts = { total, by_status: { ...byStatus } };
        return c.json({ status: verdict, ...known, queue: counts }, 200);
      }
      const detail = reasons.map(({ message }) => message).join("; ");
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
    const text = prometheusText(metrics, await queue.health());
    return c.text(text, 200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" });
  });
}
