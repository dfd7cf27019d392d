/**
 * The HTTP application: a function of `Request`, so it can be served, tested without a socket, or mounted under a prefix.
 *
 * It touches nothing outside `/api` and `/metrics`, so a host application keeps its other paths to itself.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HttpError, respondWithError, validationError } from "./errors.ts";
import { type AppOptions, resolveAppOptions } from "./options.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addModuleRoutes } from "./routes/modules.ts";
import { addQueueRoutes } from "./routes/queue.ts";
import { addRunRoutes } from "./routes/runs.ts";

export { type AppOptions, DEFAULT_APP_OPTIONS } from "./options.ts";

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
    return respondWithError(c, notFound(c), resolved);
  });
  for (const path of ["/api/*", "/metrics"]) {
    app.use(path, async (c, next) => {
      addSecurityHeaders(c);
      await next();
    });
  }
  app.use("/api/*", limitBody(resolved.bodyMaxBytes));
  addModuleRoutes(app, resolved);
  addRunRoutes(app, resolved);
  addQueueRoutes(app, resolved);
  addHealthRoutes(app, resolved);
  refuseTheRest(app);
  return app;
}

function addSecurityHeaders(c: Context): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value);
}

function limitBody(maxBytes: number): ReturnType<typeof bodyLimit> {
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new HttpError(
        "PAYLOAD_TOO_LARGE",
        `Cannot accept the body: at most ${maxBytes} bytes are allowed`,
      );
    },
  });
}

/**
 * Answers other methods on known paths and all other paths under `/api`. A route, not only the not-found handler: when
 * mounted, that one belongs to the host.
 */
function refuseTheRest(app: OpenAPIHono): void {
  const routes = app.routes.filter(({ method }) => method !== "ALL");
  for (const [path, known] of Map.groupBy(routes, ({ path }) => path)) {
    const allow = allowOf(new Set(known.map(({ method }) => method)));
    app.all(path, (c): never => {
      throw methodNotAllowed(c, allow);
    });
  }
  app.all("/api/*", (c): never => {
    throw notFound(c);
  });
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
