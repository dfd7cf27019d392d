/**
 * Everything that can go wrong, by whose fault it is.
 *
 * A caller's mistake is a `TypeError` or `RangeError`, raised before any effect. The rest is here: a refusal by
 * the queue's rules (`QueueError`), a failing environment (`StorageError`, `CorruptionError`), a handler's own
 * verdict on its task (`PermanentError`, `RetryAfterError`, `SnoozeError`, `ExitCodeError`), and a bug of ours (`invariant`).
 */
import { shownPath } from "./queue_address.ts";
import { shownValue } from "./shown_value.ts";

/** Why the queue refused. */
export type QueueErrorCode =
  | "task_not_found"
  | "task_not_queued"
  | "task_changed"
  | "task_leased"
  | "task_has_children"
  | "lease_lost"
  | "idempotency_conflict"
  | "run_id_conflict"
  | "unknown_parent"
  | "dependency_cycle"
  | "schedule_not_found"
  | "schedule_conflict"
  | "unknown_task_type"
  | "queue_moving"
  | "queue_moved"
  | "queue_closed";

/** The queue's rules forbid what was asked; nothing was changed. */
export class QueueError extends Error {
  /** `QueueError`. */
  override readonly name = "QueueError";
  /** Which rule; stable, for programs. */
  readonly code: QueueErrorCode;

