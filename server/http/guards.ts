/**
 * Guards: what a request must pass before its route is called.
 */
import type { Context, MiddlewareHandler } from "hono";

/** Throws the error of a request that may not pass, or gives the answer that ends it; at once where it needs not wait. */
export type Guard = (c: Context) => Response | void | Promise<Response | void>;

/** Lets through what passes all guards, in this order. One middleware for all: each costs several promises for each request. */
export function passing(...guards: readonly Guard[]): MiddlewareHandler {
  return async (c, next) => {
    for (const guard of guards) {
      const found = guard(c);
      const answer = found instanceof Promise ? await found : found;
      if (answer !== undefined) return answer;
    }
    await next();
  };
}
