/**
 * The error codes of the API.
 */

/** Every error code, with the HTTP status it comes with. */
export const ERROR_STATUSES = Object.freeze(
  {
    MALFORMED_JSON: 400,
    UNAUTHORIZED: 401,
    FORBIDDEN: 403,
    HOST_NOT_ALLOWED: 403,
    ORIGIN_NOT_ALLOWED: 403,
    NOT_FOUND: 404,
    MODULE_NOT_FOUND: 404,
    RUN_NOT_FOUND: 404,
    TASK_NOT_FOUND: 404,
    SCHEDULE_NOT_FOUND: 404,
    LOGS_NOT_KEPT: 404,
    METHOD_NOT_ALLOWED: 405,
    REQUEST_TIMEOUT: 408,
    RUN_FINISHED: 409,
    RUN_NOT_FINISHED: 409,
    RUN_NOT_RETRYABLE: 409,
    TASK_FINISHED: 409,
    TASK_NOT_RETRYABLE: 409,
    TASK_NOT_QUEUED: 409,
    TASK_CHANGED: 409,
    TASK_LEASED: 409,
    TASK_HAS_CHILDREN: 409,
    IDEMPOTENCY_CONFLICT: 409,
    RUN_ID_CONFLICT: 409,
    SCHEDULE_CONFLICT: 409,
    LEASE_LOST: 409,
    QUEUE_MOVED: 410,
    PAYLOAD_TOO_LARGE: 413,
    UNSUPPORTED_MEDIA_TYPE: 415,
    VALIDATION_ERROR: 422,
    OUT_OF_RANGE: 422,
    UNKNOWN_PARENT: 422,
    DEPENDENCY_CYCLE: 422,
    HEADERS_TOO_LARGE: 431,
    INTERNAL_ERROR: 500,
    NOT_SUPPORTED: 501,
    QUEUE_MOVING: 503,
    QUEUE_UNAVAILABLE: 503,
    QUEUE_UNHEALTHY: 503,
    TOO_MANY_STREAMS: 503,
    QUEUE_FULL: 507,
  } as const,
);

/** What went wrong; stable, for programs. */
export type ErrorCode = keyof typeof ERROR_STATUSES;

/** Every error code, for the schema. */
export const ERROR_CODES = Object.keys(ERROR_STATUSES) as ErrorCode[];

/** The statuses an error may have. */
export type ErrorStatus = typeof ERROR_STATUSES[ErrorCode];
