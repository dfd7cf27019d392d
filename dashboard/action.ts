/**
 * An action: a form that was sent, the scope that it needs, what it does, and where its answer leads.
 */
import type { Context, Hono } from "hono";
import { principalOf, requires, type Scope } from "../server/http/access.ts";
import { asInput } from "../server/http/errors.ts";
import { fieldsOf, placeBelow } from "./forms.ts";
import type { Services } from "./options.ts";

/** What an action answers: what was done, and where to go. */
export interface Done {
  readonly did: string;
  readonly n?: number;
  /** Set when more match than were done at once. */
  readonly left?: string;
  /** Default where the form stood. */
  readonly to?: string;
}

/** Adds a form's action. */
export function addAction(
  app: Hono,
  services: Services,
  { path, scope, act }: {
    readonly path: string;
    readonly scope: Scope;
    readonly act: (fields: Readonly<Record<string, string>>, c: Context) => Promise<Done>;
  },
): void {
  app.post(path, requires(scope).middleware, async (c) => {
    const fields = await fieldsOf(c);
    const done = await asInput(() => act(fields, c));
    services.kept.clear();
    return c.redirect(placeBelow(services.prefix, done.to ?? fields.back, queryOfDone(done)), 303);
  });
}

function queryOfDone({ did, n, left }: Done): Record<string, string> {
  return { did, ...n === undefined ? {} : { n: String(n) }, ...left ? { left } : {} };
}

/** Who acts, for what the queue notes of it. */
export function nameOf(c: Context): string {
  return principalOf(c)?.name ?? "unknown";
}
