/** @jsxImportSource hono/jsx */
/**
 * The dashboard: pages that show a queue and act on it, from the process that serves it. It knows the queue by its port alone, so it
 * works on every engine.
 *
 * Every page and every action works without a script: actions are forms, and each is answered with a redirect. Requests pass the same
 * guards as those of the HTTP API, so another site's page can change nothing.
 */
import { type Context, Hono } from "hono";
import { getCookie } from "hono/cookie";
import { authenticate, type Principal } from "../server/http/access.ts";
import { HttpError, httpErrorOf, reportError } from "../server/http/errors.ts";
import { checkHost, checkOrigin, limitHeaders, readBody } from "../server/http/guard.ts";
import { passing } from "../server/http/guards.ts";
import { addRequestId, logRequests } from "../server/http/request_log.ts";
import { presentedToken } from "../server/http/tokens.ts";
import { addActions } from "./actions.ts";
import { ASSETS } from "./assets.ts";
import { addLive } from "./live.ts";
import { type DashboardOptions, type Services, servicesOf, viewerOf } from "./options.ts";
import { pageText } from "./pages/layout.tsx";
import { Problem } from "./pages/small.tsx";
import { addSignIn, SESSION_COOKIE } from "./sign_in.tsx";
import { addViews } from "./views.tsx";

export { type DashboardOptions, MASKED_KEYS } from "./options.ts";

/** On every answer. A form's origin is sent, so a browser may say whence it came; other sites learn nothing. */
const SECURITY_HEADERS = Object.freeze({
  "Cache-Control": "no-store",
  "Content-Security-Policy":
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
});

/**
 * Makes the dashboard. It starts nothing and owns nothing: close the queue yourself when it is no longer served.
 *
 * ```ts ignore
 * host.route("/admin/queue", createDashboard({ queue, prefix: "/admin/queue", access: whoIsIt }));
 * ```
 *
 * @throws TypeError, RangeError when an option is out of its range.
 */
export function createDashboard(options: DashboardOptions): Hono {
  const services = servicesOf(options);
  const app = new Hono();
  app.onError((error, c) => problemPage(c, error, services));
  app.notFound((c) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value);
    return problemPage(c, new HttpError("NOT_FOUND", `Cannot find ${c.req.path}`), services);
  });
  for (const [path, { type, text }] of ASSETS) {
    app.get(path, (c) => {
      c.header("Content-Type", type);
      c.header("X-Content-Type-Options", "nosniff");
      c.header("Cache-Control", "public, max-age=31536000, immutable");
      return c.body(text);
    });
  }
  addGuards(app, services);
  addSignIn(app, services);
  app.use(passing(authenticate((c) => whoAsks(c, services))));
  addViews(app, services);
  addActions(app, services);
  addLive(app, services);
  return app;
}

function addGuards(app: Hono, { app: options }: Services): void {
  app.use(logRequests(options));
  app.use(passing(
    (c) => {
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value);
    },
    limitHeaders(options),
    checkHost(options),
    checkOrigin(options),
    readBody(options),
  ));
}

/** The caller, by the host's sign-in, a token in the header, or a session. */
async function whoAsks(c: Context, { sessions, app }: Services): Promise<Principal | undefined> {
  if (sessions === undefined) return await app.access(c);
  const token = presentedToken(c);
  if (token !== undefined) return await sessions.bearer(token);
  const secret = getCookie(c, SESSION_COOKIE);
  return secret === undefined ? undefined : await sessions.find(secret);
}

/** What to do about an error, where the message alone does not say it. */
const ADVICE: Readonly<Record<string, string>> = {
  UNAUTHORIZED: "Sign in to the application that this dashboard is part of, and come back.",
  FORBIDDEN: "Ask whoever runs this queue for a token with that scope.",
  NOT_FOUND: "It may have been deleted meanwhile. The pages above show what there is.",
  TASK_NOT_FOUND: "It may have been deleted meanwhile. The list of tasks shows what there is.",
  QUEUE_UNAVAILABLE:
    "The queue is closed, or its files or its database do not answer. Try again soon.",
  ORIGIN_NOT_ALLOWED: "Open the dashboard itself, and do it there.",
};

function problemPage(c: Context, thrown: unknown, services: Services): Response {
  const error = httpErrorOf(thrown);
  reportError(error, services.app);
  addRequestId(c);
  if (error.code === "UNAUTHORIZED" && services.sessions !== undefined) {
    return toSignIn(c, services);
  }
  const viewer = viewerOf(c, services);
  for (const [name, value] of Object.entries(error.headers)) c.header(name, value);
  const advice = ADVICE[error.code] ?? "Go back, change what is named here, and try again.";
  const isBare = viewer.name === "";
  return c.html(
    pageText({
      title: "That did not work",
      viewer,
      isBare,
      children: <Problem message={error.message} advice={advice} />,
    }),
    error.status,
  );
}

/** A page that is read leads to the sign-in and back; anything else only there. */
function toSignIn(c: Context, services: Services): Response {
  const next = c.req.method === "GET" ? viewerOf(c, services).here : "/";
  return c.redirect(`${services.prefix}/sign-in?${new URLSearchParams({ next })}`, 303);
}
