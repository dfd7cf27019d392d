/**
 * Limits and pauses: listing, setting, removing, pausing, resuming.
 */
import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Limit, TaskQueue } from "../../src/core.ts";
import { nameOf, requires } from "../http/access.ts";
import { asInput } from "../http/errors.ts";
import {
  bodyErrors,
  changeErrors,
  jsonBody,
  jsonResponse,
  queueErrors,
} from "../http/responses.ts";
import { limitJson } from "./json.ts";
import {
  ChangedSchema,
  DeclareBody,
  DeclaredSchema,
  LimitBody,
  LimitListSchema,
  PauseBody,
  ResumeBody,
  ScopeQuery,
} from "./schemas.ts";

const listLimits = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/limits",
  operationId: "listLimits",
  summary: "List the limits and pauses",
  description:
    "The whole queue's first, then by type and group; with a type or a group only those of it.",
  request: { query: ScopeQuery },
  responses: { 200: jsonResponse(LimitListSchema, "The limits"), ...queueErrors(422) },
});

const setLimit = createRoute({
  ...requires("operate"),
  method: "put",
  path: "/api/limits",
  operationId: "setLimit",
  summary: "Limit how many tasks run at the same time or how often they start, or weigh a group",
  description:
    "Of a type, a group, both, or the whole queue. It replaces what was set; a lower limit ends nothing that runs.",
  request: { query: ScopeQuery, body: jsonBody(LimitBody) },
  responses: { 200: jsonResponse(ChangedSchema, "It holds"), ...bodyErrors() },
});

const removeLimit = createRoute({
  ...requires("admin"),
  method: "delete",
  path: "/api/limits",
  operationId: "removeLimit",
  summary: "Remove a limit",
  request: { query: ScopeQuery },
  responses: { 200: jsonResponse(ChangedSchema, "There is none"), ...changeErrors(422) },
});

const declareLimits = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/limits/declare",
  operationId: "declareLimits",
  summary: "Set the limits that a program needs",
  description: "What was set by PUT /api/limits stays as it is.",
  request: { body: jsonBody(DeclareBody) },
  responses: { 200: jsonResponse(DeclaredSchema, "They hold"), ...bodyErrors() },
});

const pauseQueue = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/queue/pause",
  operationId: "pauseQueue",
  summary: "Let no task start, of a type, of a group or at all",
  description: "What runs goes on. A second pause changes the reason.",
  request: { body: jsonBody(PauseBody) },
  responses: { 200: jsonResponse(ChangedSchema, "It is paused"), ...bodyErrors() },
});

const resumeQueue = createRoute({
  ...requires("operate"),
  method: "post",
  path: "/api/queue/resume",
  operationId: "resumeQueue",
  summary: "End a pause of exactly this scope",
  request: { body: jsonBody(ResumeBody) },
  responses: { 200: jsonResponse(ChangedSchema, "It is not paused"), ...bodyErrors() },
});

/** Adds the routes of limits and pauses. */
export function addLimitRoutes(app: OpenAPIHono, queue: TaskQueue): void {
  app.openapi(listLimits, async (c) => {
    const { type, group } = c.req.valid("query");
    const limits = (await queue.listLimits()).filter(({ scope }) =>
      (type === undefined || scope.type === type) && (group === undefined || scope.group === group)
    );
    return c.json({ limits: limits.map(limitJson) }, 200);
  });

  app.openapi(setLimit, async (c) => {
    const { by, ...body } = c.req.valid("json");
    const limit = limitOf(body);
    const scope = c.req.valid("query");
    const who = { by: by ?? nameOf(c) };
    const changed = await asInput(() => queue.setLimit(scope, limit, who));
    return c.json({ changed }, 200);
  });

  app.openapi(removeLimit, async (c) => {
    const scope = c.req.valid("query");
    const changed = await asInput(() => queue.setLimit(scope, null, { by: nameOf(c) }));
    return c.json({ changed }, 200);
  });

  app.openapi(declareLimits, async (c) => {
    const limits = c.req.valid("json").limits.map(({ type, group, ...body }) => ({
      scope: { type, group },
      limit: limitOf(body),
    }));
    return c.json({ declared: await asInput(() => queue.declareLimits(limits)) }, 200);
  });

  app.openapi(pauseQueue, async (c) => {
    const { type, group, by, ...options } = c.req.valid("json");
    const pause = { ...options, by: by ?? nameOf(c) };
    return c.json({ changed: await asInput(() => queue.pause({ type, group }, pause)) }, 200);
  });

  app.openapi(resumeQueue, async (c) => {
    const { type, group, by } = c.req.valid("json");
    const changed = await asInput(() => queue.resume({ type, group }, { by: by ?? nameOf(c) }));
    return c.json({ changed }, 200);
  });
}

/** The limit that a body gives. */
function limitOf({ rate, ...limit }: Omit<z.infer<typeof LimitBody>, "by">): Limit {
  if (rate === undefined) return limit;
  return { ...limit, rate: { limit: rate.limit, periodMs: rate.period_ms, burst: rate.burst } };
}
