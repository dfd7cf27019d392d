/**
 * What a failed attempt means, from what was thrown.
 */
import type { RetryPolicy } from "../domain/backoff.ts";
import {
  isNamed,
  isPermanent,
  resultOfFailure,
  RETRY_AFTER_MAX_MS,
  RetryAfterError,
} from "../domain/errors.ts";
import { failureMessage } from "../domain/kept_text.ts";

/** What a failed attempt said. */
export interface Failure {
  readonly message: string;
  readonly isPermanent: boolean;
  /** The delay that the handler asked for. */
  readonly retryAfterMs: number | null;
  /** The handler's retry policy. */
  readonly retryPolicy: RetryPolicy | null;
  /** How many attempts the handler allows. */
  readonly maxAttempts: number | null;
  /** What the task keeps as its result, a JSON text, when this was its last attempt. */
  readonly result: string | null;
}

/** The failure that a thrown error stands for. */
export function failureOf(
  error: unknown,
  { retryPolicy, maxAttempts }: Pick<Failure, "retryPolicy" | "maxAttempts">,
): Failure {
  const result = resultOfFailure(error);
  return {
    message: failureMessage(error),
    isPermanent: isPermanent(error),
    retryAfterMs: retryAfterOf(error),
    retryPolicy,
    maxAttempts,
    result: result === null ? null : JSON.stringify(result),
  };
}

/** A foreign error's delay must be valid. */
function retryAfterOf(error: unknown): number | null {
  if (error instanceof RetryAfterError) return error.delayMs;
  if (!isNamed(error, "RetryAfterError") || !("delayMs" in error)) return null;
  const { delayMs } = error;
  const isDelay = typeof delayMs === "number" && delayMs >= 0 && delayMs <= RETRY_AFTER_MAX_MS;
  return isDelay ? delayMs : null;
}
