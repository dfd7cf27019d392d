/**
 * Modules: the task types that have a handler here, and running them.
 */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import {
  type HandlerEntry,
  type HandlerRegistry,
  toNewTask,
  WEBHOOK_TYPE,
} from "../../src/core.ts";
import { requires } from "../http/access.ts";
import { enqueueChecked, enqueueOneChecked, keyOf } from "../tasks/enqueue.ts";
import { HttpError } from "../http/errors.ts";
import { batchedRunJson, runJsonOfTask } from "../runs/json.ts";
import { moduleJson } from "./json.ts";
import type { ResolvedAppOptions } from "../http/options.ts";
import { bodyErrors, errorResponses, jsonBody, jsonResponse } from "../http/responses.ts";
import { IdempotencyHeaders } from "../http/fields.ts";
import {
  ModuleListSchema,
  ModuleParams,
  ModuleSchema,
  RunBatchBody,
  RunBatchSchema,
  RunBody,
} from "./schemas.ts";
import { RunSchema } from "../runs/schemas.ts";

const listModules = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/modules",
  operationId: "listModules",
  summary: "List the modules",
  responses: {
    200: jsonResponse(ModuleListSchema, "All modules, in order of registration"),
    ...errorResponses(),
  },
});

const getModule = createRoute({
  ...requires("read"),
  method: "get",
  path: "/api/modules/{id}",
  operationId: "getModule",
  summary: "Get a module",
  request: { params: ModuleParams },
  responses: { 200: jsonResponse(ModuleSchema, "The module"), ...errorResponses(404, 422) },
});

const runModule = createRoute({
  ...requires("enqueue"),
  method: "post",
  path: "/api/modules/{id}/run",
  operationId: "runModule",
  summary: "Run a module",
  description: "Answers when the run is on disk. A known idempotency key gives the run it names.",
  request: { params: ModuleParams, headers: IdempotencyHeaders, body: jsonBody(RunBody) },
  responses: {
    202: jsonResponse(RunSchema, "The run, accepted"),
    ...bodyErrors(404, 409, 410, 507),
  },
});

const runBatch = createRoute({
  ...requires("enqueue"),
  method: "post",
  path: "/api/runs/batch",
  operationId: "runBatch",
  summary: "Run several modules",
  description:
    "All of them or none, in one transaction. Answers when they are on disk. Of each run the answer says what is small; GET /api/runs/{id} says the rest.",
  request: { body: jsonBody(RunBatchBody) },
  responses: {
    202: jsonResponse(RunBatchSchema, "The runs, accepted"),
    ...bodyErrors(404, 409, 410, 507),
  },
});

/** Adds the routes under `/api/modules`, and `/api/runs/batch`. */
export function addModuleRoutes(app: OpenAPIHono, options: ResolvedAppOptions): void {
  const { handlers } = options;

  app.openapi(
    listModules,
    (c) => c.json({ modules: handlers.entries().filter(isModule).map(moduleJson) }, 200),
  );

  app.openapi(
    getModule,
    (c) => c.json(moduleJson(requireModule(handlers, c.req.valid("param").id)), 200),
  );

  app.openapi(
    { ...runModule, middleware: [runModule.middleware, checkModule(handlers)] },
    async (c) => {
      const { parameters, ...scheduling } = c.req.valid("json");
      const key = keyOf(c.req.valid("header"), scheduling);
      const type = c.req.valid("param").id;
      const task = {
        ...toNewTask(scheduling),
        type,
        payload: parameters,
        idempotencyKey: key,
      };
      const enqueued = await enqueueOneChecked(task, {
        ...options,
        payloadField: "parameters",
      });
      return c.json(runJsonOfTask(enqueued.task, handlers), 202);
    },
  );

  app.openapi(runBatch, async (c) => {
    const wanted = c.req.valid("json").runs.map((run, index) => {
      const { module_id, parameters, ...scheduling } = run;
      requireModule(handlers, module_id);
      return {
        task: { ...toNewTask(scheduling), type: module_id, payload: parameters },
        payloadPath: ["runs", index, "parameters"],
      };
    });
    const enqueued = await enqueueChecked(wanted, options);
    return c.json({
      runs: enqueued.map(batchedRunJson),
      created: enqueued.filter(({ created }) => created).length,
    }, 202);
  });
}

/** Refuses an unknown module before its body is looked at. */
function checkModule(handlers: HandlerRegistry): MiddlewareHandler {
  return (c, next) => {
    requireModule(handlers, c.req.param("id") ?? "");
    return next();
  };
}

function requireModule(handlers: HandlerRegistry, id: string): HandlerEntry {
  const entry = handlers.get(id.trim());
  if (entry !== undefined && isModule(entry)) return entry;
  throw new HttpError("MODULE_NOT_FOUND", `Cannot find module ${JSON.stringify(id)}`);
}

/** Deliveries of webhooks are the queue's own: no request can run one. */
function isModule({ type }: HandlerEntry): boolean {
  return type !== WEBHOOK_TYPE;
}
