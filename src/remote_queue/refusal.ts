/**
 * What a server's refusal means here: the same error that the queue would have thrown in its own process. What is wrong with the
 * server, the way to it or the token is a `StorageError`: the environment's failure, after which a worker goes on.
 */
import {
  messageOf,
  QueueError,
  type QueueErrorCode,
  QueueFullError,
  StorageError,
} from "../domain/errors.ts";

/** Error codes of the API that stand for a rule of the queue. */
const QUEUE_ERRORS: Readonly<Record<string, QueueErrorCode>> = Object.freeze({
  TASK_NOT_FOUND: "task_not_found",
  RUN_NOT_FOUND: "task_not_found",
  TASK_NOT_QUEUED: "task_not_queued",
  TASK_CHANGED: "task_changed",
  TASK_LEASED: "task_leased",
  TASK_HAS_CHILDREN: "task_has_children",
  LEASE_LOST: "lease_lost",
  IDEMPOTENCY_CONFLICT: "idempotency_conflict",
  RUN_ID_CONFLICT: "run_id_conflict",
  UNKNOWN_PARENT: "unknown_parent",
  DEPENDENCY_CYCLE: "dependency_cycle",
  SCHEDULE_NOT_FOUND: "schedule_not_found",
  SCHEDULE_CONFLICT: "schedule_conflict",
  MODULE_NOT_FOUND: "unknown_task_type",
  QUEUE_MOVING: "queue_moving",
  QUEUE_MOVED: "queue_moved",
});

/** Statuses that may pass by themselves: of the server, or of a proxy before it. */
const PASSING: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

/** An answer that is not a success. */
export interface Refusal {
  readonly url: string;
  readonly status: number;
  /** Its JSON; anything when it comes from elsewhere. */
  readonly body: unknown;
  /** When to ask again at the earliest, in milliseconds; 0 when the answer does not say. */
  readonly retryAfterMs: number;
}

/** No answer, or one that says nothing about what was asked: it may have been done, and it may pass. */
export class NoAnswerError extends StorageError {
  /** When to ask again at the earliest, in milliseconds; `null` when nothing at all was answered. */
  readonly retryAfterMs: number | null;

  /** There was none from `url`, because of `reason`. */
  constructor(
    url: string,
    reason: string,
    { retryAfterMs, ...options }: ErrorOptions & { readonly retryAfterMs: number | null },
  ) {
    super("ask", url, reason, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The error code in an answer; `undefined` when it is not one of Holdfast's. */
export function errorCodeOf(body: unknown): string | undefined {
  const code = Object(body).error_code;
  return typeof code === "string" ? code : undefined;
}

/** The error that a refusal stands for. */
export function errorOf({ url, status, body, retryAfterMs }: Refusal): Error {
  const code = errorCodeOf(body);
  const { detail: said } = Object(body);
  const detail = typeof said === "string" ? said : `the server answers ${status}`;
  if (code === undefined) {
    const reason = `${detail}, and not as Holdfast does: is the address right?`;
    return PASSING.includes(status)
      ? new NoAnswerError(url, detail, { retryAfterMs })
      : new StorageError("understand", url, reason);
  }
  const rule = Object.hasOwn(QUEUE_ERRORS, code) ? QUEUE_ERRORS[code] : undefined;
  if (rule !== undefined) return new QueueError(rule, detail);
  switch (code) {
    case "VALIDATION_ERROR":
    case "MALFORMED_JSON":
      return new TypeError(detail);
    case "OUT_OF_RANGE":
    case "PAYLOAD_TOO_LARGE":
      return new RangeError(detail);
    case "QUEUE_FULL":
      return fullError(url, body, detail);
    case "UNAUTHORIZED":
      return new StorageError("log in to", url, detail);
    case "FORBIDDEN":
    case "HOST_NOT_ALLOWED":
    case "ORIGIN_NOT_ALLOWED":
      return new StorageError("act on", url, detail);
    default:
      return PASSING.includes(status)
        ? new NoAnswerError(url, detail, { retryAfterMs })
        : new StorageError("query", url, detail);
  }
}

function fullError(url: string, body: unknown, detail: string): Error {
  const { used_bytes: usedBytes, mark_bytes: markBytes } = Object(body);
  return typeof usedBytes === "number" && typeof markBytes === "number"
    ? new QueueFullError(url, { usedBytes, markBytes })
    : new StorageError("add to", url, detail);
}

/** What kept an answer away. */
export function noAnswerOf(url: string, thrown: unknown, timeoutMs: number): NoAnswerError {
  const options = { cause: thrown, retryAfterMs: null };
  if (thrown instanceof DOMException && thrown.name === "TimeoutError") {
    return new NoAnswerError(url, `there was no answer within ${timeoutMs / 1000} s`, options);
  }
  const cause = thrown instanceof TypeError ? thrown.cause ?? thrown : thrown;
  const reason = `there is no answer (${
    messageOf(cause)
  }): does the server run, and is the address right?`;
  return new NoAnswerError(url, reason, options);
}

/** What `act` gives, or `otherwise` when it is refused with `code`. */
export async function unless<T>(
  code: QueueErrorCode,
  otherwise: T,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    if (thrown instanceof QueueError && thrown.code === code) return otherwise;
    throw thrown;
  }
}
