/**
 * Health: whether the queue answers.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { errorJson, queueUnavailable, reportError } from "../errors.ts";
import type { ResolvedAppOptions } from "../options.ts";
import { jsonResponse } from "../responses.ts";
import { HealthSchema, UnhealthySchema } from "../schemas.ts";

const getHealth = createRoute({
  method: "get",
  path: "/api/health",
  summary: "Say whether the queue answers",
  responses: {
    200: jsonResponse(HealthSchema, "It does"),
    503: jsonResponse(UnhealthySchema, "It does not"),
  },
});

/** Adds `/api/health`. */
export function addHealthRoute(app: OpenAPIHono, options: ResolvedAppOptions): void {
  const { queue, version, nowMs } = options;

  app.openapi(getHealth, async (c) => {
    try {
      const { total, byStatus } = await queue.stats();
      const counts = { total, by_status: { ...byStatus } };
      return c.json({ status: "healthy" as const, version, queue: counts }, 200);
    } catch (thrown) {
      const error = queueUnavailable(thrown);
      reportError(error, options);
      const body = { status: "unhealthy" as const, version, ...errorJson(error, nowMs()) };
      return c.json(body, 503, { ...error.headers });
    }
  });
}
