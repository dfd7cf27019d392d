/**
 * Access: the caller of a request, and what it may do.
 *
 * Every route names the one scope that it needs; a request gets as far as its route only with a known caller. What the
 * caller may do is found out once per request and kept beside it.
 */
import type { Context, MiddlewareHandler } from "hono";
import { HttpError } from "./errors.ts";
import type { Guard } from "./guards.ts";

/** Every scope. */
export const SCOPES = ["read", "enqueue", "operate", "admin"] as const;

/**
 * What a caller may do.
 *
 * - `read`: look at everything. `enqueue`: run modules and enqueue tasks.
 * - `operate`: cancel and retry, and work on tasks by the worker protocol.
 * - `admin`: all of these, and what deletes or rearranges: prune, checkpoint, retire a worker.
 */
export type Scope = typeof SCOPES[number];

/** A caller. */
export interface Principal {
  /** A name for the log. */
  readonly name: string;
  /** What it may do; `admin` includes everything. */
  readonly scopes: readonly Scope[];
}

/** The caller of a request; `undefined` when unknown, which is answered with 401. */
export type Access = (c: Context) => Principal | undefined | Promise<Principal | undefined>;

/** Who calls where nobody is asked for a token. */
export const ANYBODY: Principal = Object.freeze({
  name: "anonymous",
  scopes: Object.freeze(["admin"] as const),
});

/** Everybody may do everything. */
export const OPEN_ACCESS: Access = (): Principal => ANYBODY;

const principals = new WeakMap<Context, Principal>();

/** The caller of a request that was let in. */
export function principalOf(c: Context): Principal | undefined {
  return principals.get(c);
}

/** Who asks, for what the queue notes of it: the name of the token; where everybody is let in there is none. */
export function nameOf(c: Context): string | undefined {
  const principal = principalOf(c);
  return principal === undefined || principal === ANYBODY ? undefined : principal.name;
}

/** Lets known callers in. @throws HttpError `UNAUTHORIZED`. */
export function authenticate(access: Access): Guard {
  return (c) => {
    const found = access(c);
    if (found === undefined || !("then" in found)) return letIn(c, found);
    return Promise.resolve(found).then((principal) => letIn(c, principal));
  };
}

function letIn(c: Context, principal: Principal | undefined): void {
  if (principal === undefined) {
    throw new HttpError(
      "UNAUTHORIZED",
      "Cannot identify the caller: a known token is needed, as Authorization: Bearer <token>",
      { headers: { "WWW-Authenticate": 'Bearer realm="holdfast"' } },
    );
  }
  principals.set(c, principal);
}

/** What a route needs: its middleware, and its note in the OpenAPI document. */
export interface Requirement {
  readonly middleware: MiddlewareHandler;
  readonly security: { bearer: string[] }[];
}

/** Lets callers with `scope` through, others are answered 403 `FORBIDDEN`. Spread it into a route. */
export function requires(scope: Scope): Requirement {
  return {
    security: [{ bearer: [scope] }],
    middleware: (c, next) => {
      requireScope(c, scope);
      return next();
    },
  };
}

/** What a request asks for needs more than its route. @throws HttpError `FORBIDDEN`. */
export function requireScope(c: Context, scope: Scope): void {
  const held = principalOf(c)?.scopes ?? [];
  if (!held.includes(scope) && !held.includes("admin")) throw forbidden(scope, held);
}

function forbidden(scope: Scope, held: readonly Scope[]): HttpError {
  return new HttpError(
    "FORBIDDEN",
    `Cannot do that with this token: scope ${scope} is needed, it has ${held.join(", ") || "none"}`,
    {
      headers: {
        "WWW-Authenticate": `Bearer realm="holdfast", error="insufficient_scope", scope="${scope}"`,
      },
    },
  );
}
