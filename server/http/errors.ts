/**
 * Every error the API answers with, and the one map from what was thrown to it.
 *
 * A 5xx answer never carries the cause: that goes to `onError`, the client learns only that it was not its fault.
 */
import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { type Clock, messageOf, QueueError, QueueFullError, StorageError } from "../../src/core.ts";
import { ERROR_STATUSES, type ErrorCode, type ErrorStatus } from "./error_codes.ts";
import type { ErrorSchema } from "./error_schema.ts";

/** A problem of one field of a request. */
export interface FieldProblem {
  /** Where it is, such as `parameters.to` or `limit`; `body` for the body as a whole. */
  readonly field: string;
  readonly message: string;
}

/** What an error may say beyond its code and detail. */
export interface HttpErrorOptions extends ErrorOptions {
  /** Each field's problem. */
  readonly problems?: readonly FieldProblem[];
  /** Response headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How full the queue is. */
  readonly room?: QueueRoom;
}

/** How much memory a refused addition would have taken, and how much is allowed, in bytes. */
export interface QueueRoom {
  readonly used_bytes: number;
  readonly mark_bytes: number;
}

/** What reporting an error needs of the application. */
export interface ErrorReporting {
  /** Is called with the cause of a 5xx answer. */
  readonly onError: (cause: unknown) => void;
  readonly clock: Clock;
}

/** An error as the client will see it: `message` becomes `detail`. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly code: ErrorCode;
  readonly status: ErrorStatus;
  readonly problems: readonly FieldProblem[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly room: QueueRoom | undefined;

  constructor(code: ErrorCode, detail: string, options: HttpErrorOptions = {}) {
    super(detail, options);
    this.code = code;
    this.status = ERROR_STATUSES[code];
    this.problems = options.problems;
    this.headers = options.headers ?? {};
    this.room = options.room;
  }
}

/** Seconds after which a client may try an unavailable queue again. */
const RETRY_AFTER_SECONDS = 5;

/** The error for anything a route threw. */
export function httpErrorOf(thrown: unknown): HttpError {
  if (thrown instanceof HttpError) return thrown;
  if (thrown instanceof QueueError) return ofQueueError(thrown);
  if (thrown instanceof QueueFullError) return queueFull(thrown);
  if (thrown instanceof StorageError) return queueUnavailable(thrown);
  if (thrown instanceof HTTPException) return ofHttpException(thrown);
  return new HttpError("INTERNAL_ERROR", "Something went wrong on our side", { cause: thrown });
}

/** The queue cannot answer now; `cause` is for the operator only. */
export function queueUnavailable(cause: unknown): HttpError {
  return new HttpError("QUEUE_UNAVAILABLE", "The queue is not available, try again later", {
    cause,
    headers: { "Retry-After": String(RETRY_AFTER_SECONDS) },
  });
}

/** The queue takes no more tasks; how full it is, the client may know. */
function queueFull(error: QueueFullError): HttpError {
  const { usedBytes, markBytes } = error;
  const detail = `The queue is full: it would take ${usedBytes} bytes of memory, ${
    Math.floor(markBytes)
  } are allowed; it takes tasks again when finished ones have been pruned`;
  const room = { used_bytes: usedBytes, mark_bytes: Math.floor(markBytes) };
  return new HttpError("QUEUE_FULL", detail, { room });
}

/** A 422 for the issues that zod found; `at` is where the checked value stands in the request. */
export function validationError(
  error: Pick<z.ZodError, "issues">,
  at: readonly PropertyKey[] = [],
): HttpError {
  const problems = error.issues.flatMap((issue) => problemsOf(issue, at));
  const summary = problems.map(({ field, message }) => `${field}: ${message}`).join("; ");
  return new HttpError("VALIDATION_ERROR", `Cannot accept the request: ${summary}`, { problems });
}

/**
 * What `queue.enqueue` threw, with the caller's mistakes told apart from ours: a `TypeError` is a field the queue refuses.
 * A `RangeError` is a size, because the schemas have checked every number's range before.
 */
