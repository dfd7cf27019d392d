/**
 * Request ids and the server's structured log, in the category `holdfast`, `server`.
 *
 * Each request is one record, written when its answer begins; neither the query nor any header is in it, so no secret is.
 * Nothing is written unless the application configures LogTape.
 */
import { getLogger } from "@logtape/logtape";
import type { Context, MiddlewareHandler } from "hono";
import { principalOf } from "./access.ts";
import type { ResolvedAppOptions } from "./options.ts";

const REQUEST_ID = "X-Request-Id";

const logger = getLogger(["holdfast", "server"]);

/** Gives every answer a request id, the caller's if it is sane, and logs it. */
export function logRequests({ clock }: Pick<ResolvedAppOptions, "clock">): MiddlewareHandler {
  return async (c, next) => {
    const requestId = addRequestId(c);
    const startedAtMs = clock.nowMs();
    await next();
    const { status } = c.res;
    logger[status >= 500 ? "error" : "info"](
      "{method} {path} {status}",
      () => ({
        method: c.req.method,
        path: c.req.path,
        status,
        durationMs: clock.nowMs() - startedAtMs,
        requestId,
        caller: principalOf(c)?.name,
        reason: status >= 500 ? c.error?.message : undefined,
      }),
    );
  };
}

/** Puts the request id on the answer and gives it. */
export function addRequestId(c: Context): string {
  const given = c.req.header(REQUEST_ID);
  const id = given !== undefined && /^[\w.~-]{1,128}$/.test(given) ? given : crypto.randomUUID();
  c.header(REQUEST_ID, id);
  return id;
}
