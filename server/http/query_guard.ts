/**
 * Query parameters that a route does not have are refused: a misspelt filter would give all, not what was asked for.
 *
 * What a route has it says itself, in the schema of its query that documents it.
 */
import type { OpenAPIHono, z } from "@hono/zod-openapi";
import { matchedRoutes } from "hono/route";
import { HttpError } from "./errors.ts";
import type { Guard } from "./guards.ts";

/** Refuses unknown query parameters on every documented route of `app`. @throws HttpError `VALIDATION_ERROR`. */
export function checkQuery(app: OpenAPIHono): Guard {
  let known: ReadonlyMap<string, readonly string[]> | undefined;
  return (c) => {
    if (!c.req.url.includes("?")) return;
    const given = [...new Set(new URL(c.req.url).searchParams.keys())];
    known ??= parametersOfRoutes(app);
    const method = c.req.method === "HEAD" ? "GET" : c.req.method;
    const path = matchedRoutes(c).find((route) => route.method === method)?.path ?? "";
    const allowed = known.get(`${method} ${unprefixed(path)}`);
    const unknown = given.filter((name) => allowed?.includes(name) === false);
    if (unknown.length > 0) throw unknownParameters(unknown, allowed!);
  };
}

/** The names of the query parameters by method and path. */
function parametersOfRoutes(app: OpenAPIHono): Map<string, readonly string[]> {
  const routes = app.openAPIRegistry.definitions.filter((one) => one.type === "route");
  return new Map(routes.map(({ route: { method, path, request } }) => {
    const names = namesOf(request?.query as z.ZodType | undefined);
    return [`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`, names];
  }));
}

/** The names in a schema of an object, also in one that converts what it has checked. */
function namesOf(schema: z.ZodType | undefined): readonly string[] {
  if (schema === undefined) return [];
  if ("shape" in schema) return Object.keys(schema.shape as object);
  return "in" in schema ? namesOf(schema.in as z.ZodType) : [];
}

/** A route's path without the prefix under which the app is mounted. */
function unprefixed(path: string): string {
  return /\/(api\/.*|metrics|openapi\.json)$/.exec(path)?.[0] ?? path;
}

function unknownParameters(unknown: readonly string[], allowed: readonly string[]): HttpError {
  const choice = allowed.length === 0 ? "there are none" : `allowed are ${allowed.join(", ")}`;
  return new HttpError(
    "VALIDATION_ERROR",
    `Cannot accept the query parameter ${
      unknown.map((name) => JSON.stringify(name)).join(", ")
    }: ${choice}`,
    {
      problems: unknown.map((field) => ({ field, message: `Unknown parameter, ${choice}` })),
    },
  );
}