  /** A refusal by the rule `code`. */
  constructor(code: QueueErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The environment failed: a disk that is full, a folder without permission, an fsync that did not succeed. */
export class StorageError extends Error {
  /** `StorageError`, or the name of the class below it. */
  override readonly name: string = "StorageError";
  /** The operation that failed: `open`, `append`, `sync`, `rename`, …; see `isInDoubt` for `use`. */
  readonly operation: string;
  /** The file, folder or database concerned; an address is without its password. */
  readonly path: string;

  /** `operation` on `path` failed; its message is made of the three. */
  constructor(operation: string, path: string, reason: string, options?: ErrorOptions) {
    super(`Cannot ${operation} ${quotePath(path)}: ${reason}`, options);
    this.operation = operation;
    this.path = shownPath(path);
  }

  /** Whether an earlier failure left it in doubt what is on the disk, so that nothing helps but to open the queue again. */
  get isInDoubt(): boolean {
    return this.operation === "use";
  }
}

/** The queue's memory has no room for more: what adds is refused, what makes room goes on. Nothing was changed. */
export class QueueFullError extends StorageError {
  /** `QueueFullError`. */
  override readonly name = "QueueFullError";
  /** `queue_full`; stable, for programs. */
  readonly code = "queue_full";
  /** The size of the queue with the refused addition, in bytes. */
  readonly usedBytes: number;
  /** The mark that it may not exceed, in bytes. */
  readonly markBytes: number;

  /** The queue at `path` would take `usedBytes`. */
  constructor(
    path: string,
    { usedBytes, markBytes }: { readonly usedBytes: number; readonly markBytes: number },
  ) {
    super(
      "add to",
      path,
      `it would take ${usedBytes} bytes of memory, ${
        Math.floor(markBytes)
      } are allowed: prune finished tasks, or let tasks end first`,
    );
    this.usedBytes = usedBytes;
    this.markBytes = markBytes;
  }
}

/** A file holds what no crash can have left there. Nothing was overwritten. */
export class CorruptionError extends StorageError {
  /** `CorruptionError`. */
  override readonly name = "CorruptionError";
  /** Where in the file the damage begins, in bytes. */
  readonly offset: number;

  /** The file at `path` is damaged from `offset` on. */
  constructor(path: string, offset: number, reason: string, options?: ErrorOptions) {
    super("read", path, `damaged at byte ${offset}: ${reason}`, options);
    this.offset = offset;
  }
}

/** Thrown by a handler: this task can never succeed, so it fails at once, whatever attempts remain. */
export class PermanentError extends Error {
  /** `PermanentError`. */
  override readonly name = "PermanentError";
}

/** The longest delay that a handler may ask for, a year, in milliseconds. */
export const RETRY_AFTER_MAX_MS = 365 * 24 * 3_600_000;

/** A delay that a handler or a worker asks for. @throws RangeError when it is no number, negative, or more than a year. */
export function checkDelay(delayMs: number, what: string): number {
  if (typeof delayMs === "number" && delayMs >= 0 && delayMs <= RETRY_AFTER_MAX_MS) return delayMs;
  throw new RangeError(
    `Cannot ${what} ${shownValue(delayMs)} ms: a number from 0 to ${RETRY_AFTER_MAX_MS} is needed`,
  );
}

/** Thrown by a handler: try again after `delayMs` milliseconds instead of the usual backoff. */
export class RetryAfterError extends Error {
  /** `RetryAfterError`. */
  override readonly name = "RetryAfterError";
  /** Milliseconds until the next attempt, 0 to a year. */
  readonly delayMs: number;

  /** Tries again after `delayMs` milliseconds. @throws RangeError when that is negative, or more than a year. */
  constructor(delayMs: number, message = `retry after ${delayMs} ms`) {
    super(message);
    this.delayMs = checkDelay(delayMs, "retry after");
  }
}

/**
 * Thrown by `context.snooze()`: the task is given back and is due again after `delayMs` milliseconds. It costs no attempt, and what
 * the handler enqueued is not stored.
 */
export class SnoozeError extends Error {
  /** `SnoozeError`. */
  override readonly name = "SnoozeError";
  /** Milliseconds until the task is due again, 0 to a year. */
  readonly delayMs: number;

  /** Is due again after `delayMs` milliseconds. @throws RangeError when that is negative, or more than a year. */
  constructor(delayMs: number) {
    super(`snoozed for ${delayMs} ms`);
    this.delayMs = checkDelay(delayMs, "snooze for");
  }
}

/** Thrown by `wait()`: the task was not final in time. It goes on. */
export class WaitTimeoutError extends Error {
  /** `WaitTimeoutError`. */
  override readonly name = "WaitTimeoutError";
}

/** How an `ExitCodeError` is treated. */
export interface ExitCodeErrorOptions extends ErrorOptions {
  /** Whether the task fails at once, whatever attempts remain; default false. */
  readonly isPermanent?: boolean;
}

/** Thrown by a handler: what it ran has ended with an exit code that is not a success. The run shows the code as its `exitCode`. */
export class ExitCodeError extends Error {
  /** `ExitCodeError`. */
  override readonly name = "ExitCodeError";
  /** The program's exit code, an integer. */
  readonly exitCode: number;
  /** Whether the task fails at once, whatever attempts remain. */
  readonly isPermanent: boolean;

  /** The attempt ended with `exitCode`. @throws TypeError when that is not an integer. */
  constructor(exitCode: number, message: string, options: ExitCodeErrorOptions = {}) {
    super(message, options);
    if (!Number.isSafeInteger(exitCode)) {
      throw new TypeError(`Cannot use ${exitCode} as an exit code: an integer is needed`);
    }
    this.exitCode = exitCode;
    this.isPermanent = options.isPermanent ?? false;
  }
}

/**
 * Whether `thrown` is an error of that name. By its name, not by its class: a handler file outside the binary cannot import
 * ours, and one that imports another copy of Holdfast has other classes.
 */
export function isNamed(thrown: unknown, name: string): thrown is Error {
  return looked(() => thrown instanceof Error && thrown.name === name) ?? false;
}

/** The exit code in an `ExitCodeError`; `null` for anything else; the code of a foreign error must be an integer. */
export function exitCodeOf(thrown: unknown): number | null {
  if (!isNamed(thrown, "ExitCodeError")) return null;
  const exitCode = looked(() => (thrown as Partial<ExitCodeError>).exitCode);
  return Number.isSafeInteger(exitCode) ? exitCode as number : null;
}

/** Whether `thrown` fails its task at once, whatever attempts remain. */
export function isPermanent(thrown: unknown): boolean {
  if (isNamed(thrown, "PermanentError")) return true;
  return exitCodeOf(thrown) !== null &&
    looked(() => (thrown as ExitCodeError).isPermanent) === true;
}

/** The result of a task whose last attempt threw `thrown`: its exit code, if it told one, else `null`. */
export function resultOfFailure(thrown: unknown): { readonly exit_code: number } | null {
  const exitCode = exitCodeOf(thrown);
  return exitCode === null ? null : { exit_code: exitCode };
}

/** The same error, as one that fails the task at once. */
export function permanentError(error: unknown): Error {
  if (error instanceof PermanentError) return error;
  const message = messageOf(error);
  const exitCode = exitCodeOf(error);
  if (exitCode !== null) {
    return new ExitCodeError(exitCode, message, { cause: error, isPermanent: true });
  }
  return new PermanentError(message, { cause: error });
}

/**
 * A path for a message: in quotes, control characters escaped, the backslashes of Windows as they are. The address of a
 * database is without its password.
 */
export function quotePath(path: string): string {
  return JSON.stringify(shownPath(path)).replaceAll("\\\\", "\\");
}

/** Asserts what the code has proved. A failure is a bug in Holdfast, never the caller's fault. */
export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`Bug in Holdfast: ${what}`);
}

/** The value of `look`; nothing when reading the thrown value throws itself, as a revoked proxy or a getter can. */
export function looked<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The message of anything that was thrown; never throws itself. */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "something that has no message was thrown";
  }
}
