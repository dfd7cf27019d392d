/**
 * The OpenAPI document: written by the routes themselves, so it says what the code does.
 */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { requires } from "./http/access.ts";
import { LogLineSchema, StatusEventSchema } from "./logs/schemas.ts";
import type { ResolvedAppOptions } from "./http/options.ts";
import { errorResponses, jsonResponse } from "./http/responses.ts";
import { TransitionEventSchema } from "./tasks/schemas.ts";

const PATH = "/openapi.json";

const getOpenApi = createRoute({
  ...requires("read"),
  method: "get",
  path: PATH,
  operationId: "getOpenApi",
  summary: "Get this document",
  responses: {
    200: jsonResponse(z.record(z.string(), z.unknown()), "OpenAPI 3.1"),
    ...errorResponses(),
  },
});

/** Adds `/openapi.json`. */
export function addOpenApiRoute(app: OpenAPIHono, { version }: ResolvedAppOptions): void {
  const registry = app.openAPIRegistry;
  registry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  registry.register("LogLine", LogLineSchema);
  registry.register("StatusEvent", StatusEventSchema);
  registry.register("TransitionEvent", TransitionEventSchema);

  let document: ReturnType<OpenAPIHono["getOpenAPI31Document"]> | undefined;
  app.openapi(getOpenApi, (c) => {
    document ??= app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "Holdfast",
        version: version ?? "unknown",
        description: "A durable task queue",
      },
    });
    const servers = [{ url: c.req.path.slice(0, -PATH.length) || "/" }];
    return c.json({ ...document, servers }, 200);
  });
}
