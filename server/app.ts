/**
 * The HTTP application: a function of `Request`, so it can be served, tested without a socket, or mounted under a prefix.
 *
 * It touches nothing outside `/api`, `/metrics` and `/openapi.json`, so a host application keeps its other paths to itself.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { authenticate } from "./http/access.ts";
import { Changes } from "./http/changes.ts";
import { checkAtOnce } from "./http/checks_at_once.ts";
import { HttpError, respondWithError, validationError } from "./http/errors.ts";
import { OpenStreams } from "./http/event_stream.ts";
import { checkHost, checkOrigin, limitHeaders, readBody } from "./http/guard.ts";
import { passing } from "./http/guards.ts";
import { type AppOptions, resolveAppOptions, type ResolvedAppOptions } from "./http/options.ts";
import type { AppServices } from "./http/services.ts";
import { checkQuery } from "./http/query_guard.ts";
import { addRequestId, logRequests } from "./http/request_log.ts";
import { addEventRoutes } from "./events/routes.ts";
import { addHealthRoutes, addOperatorRoutes } from "./operations/routes.ts";
import { addLogRoutes } from "./logs/routes.ts";
import { addLimitRoutes } from "./limits/routes.ts";
import { addModuleRoutes } from "./modules/routes.ts";
import { addOpenApiRoute } from "./openapi.ts";
import { addQueueRoutes } from "./tasks/routes.ts";
import { addRecordRoutes } from "./records/routes.ts";
import { addRunRoutes } from "./runs/routes.ts";
import { addScheduleRoutes } from "./schedules/routes.ts";
import { addWorkerListRoutes } from "./workers/list_routes.ts";
import { addWorkerRoutes } from "./workers/routes.ts";

export { type Access, type Principal, type Scope, SCOPES } from "./http/access.ts";
export { type AppOptions, DEFAULT_APP_OPTIONS } from "./http/options.ts";
export {
  createToken,
  type NewToken,
  parseTokens,
  type ParseTokensOptions,
  tokenAccess,
  type TokenRecord,
} from "./http/tokens.ts";

/** On every answer. No CORS header is among them: other origins may not read. */
const SECURITY_HEADERS = Object.freeze({
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
});

/**
 * Makes the application. It starts nothing and owns nothing: close the queue yourself when it is no longer served.
 *
 * ```ts ignore
 * const app = createApp({ queue, handlers });
 * const response = await app.request("/api/health");
 * host.route("/tasks", app); // GET /tasks/api/health
 * ```
 *
 * @throws TypeError, RangeError when an option is out of its range.
 */
export function createApp(options: AppOptions): OpenAPIHono {
  const resolved = resolveAppOptions(options);
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw validationError(result.error);
    },
  });
  app.onError((error, c) => respondWithError(c, error, resolved));
  app.notFound((c) => {
    addSecurityHeaders(c);
    addRequestId(c);
    return respondWithError(c, notFound(c), resolved);
  });
  for (const path of ["/api/*", "/metrics", "/openapi.json"]) addGuards(app, path, resolved);
  checkAtOnce(app);
  addRoutes(app, {
    options: resolved,
    changes: new Changes(resolved.queue, resolved.logs, resolved.clock),
    streams: new OpenStreams(resolved.streamsMax),
  });
  refuseTheRest(app);
  return app;
}

/** What every request passes, in this order: the cheapest refusal first, the body last. */
function addGuards(app: OpenAPIHono, path: string, options: ResolvedAppOptions): void {
  app.use(path, logRequests(options));
  app.use(
    path,
    passing(
      addSecurityHeaders,
      limitHeaders(options),
      checkHost(options),
      checkOrigin(options),
      authenticate(options.access),
      checkQuery(app),
      readBody(options),
    ),
  );
}

function addRoutes(app: OpenAPIHono, services: AppServices): void {
  addModuleRoutes(app, services.options);
  addRunRoutes(app, services);
  addLogRoutes(app, services);
  addQueueRoutes(app, services.options);
  addOperatorRoutes(app, services.options.queue);
  addLimitRoutes(app, services.options.queue);
  addRecordRoutes(app, services.options.queue);
  addWorkerListRoutes(app, services.options.queue);
  addScheduleRoutes(app, services.options);
  addWorkerRoutes(app, services);
  addEventRoutes(app, services);
  addHealthRoutes(app, services.options);
  addOpenApiRoute(app, services.options);
}

function addSecurityHeaders(c: Context): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value);
}

/**
 * Answers other methods on known paths and all other paths under `/api`. A route, not only the not-found handler: when
 * mounted, that one belongs to the host.
 */
function refuseTheRest(app: OpenAPIHono): void {
  const methodsOf = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) { // a route stands there once for each of its steps
    if (method === "ALL") continue;
    methodsOf.set(path, (methodsOf.get(path) ?? new Set()).add(method));
  }
  const known = [...methodsOf].map(([path, methods]) => ({ parts: path.split("/"), methods }));
  for (const [path] of methodsOf) {
    const parts = path.split("/");
    const methods = known.filter((route) => covers(route.parts, parts));
    const allow = allowOf(new Set(methods.flatMap((route) => [...route.methods])));
    app.all(path, (c): never => {
      throw methodNotAllowed(c, allow);
    });
  }
  app.all("/api/*", (c): never => {
    throw notFound(c);
  });
}

/** Whether a route's path also matches all that another one matches: `/runs/:id` covers `/runs/batch`. */
function covers(path: readonly string[], other: readonly string[]): boolean {
  return path.length === other.length &&
    path.every((part, n) => part.startsWith(":") || part === other[n]);
}

/** The `Allow` header; whatever answers GET answers HEAD. */
function allowOf(methods: ReadonlySet<string>): string {
  return [...methods].flatMap((method) => method === "GET" ? ["GET", "HEAD"] : [method]).join(", ");
}

function methodNotAllowed(c: Context, allow: string): HttpError {
  return new HttpError(
    "METHOD_NOT_ALLOWED",
    `Cannot ${c.req.method} ${c.req.path}: allowed are ${allow}`,
    { headers: { Allow: allow } },
  );
}

function notFound(c: Context): HttpError {
  return new HttpError("NOT_FOUND", `Cannot find ${c.req.path}`);
}
