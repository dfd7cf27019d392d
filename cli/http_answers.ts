/**
 * What `holdfast serve` answers: the HTTP interface and the dashboard on one port.
 *
 * Only that command loads this: it is a fifth of the heap that all commands would begin with, and a worker does not need it.
 */
import configuration from "../deno.json" with { type: "json" };
import { createDashboard } from "../dashboard/app.tsx";
import { type AppOptions, createApp, tokenAccess } from "../server/app.ts";
import { messageOf, type ProjectConfig } from "../src/mod.ts";
import type { HttpAccess } from "./http_access.ts";

/** What is served, to whom. */
export interface Answering {
  readonly app: AppOptions & Required<Pick<AppOptions, "queue">>;
  readonly access: HttpAccess;
  readonly config: ProjectConfig;
}

/** Answers requests: those for the HTTP interface by it, all others by the dashboard. */
export function answersOf(
  closing: AbortSignal,
  { app, access, config }: Answering,
  tell: (message: string) => void,
): (request: Request) => Response | Promise<Response> {
  const { tokens, hosts } = access;
  const common = {
    ...{ ...app, hosts, closing, version: configuration.version },
    onError: (cause: unknown) => tell(messageOf(cause)),
  };
  const api = createApp({
    ...common,
    access: tokens && tokenAccess(tokens),
    corsOrigins: config.corsOrigins.length === 0 ? undefined : config.corsOrigins,
  });
  const dashboard = config.dashboard ? createDashboard({ ...common, tokens }) : undefined;
  return (request) => {
    if (dashboard !== undefined && !isForPrograms(request)) return dashboard.fetch(request);
    return isRoot(request) ? rootAnswer() : api.fetch(request);
  };
}

/** Whether the HTTP interface answers it; at the root, to whom has not asked for a page. */
function isForPrograms(request: Request): boolean {
  const { pathname } = new URL(request.url);
  if (/^\/(api(\/|$)|metrics$|openapi\.json$)/.test(pathname)) return true;
  return isRoot(request) && !(request.headers.get("Accept") ?? "").includes("text/html");
}

function isRoot({ method, url }: Request): boolean {
  return ["GET", "HEAD"].includes(method) && new URL(url).pathname === "/";
}

/** Says where the rest is, which needs a token where there are any. */
function rootAnswer(): Response {
  return Response.json({
    name: "Holdfast",
    version: configuration.version,
    health: "/api/health",
    openapi: "/openapi.json",
  }, { headers: { "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store" } });
}
