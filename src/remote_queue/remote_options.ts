/**
 * How a queue behind a server is reached: options, their defaults and their checks.
 */
import { checkOptions, optionNames } from "../domain/options.ts";
import { checkInteger } from "../domain/check.ts";
import { type Clock, systemClock } from "../domain/clock.ts";
import type { Random } from "../domain/random.ts";
import { shownValue } from "../domain/shown_value.ts";

/** Where a queue's server is, and how to ask it. */
export interface RemoteQueueOptions {
  /** The address of `holdfast serve`, or where the app is mounted: what is behind it begins with `/api`. */
  readonly url: string;
  /** A bearer token with the scopes that the methods need: for a worker `read` and `operate`. Default none. */
  readonly token?: string;
  /** How long an answer may take, 100 ms to 10 min in milliseconds; default 10,000. */
  readonly requestTimeoutMs?: number;
  /**
   * How long a question that is harmless to repeat is asked again while there is no answer, 0 to 10 min in milliseconds; default
   * 5,000.
   */
  readonly resendForMs?: number;
  /** Sends the requests; default the global `fetch`. */
  readonly fetch?: (request: Request) => Promise<Response>;
  /** Time and the pauses between requests; default the system's. */
  readonly clock?: Clock;
  /** Chance for the pauses; default `Math.random`. */
  readonly random?: Random;
  /** Told of log lines that could not be delivered; default `console.error`. Must not throw. */
  readonly onBackgroundError?: (error: unknown) => void;
}

/** What applies where nothing is said. */
export const REMOTE_DEFAULTS: {
  readonly requestTimeoutMs: number;
  readonly resendForMs: number;
} = Object.freeze({ requestTimeoutMs: 10_000, resendForMs: 5000 });

/** The options with every default filled in. */
export interface ResolvedRemoteOptions extends Required<Omit<RemoteQueueOptions, "token">> {
  readonly headers: Readonly<Record<string, string>>;
}

const MINUTES_MAX_MS = 600_000;

const REMOTE_OPTIONS = optionNames<RemoteQueueOptions>({
  url: true,
  token: true,
  requestTimeoutMs: true,
  resendForMs: true,
  fetch: true,
  clock: true,
  random: true,
  onBackgroundError: true,
});

/** Fills in the defaults and checks what was given. @throws TypeError, RangeError */
export function resolveRemoteOptions(options: RemoteQueueOptions): ResolvedRemoteOptions {
  checkOptions(options, REMOTE_OPTIONS, "openRemoteQueue");
  const { token, fetch = globalThis.fetch } = options;
  const { requestTimeoutMs, resendForMs } = { ...REMOTE_DEFAULTS, ...defined(options) };
  return {
    url: checkServerUrl(options.url),
    headers: token === undefined ? {} : { Authorization: `Bearer ${checkToken(token)}` },
    requestTimeoutMs: checkInteger(requestTimeoutMs, "requestTimeoutMs", 100, MINUTES_MAX_MS),
    resendForMs: checkInteger(resendForMs, "resendForMs", 0, MINUTES_MAX_MS),
    fetch: (request) => fetch(request),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    onBackgroundError: options.onBackgroundError ?? ((error) => console.error(error)),
  };
}

function defined(
  { requestTimeoutMs, resendForMs }: RemoteQueueOptions,
): Partial<typeof REMOTE_DEFAULTS> {
  return {
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    ...(resendForMs === undefined ? {} : { resendForMs }),
  };
}

/** The address of a server, without a `/` at its end. @throws TypeError */
export function checkServerUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new TypeError(
      `Cannot use ${
        shownValue(given)
      } as a server's address: one such as http://127.0.0.1:8787 is needed`,
    );
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new TypeError(
      "Cannot use a server's address with user, query or fragment: give a token by itself",
    );
  }
  return url.href.replace(/\/+$/, "");
}

/** The token is not repeated: it is a secret. @throws TypeError */
function checkToken(token: string): string {
  if (/^[\w.~+/=-]+$/.test(token)) return token;
  throw new TypeError("Cannot use this token: it holds characters that no token has");
}
