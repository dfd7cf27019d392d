/**
 * What the dashboard is given, resolved and checked once.
 */
import type { Context } from "hono";
import type { TaskQueue } from "../src/core.ts";
import { principalOf, type Scope } from "../server/http/access.ts";
import { Changes } from "../server/http/changes.ts";
import { OpenStreams } from "../server/http/event_stream.ts";
import {
  type AppOptions,
  resolveAppOptions,
  type ResolvedAppOptions,
} from "../server/http/options.ts";
import type { TokenRecord } from "../server/http/tokens.ts";
import { Series } from "./series.ts";
import { Kept } from "./kept.ts";
import { Sessions } from "./sessions.ts";

/** What `createDashboard` takes. */
export interface DashboardOptions extends
  Pick<
    AppOptions,
    "handlers" | "logs" | "hosts" | "version" | "closing" | "clock" | "onError"
  > {
  /** The queue that is shown. The dashboard does not close it. */
  readonly queue: TaskQueue;
  /**
   * Where it is mounted, such as `/admin/queue`: a path that begins with `/` and does not end with it; default `""`, the root.
   * Links and the cookie begin with it.
   */
  readonly prefix?: string;
  /**
   * Asks the host application's own sign-in who calls, and what it may do. Not together with `tokens`. Default: every caller may do
   * everything, so guard the dashboard otherwise.
   */
  readonly access?: AppOptions["access"];
  /** The tokens that the dashboard's own sign-in page takes; default none, and no such page. */
  readonly tokens?: readonly TokenRecord[];
  /**
   * Which keys of payloads, results and details of log lines have values that are shown only to who asks for them with scope
   * `admin`; default `MASKED_KEYS`.
   */
  readonly maskedKeys?: RegExp;
  /**
   * How long the overview waits for its numbers, in milliseconds, 0 or more: the first look at a large queue counts all tasks. Then it says
   * so, and comes again by itself. Default 1000.
   */
  readonly patienceMs?: number;
}

/** Keys whose values are masked unless `maskedKeys` says otherwise. */
export const MASKED_KEYS =
  /pass(word|phrase|wd)?$|secret|token|api[-_]?key|private[-_]?key|authori[sz]ation|cookie|credential/i;

/** What all requests of one dashboard share. */
export interface Services {
  readonly app: ResolvedAppOptions;
  readonly queue: TaskQueue;
  readonly prefix: string;
  readonly maskedKeys: RegExp;
  readonly patienceMs: number;
  /** `undefined` when there is no sign-in page. */
  readonly sessions: Sessions | undefined;
  readonly changes: Changes;
  readonly streams: OpenStreams;
  readonly series: Series;
  readonly kept: Kept;
}

/** @throws TypeError when an option is not allowed. */
export function servicesOf(options: DashboardOptions): Services {
  const { prefix = "", tokens, access, maskedKeys = MASKED_KEYS, patienceMs = 1000, ...rest } =
    options;
  if (prefix !== "" && !/^(\/[\w.~-]+)+$/.test(prefix)) {
    throw new TypeError(
      `Cannot mount the dashboard at ${
        JSON.stringify(prefix)
      }: a path such as "/admin/queue" is needed`,
    );
  }
  if (typeof patienceMs !== "number" || !(patienceMs >= 0)) {
    throw new RangeError(`Cannot use ${patienceMs} as patienceMs: 0 or more is needed`);
  }
  if (tokens !== undefined && access !== undefined) {
    throw new TypeError("Cannot use both tokens and access: one of them says who calls");
  }
  const app = resolveAppOptions({ ...rest, access });
  const sessions = tokens && new Sessions({ tokens, clock: app.clock });
  return {
    ...{ app, prefix, sessions, patienceMs },
    queue: app.queue,
    // a pattern with the flag g would remember where it was
    maskedKeys: new RegExp(maskedKeys.source, maskedKeys.flags.replace(/[gy]/g, "")),
    changes: new Changes(app.queue, app.logs, app.clock),
    streams: new OpenStreams(app.streamsMax),
    series: new Series(app.queue, app.clock),
    kept: new Kept(app.clock),
  };
}

/** Who looks at a page, and what follows from that. */
export interface Viewer extends Pick<Services, "prefix" | "maskedKeys"> {
  readonly name: string;
  readonly nowMs: number;
  /** Whether there is a session that can be ended. */
  readonly hasSession: boolean;
  /** The path and query of this page, below the prefix. */
  readonly here: string;
  can(scope: Scope): boolean;
}

/** The viewer of a request that was let in. */
export function viewerOf(c: Context, services: Services): Viewer {
  const { prefix, maskedKeys, sessions, app } = services;
  const principal = principalOf(c);
  const scopes = principal?.scopes ?? [];
  const { pathname, search } = new URL(c.req.url);
  return {
    ...{ prefix, maskedKeys },
    name: principal?.name ?? "",
    nowMs: app.clock.nowMs(),
    hasSession: sessions !== undefined && principal !== undefined,
    here: `${pathname.slice(prefix.length)}${search}`,
    can: (scope) => scopes.includes(scope) || scopes.includes("admin"),
  };
}
