/**
 * A page that is read: its path, the scope that it needs, and what it shows.
 */
import type { Context, Hono } from "hono";
import type { Child } from "hono/jsx";
import { requires, type Scope } from "../server/http/access.ts";
import { type Services, type Viewer, viewerOf } from "./options.ts";
import { type Page, pageText } from "./pages/layout.tsx";

/** What a page is made of, besides its viewer. */
export type Shown = Pick<Page, "title" | "isLive"> & {
  readonly children: Child;
  /** After how many seconds a browser is to ask again, also one without a script; default never. */
  readonly refreshS?: number;
};

/** Adds a page. */
export function addView(
  app: Hono,
  services: Services,
  { path, scope = "read", show }: {
    readonly path: string;
    readonly scope?: Scope;
    readonly show: (viewer: Viewer, c: Context) => Promise<Shown | Response>;
  },
): void {
  app.get(path, requires("read").middleware, requires(scope).middleware, async (c) => {
    const viewer = viewerOf(c, services);
    const shown = await show(viewer, c);
    if (shown instanceof Response) return shown;
    const { refreshS, ...page } = shown;
    if (refreshS !== undefined) c.header("Refresh", String(refreshS));
    return c.html(pageText({ ...page, viewer }));
  });
}
