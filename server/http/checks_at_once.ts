/**
 * Requests are checked without waiting.
 *
 * The OpenAPI layer asks zod for an answer that may come later, and then zod cannot use its compiled checks. None of the
 * API's schemas waits for anything, and one that did would fail at its first request.
 */
import type { OpenAPIHono, RouteConfig, z } from "@hono/zod-openapi";

/** Has each route that is added to `app` from now on check its requests at once. */
export function checkAtOnce(app: OpenAPIHono): void {
  const { openapi } = app;
  app.openapi = ((route: RouteConfig, ...rest: never[]) => {
    for (const schema of schemasOf(route)) answerAtOnce(schema);
    return (openapi as (...given: unknown[]) => unknown)(route, ...rest);
  }) as typeof openapi;
}

function schemasOf({ request }: RouteConfig): z.ZodType[] {
  const bodies = Object.values(request?.body?.content ?? {}).map((body) =>
    body !== undefined && "schema" in body ? body.schema : undefined
  );
  const schemas = [request?.params, request?.query, request?.headers, ...bodies];
  return schemas.filter((schema): schema is z.ZodType =>
    schema !== undefined && "safeParseAsync" in schema
  );
}

function answerAtOnce(schema: z.ZodType): void {
  schema.safeParseAsync = (value, params) => Promise.resolve(schema.safeParse(value, params));
}
