/**
 * The messages between a worker and a handler's thread. Everything here survives structured cloning.
 */
import {
  ExitCodeError,
  exitCodeOf,
  isNamed,
  isPermanent,
  looked,
  messageOf,
  PermanentError,
  RETRY_AFTER_MAX_MS,
  RetryAfterError,
  SnoozeError,
} from "../domain/errors.ts";
import type { NewTask, Task } from "../domain/task.ts";
import type { ParentResult } from "../queue/task_queue.ts";
import type { HandlerOptions } from "./handler_registry.ts";
import type { LogLevel } from "./log_store.ts";

/** The worker's side. */
export type ToThread =
  | {
    readonly kind: "run";
    readonly task: Task;
    readonly runId: string;
    readonly attempt: number;
    readonly isLastAttempt: boolean;
    readonly deadline: Date | null;
  }
  | { readonly kind: "abort"; readonly name: string; readonly message: string }
  | ParentsAnswer;

/** The worker answers a thread that has asked for its task's parents: with their results, or why there are none. */
export type ParentsAnswer =
  & { readonly kind: "parents" }
  & ({ readonly results: readonly ParentResult[] } | { readonly thrown: ThrownImage });

/** What an export says of its handler that can cross between threads. */
export type ExportOptions = Pick<
  HandlerOptions,
  | "name"
  | "description"
  | "version"
  | "retryPolicy"
  | "maxAttempts"
  | "timeoutMs"
  | "concurrency"
>;

/** The thread's side: it has loaded its module (or reports the problem), what the handler says, and how it ended. */
export type FromThread =
  | { readonly kind: "loaded"; readonly problem: string | null; readonly options?: ExportOptions }
  | {
    readonly kind: "log";
    readonly level: LogLevel;
    readonly message: string;
    readonly details?: unknown;
  }
  | { readonly kind: "progress"; readonly percent: number; readonly message?: string }
  | { readonly kind: "enqueue"; readonly task: NewTask }
  | { readonly kind: "parents" }
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "thrown"; readonly thrown: ThrownImage };

/** An error as it crosses between threads: cloning would lose its class. */
export interface ThrownImage {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** What it was caused by, to a depth of five. */
  readonly cause?: ThrownImage;
  /** For a `RetryAfterError` or a `SnoozeError`. */
  readonly delayMs?: number;
  /** For an `ExitCodeError`. */
  readonly exitCode?: number;
  /** For an `ExitCodeError`. */
  readonly isPermanent?: boolean;
}

/** How many causes of causes an image has. */
const CAUSES_MAX = 5;

/** The image of anything that was thrown; never throws itself, whatever its parts do when they are looked at. */
export function imageOf(thrown: unknown, causesMax: number = CAUSES_MAX): ThrownImage {
  const cause = causesMax > 0 ? looked(() => (thrown as Error).cause) : undefined;
  const image = imageWithoutCause(thrown);
  return cause === undefined ? image : { ...image, cause: imageOf(cause, causesMax - 1) };
}

/** Where an error was made, and its causes, as a log keeps them. */
export function stackOf(error: Error): { readonly stack?: string; readonly cause?: ThrownImage } {
  const { stack, cause } = imageOf(error);
  return { stack, cause };
}

function imageWithoutCause(thrown: unknown): ThrownImage {
  const message = messageOf(thrown);
  if (looked(() => thrown instanceof Error) !== true) return { name: "Error", message };
  const error: { readonly [part in "name" | "stack" | "delayMs"]?: unknown } = thrown as Error;
  const stack = stringOf(looked(() => error.stack));
  if (isNamed(error, "PermanentError")) return { name: "PermanentError", message, stack };
  const exitCode = exitCodeOf(error);
  if (exitCode !== null) {
    return { name: "ExitCodeError", message, stack, exitCode, isPermanent: isPermanent(error) };
  }
  const delayMs = looked(() => error.delayMs);
  const name = stringOf(looked(() => error.name)) ?? "Error";
  return { name, message, stack, delayMs: typeof delayMs === "number" ? delayMs : undefined };
}

function stringOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** What was thrown, as what can be looked at as often as wanted. */
export function tangible(thrown: unknown): unknown {
  const isObject = (typeof thrown === "object" && thrown !== null) || typeof thrown === "function";
  return isObject ? errorOf(imageOf(thrown)) : thrown;
}

/** The error that `image` was made of. By its name, as the thread may have loaded another copy of Holdfast. */
export function errorOf(image: ThrownImage): Error {
  const error = newErrorOf(image);
  if (image.stack !== undefined) error.stack = image.stack;
  if (image.cause !== undefined) error.cause = errorOf(image.cause);
  return error;
}

function newErrorOf({ name, message, delayMs, exitCode, isPermanent }: ThrownImage): Error {
  if (name === "PermanentError") return new PermanentError(message);
  if (name === "ExitCodeError" && exitCode !== undefined) {
    return new ExitCodeError(exitCode, message, { isPermanent });
  }
  if (name === "RetryAfterError" && delayMs !== undefined && delayMs >= 0) {
    return new RetryAfterError(delayMs, message);
  }
  if (name === "SnoozeError" && delayMs !== undefined && delayMs >= 0) {
    return new SnoozeError(Math.min(delayMs, RETRY_AFTER_MAX_MS));
  }
  const error = new Error(message);
  if (name !== "RetryAfterError" && name !== "SnoozeError") error.name = name;
  return error;
}
