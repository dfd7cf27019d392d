/**
 * What the HTTP application is given, resolved and checked once.
 */
import { HandlerRegistry, type TaskQueue } from "../src/mod.ts";

/** What `createApp` takes. */
export interface AppOptions {
  /** The queue that the routes read and write. Whoever opened it closes it. */
  readonly queue: TaskQueue;
  /** The modules: every registered task type is one. Read at each request; default none. */
  readonly handlers?: HandlerRegistry;
  /** The version that `/api/health` names; default none. */
  readonly version?: string;
  /** The largest request body, in bytes, 1 KiB to 64 MiB; default 1 MiB and 64 KiB. The queue's own payload limit holds as well. */
  readonly bodyMaxBytes?: number;
  /** Milliseconds since 1970-01-01 UTC, for the `timestamp` of errors; default the system's clock. */
  readonly nowMs?: () => number;
  /** Told the cause of every 5xx answer, which the client does not see; default `console.error`. Must not throw. */
  readonly onError?: (cause: unknown) => void;
}

/** The options with every default filled in. */
export type ResolvedAppOptions =
  & Required<Omit<AppOptions, "version">>
  & Pick<AppOptions, "version">;

const BODY_BYTES_MIN = 1024;
const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** What applies where the caller said nothing. */
export const DEFAULT_APP_OPTIONS = Object.freeze({
  bodyMaxBytes: 1024 * 1024 + 64 * 1024,
  nowMs: (): number => Date.now(),
  onError: (cause: unknown): void => console.error(cause),
});

/**
 * Fills in the defaults and checks what was given.
 *
 * @throws TypeError when `queue` is not a queue; RangeError when `bodyMaxBytes` is out of its range.
 */
export function resolveAppOptions(options: AppOptions): ResolvedAppOptions {
  if (typeof options?.queue?.enqueue !== "function") {
    throw new TypeError(`Cannot create the app: ${typeof options?.queue} is not a TaskQueue`);
  }
  return {
    queue: options.queue,
    handlers: options.handlers ?? new HandlerRegistry(),
    version: options.version,
    bodyMaxBytes: checkBodyMaxBytes(options.bodyMaxBytes ?? DEFAULT_APP_OPTIONS.bodyMaxBytes),
    nowMs: options.nowMs ?? DEFAULT_APP_OPTIONS.nowMs,
    onError: options.onError ?? DEFAULT_APP_OPTIONS.onError,
  };
}

function checkBodyMaxBytes(bytes: number): number {
  if (Number.isInteger(bytes) && bytes >= BODY_BYTES_MIN && bytes <= BODY_BYTES_MAX) return bytes;
  throw new RangeError(
    `Cannot use ${bytes} as bodyMaxBytes: an integer from ${BODY_BYTES_MIN} to ${BODY_BYTES_MAX} is needed`,
  );
}
