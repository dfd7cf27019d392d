/**
 * Modules: the task types that have a handler here, and running one.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { type HandlerEntry, type HandlerRegistry, runOfTask } from "../../src/mod.ts";
import { enqueueChecked, schedulingOf } from "../enqueue.ts";
import { HttpError } from "../errors.ts";
import { moduleJson, runJson } from "../json.ts";
import type { ResolvedAppOptions } from "../options.ts";
import { errorResponses, jsonResponse } from "../responses.ts";
import { ModuleListSchema, ModuleParams, ModuleSchema, RunBody, RunSchema } from "../schemas.ts";

const listModules = createRoute({
  method: "get",
  path: "/api/modules",
  summary: "List the modules",
  responses: { 200: jsonResponse(ModuleListSchema, "All modules, in order of registration") },
});

const getModule = createRoute({
  method: "get",
  path: "/api/modules/{id}",
  summary: "Get a module",
  request: { params: ModuleParams },
  responses: { 200: jsonResponse(ModuleSchema, "The module"), ...errorResponses(404, 422) },
});

const runModule = createRoute({
  method: "post",
  path: "/api/modules/{id}/run",
  summary: "Run a module",
  description: "Answers when the run is on disk. A known idempotency key gives the run it names.",
  request: {
    params: ModuleParams,
    body: { required: true, content: { "application/json": { schema: RunBody } } },
  },
  responses: {
    202: jsonResponse(RunSchema, "The run, accepted"),
    ...errorResponses(400, 404, 409, 413, 415, 422, 503),
  },
});

/** Adds the routes under `/api/modules`. */
export function addModuleRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  const { handlers } = options;

  app.openapi(listModules, (c) => c.json({ modules: handlers.entries().map(moduleJson) }, 200));

  app.openapi(
    getModule,
    (c) => c.json(moduleJson(requireModule(handlers, c.req.valid("param").id)), 200),
  );

  app.openapi({ ...runModule, middleware: checkModule(handlers) }, async (c) => {
    const { parameters, ...scheduling } = c.req.valid("json");
    const type = c.req.valid("param").id;
    const task = { type, payload: parameters, ...schedulingOf(scheduling) };
    const enqueued = await enqueueChecked(task, "parameters", options);
    return c.json(runJson(runOfTask(enqueued.task)), 202);
  });
}

/** Refuses an unknown module before its body is looked at. */
function checkModule(handlers: HandlerRegistry): MiddlewareHandler {
  return async (c, next) => {
    requireModule(handlers, c.req.param("id") ?? "");
    await next();
  };
}

function requireModule(handlers: HandlerRegistry, id: string): HandlerEntry {
  const entry = handlers.get(id.trim());
  if (entry !== undefined) return entry;
  throw new HttpError("MODULE_NOT_FOUND", `Cannot find module ${JSON.stringify(id)}`);
}