export function enqueueErrorOf(thrown: unknown): unknown {
  if (thrown instanceof RangeError) return new HttpError("PAYLOAD_TOO_LARGE", thrown.message);
  if (thrown instanceof TypeError) return new HttpError("VALIDATION_ERROR", thrown.message);
  return thrown;
}

/** The caller's mistakes told apart from ours, where the queue alone can judge a value: what is out of its range, and the rest. */
export async function asInput<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    if (thrown instanceof RangeError) throw new HttpError("OUT_OF_RANGE", thrown.message);
    if (thrown instanceof TypeError) throw new HttpError("VALIDATION_ERROR", thrown.message);
    throw thrown;
  }
}

/** Hands the cause of a 5xx answer to the operator; a limit that was reached has none. */
export function reportError(
  error: HttpError,
  options: Pick<ErrorReporting, "onError">,
): void {
  if (error.status >= 500 && "cause" in error) options.onError(error.cause);
}

/** The JSON body that tells the client of `error`. */
export function errorJson(error: HttpError, atMs: number): z.infer<typeof ErrorSchema> {
  return {
    detail: error.message,
    error_code: error.code,
    timestamp: new Date(atMs).toISOString(),
    errors: error.problems?.map((problem) => ({ ...problem })),
    ...error.room,
  };
}

/** Answers with the error for `thrown`. */
export function respondWithError(
  c: Context,
  thrown: unknown,
  options: ErrorReporting,
): Response {
  const error = httpErrorOf(thrown);
  reportError(error, options);
  return c.json(errorJson(error, options.clock.nowMs()), error.status, { ...error.headers });
}

const QUEUE_ERROR_CODES: Readonly<Record<QueueError["code"], ErrorCode>> = Object.freeze({
  task_not_found: "TASK_NOT_FOUND",
  task_not_queued: "TASK_NOT_QUEUED",
  task_changed: "TASK_CHANGED",
  task_leased: "TASK_LEASED",
  task_has_children: "TASK_HAS_CHILDREN",
  lease_lost: "LEASE_LOST",
  idempotency_conflict: "IDEMPOTENCY_CONFLICT",
  run_id_conflict: "RUN_ID_CONFLICT",
  unknown_parent: "UNKNOWN_PARENT",
  dependency_cycle: "DEPENDENCY_CYCLE",
  schedule_not_found: "SCHEDULE_NOT_FOUND",
  schedule_conflict: "SCHEDULE_CONFLICT",
  unknown_task_type: "MODULE_NOT_FOUND",
  queue_moving: "QUEUE_MOVING",
  queue_moved: "QUEUE_MOVED",
  queue_closed: "QUEUE_UNAVAILABLE",
});

function ofQueueError(error: QueueError): HttpError {
  const code = QUEUE_ERROR_CODES[error.code];
  if (code === "QUEUE_UNAVAILABLE") return queueUnavailable(error);
  const retryAfter = { "Retry-After": String(RETRY_AFTER_SECONDS) };
  const headers = code === "QUEUE_MOVING" ? retryAfter : undefined;
  return new HttpError(code, error.message, { headers });
}

/** Hono's validators and its body parser throw these. */
function ofHttpException(exception: HTTPException): HttpError {
  switch (exception.status) {
    case 400:
      return new HttpError("MALFORMED_JSON", "Cannot read the body: it is not valid JSON");
    case 415:
      return new HttpError(
        "UNSUPPORTED_MEDIA_TYPE",
        "Cannot read the body: its Content-Type must be application/json",
      );
    default:
      return new HttpError("INTERNAL_ERROR", messageOf(exception), { cause: exception });
  }
}

function problemsOf(issue: z.core.$ZodIssue, at: readonly PropertyKey[]): FieldProblem[] {
  const path = [...at, ...issue.path];
  if (issue.code !== "unrecognized_keys") {
    return [{ field: fieldOf(path), message: issue.message }];
  }
  return issue.keys.map((key) => ({ field: fieldOf([...path, key]), message: "Unknown field" }));
}

function fieldOf(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "body" : path.map(String).join(".");
}
