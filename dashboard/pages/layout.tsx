/** @jsxImportSource hono/jsx */
/**
 * The frame of every page: head, navigation, what was just done, and the page itself.
 */
import type { Child } from "hono/jsx";
import { ICON_PATH, SCRIPT_PATH, STYLE_PATH } from "../assets.ts";
import type { Viewer } from "../options.ts";
import { visible } from "../text.ts";
import type { Html } from "./parts.tsx";

/** The pages of the navigation. */
const PAGES = [
  ["", "Overview"],
  ["/tasks", "Tasks"],
  ["/failures", "Failures"],
  ["/workers", "Workers"],
  ["/schedules", "Schedules"],
  ["/run", "Run"],
  ["/storage", "Storage"],
] as const;

/** A page in its frame. */
export interface Page {
  readonly title: string;
  readonly viewer: Viewer;
  readonly children?: Child;
  /** Whether the page is read again when something changes; default false. */
  readonly isLive?: boolean;
  /** Whether the navigation is left out; default false. */
  readonly isBare?: boolean;
}

/** The HTML of a page. */
export function pageText(page: Page): string {
  return `<!DOCTYPE html>${(<Frame {...page} />).toString()}`;
}

function Frame({ title, viewer, children, isLive = false, isBare = false }: Page): Html {
  const { prefix } = viewer;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{visible(`${title} · Holdfast`)}</title>
        <link rel="icon" href={prefix + ICON_PATH} type="image/svg+xml" />
        <link rel="stylesheet" href={prefix + STYLE_PATH} />
        <script src={prefix + SCRIPT_PATH} type="module"></script>
      </head>
      <body data-prefix={prefix} data-live={isLive ? "yes" : undefined}>
        <a class="skip" href="#main">Skip to the content</a>
        {!isBare && <Navigation viewer={viewer} />}
        <main id="main" tabindex={-1}>
          <h1>{visible(title)}</h1>
          <Notice viewer={viewer} />
          {children}
        </main>
        <p id="said" class="unseen" role="status"></p>
      </body>
    </html>
  );
}

function Navigation({ viewer }: { readonly viewer: Viewer }): Html {
  const { prefix, here } = viewer;
  const [path] = here.split("?");
  return (
    <header>
      <a class="brand" href={prefix || "/"}>Holdfast</a>
      <nav aria-label="Pages">
        {PAGES.map(([to, name]) => {
          const isHere = to === "" ? path === "" || path === "/" : path!.startsWith(to);
          return <a href={prefix + to || "/"} aria-current={isHere ? "page" : undefined}>{name}</a>;
        })}
      </nav>
      {viewer.hasSession && (
        <form method="post" action={`${prefix}/sign-out`} class="act">
          <span class="dim">{viewer.name}</span> <button type="submit">Sign out</button>
        </form>
      )}
    </header>
  );
}

/** What an action may say after it: codes, so that no link can put words here. */
const DONE: Readonly<Record<string, (n: string) => string>> = {
  cancelled: (n) => `Cancelled ${tasks(n)}. Retry brings back what was cancelled by mistake.`,
  retried: (n) => `Queued ${tasks(n)} again.`,
  run_now: (n) => `Made ${tasks(n)} due now.`,
  updated: (n) => `Changed ${tasks(n)}.`,
  removed: (n) => `Deleted ${tasks(n)} for good.`,
  replaced: () => "This new task takes the place of the one before.",
  unchanged: () => "Nothing changed: it had happened already.",
  paused: () => "Paused: no such task starts until it is resumed.",
  resumed: () => "Resumed.",
  created: () => "Enqueued this new task.",
  schedule_paused: () => "The schedule is paused.",
  schedule_resumed: () => "The schedule goes on.",
  schedule_removed: () => "The schedule is removed; its tasks stay.",
  pruned: (n) => `Deleted ${tasks(n)} for good.`,
  checkpoint: () => "The journal is folded into a new snapshot.",
};

function tasks(n: string): string {
  return n === "1" ? "1 task" : `${n} tasks`;
}

function Notice({ viewer }: { readonly viewer: Viewer }): Html | null {
  const query = new URLSearchParams(viewer.here.split("?")[1] ?? "");
  const did = query.get("did") ?? "";
  const n = query.get("n") ?? "";
  const left = query.get("left") ?? "0";
  const text = Object.hasOwn(DONE, did) ? DONE[did]! : undefined;
  if (text === undefined || !/^\d{0,12}$/.test(n)) return null;
  const isPart = /^[1-9]\d{0,11}\+?$/.test(left);
  return (
    <p class="notice" role="status">
      {text(n)}
      {isPart && ` More of them match: do it again for the rest.`}
    </p>
  );
}
