/**
 * What the HTTP application is given, resolved and checked once.
 */
import {
  checkInteger,
  checkOptions,
  type Clock,
  HandlerRegistry,
  type LogStore,
  optionNames,
  type QueuedTaskManager,
  systemClock,
  type TaskQueue,
} from "../../src/core.ts";
import { type Access, OPEN_ACCESS } from "./access.ts";

/** What `createApp` takes. Exactly one of `queue` and `manager` is needed. */
export interface AppOptions {
  /** The queue that the routes read and write. `createApp` does not close it. */
  readonly queue?: TaskQueue;
  /** Takes the queue and the handlers of a task manager; default none. */
  readonly manager?: Pick<QueuedTaskManager, "queue" | "handlers">;
  /** The modules: every registered task type is one. Read at each request; default the manager's, then none. */
  readonly handlers?: HandlerRegistry;
  /** Where handlers' log lines are read; without it the routes of a run's log answer 404. Default none. */
  readonly logs?: LogStore;
  /**
   * Identifies the caller and its scopes: `tokenAccess(…)` for bearer tokens, or a function of yours that asks the host
   * application's own authentication. Default: every caller may do everything, so guard the app otherwise.
   */
  readonly access?: Access;
  /** The `Host` names under which requests are answered, without port, against DNS rebinding; default any. */
  readonly hosts?: readonly string[];
  /** The origins whose pages may read and write, such as `https://app.example.com`; default none, and no CORS header. */
  readonly corsOrigins?: readonly string[];
  /** The version that `/api/health` names; default none. */
  readonly version?: string;
  /** The largest request body, in bytes, 1 KiB to 64 MiB; default 1 MiB and 64 KiB. The queue's own payload limit holds as well. */
  readonly bodyMaxBytes?: number;
  /** How long a request body may take to arrive, in milliseconds, 100 to 600,000; default 10,000. */
  readonly bodyTimeoutMs?: number;
  /** The largest URL and headers together, in characters, 1 to 256 KiB; default 16 KiB. */
  readonly headerMaxLength?: number;
  /** How many event streams and waiting requests there may be at once, 1 to 100,000; default 1,000. */
  readonly streamsMax?: number;
  /** How long a stream may be silent before it sends a comment, in milliseconds, 100 to 600,000; default 15,000. */
  readonly heartbeatMs?: number;
  /** Ends event streams and waiting requests when it aborts, so that a server can shut down; default never. */
  readonly closing?: AbortSignal;
  /** Time and timers; default the system's. */
  readonly clock?: Clock;
  /** Told the cause of every 5xx answer that has one, which the client does not see; default `console.error`. Must not throw. */
  readonly onError?: (cause: unknown) => void;
}

/** The options with every default filled in. */
export type ResolvedAppOptions =
  & Required<Omit<AppOptions, "version" | "manager" | "logs">>
  & Pick<AppOptions, "version" | "logs">;

const APP_OPTIONS = optionNames<AppOptions>({
  queue: true,
  manager: true,
  handlers: true,
  logs: true,
  access: true,
  hosts: true,
  corsOrigins: true,
  version: true,
  bodyMaxBytes: true,
  bodyTimeoutMs: true,
  headerMaxLength: true,
  streamsMax: true,
  heartbeatMs: true,
  closing: true,
  clock: true,
  onError: true,
});

/** What applies where the caller said nothing. */
export const DEFAULT_APP_OPTIONS = Object.freeze({
  bodyMaxBytes: 1024 * 1024 + 64 * 1024,
  bodyTimeoutMs: 10_000,
  headerMaxLength: 16 * 1024,
  streamsMax: 1000,
  heartbeatMs: 15_000,
  clock: systemClock,
  onError: (cause: unknown): void => console.error(cause),
});

/** What a number among the options may be. */
const RANGES = Object.freeze({
  bodyMaxBytes: [1024, 64 * 1024 * 1024],
  bodyTimeoutMs: [100, 600_000],
  headerMaxLength: [1024, 256 * 1024],
  streamsMax: [1, 100_000],
  heartbeatMs: [100, 600_000],
});

/**
 * Fills in the defaults and checks what was given.
 *
 * @throws TypeError when not exactly one queue is given, or an origin is not one; RangeError when a number is out of its range.
 */
export function resolveAppOptions(options: AppOptions): ResolvedAppOptions {
  checkOptions(options, APP_OPTIONS, "createApp");
  const { logs, version, access, closing } = options;
  return {
    queue: queueOf(options),
    handlers: options.handlers ?? options.manager?.handlers ?? new HandlerRegistry(),
    logs,
    version,
    access: access ?? OPEN_ACCESS,
    hosts: (options.hosts ?? []).map((host) => host.toLowerCase()),
    corsOrigins: (options.corsOrigins ?? []).map(checkOrigin),
    ...numbersOf(options),
    closing: closing ?? new AbortController().signal,
    clock: options.clock ?? DEFAULT_APP_OPTIONS.clock,
    onError: options.onError ?? DEFAULT_APP_OPTIONS.onError,
  };
}

function queueOf({ queue, manager }: AppOptions): TaskQueue {
  if (queue !== undefined && manager !== undefined) {
    throw new TypeError("Cannot create the app of a queue and a manager: one of them is needed");
  }
  const given = queue ?? manager?.queue;
  if (typeof given?.enqueue === "function") return given;
  throw new TypeError(`Cannot create the app: ${typeof given} is not a TaskQueue`);
}

function numbersOf(options: AppOptions): Record<keyof typeof RANGES, number> {
  const names = Object.keys(RANGES) as (keyof typeof RANGES)[];
  return Object.fromEntries(names.map((name) => {
    const [min, max] = RANGES[name];
    return [name, checkInteger(options[name] ?? DEFAULT_APP_OPTIONS[name], name, min!, max!)];
  })) as Record<keyof typeof RANGES, number>;
}

function checkOrigin(origin: string): string {
  if (URL.canParse(origin) && new URL(origin).origin === origin) return origin;
  throw new TypeError(
    `Cannot use ${
      JSON.stringify(origin)
    } as a CORS origin: a scheme, a host and a port are needed, such as https://app.example.com`,
  );
}
