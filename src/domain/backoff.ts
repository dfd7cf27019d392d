/**
 * Backoff: how long a failed task waits before its next attempt.
 */
import { checkOptions, optionNames } from "./options.ts";
import type { Random } from "./random.ts";
import { shownValue } from "./shown_value.ts";

/** How the delay grows from failure to failure. */
export interface RetryPolicy {
  /** The delay after the first failure, in milliseconds, 0 to 7 days; default 1,000. */
  readonly initialDelayMs: number;
  /** The factor from one failure to the next, 1 to 100; default 2. */
  readonly multiplier: number;
  /** The longest delay, in milliseconds, 0 to 7 days; default 300,000. */
  readonly maxDelayMs: number;
}

/** The default policy. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = Object.freeze({
  initialDelayMs: 1000,
  multiplier: 2,
  maxDelayMs: 300_000,
});

/** How far the parts of a policy may go: delays from 0, in milliseconds, and the multiplier from 1. */
export const RETRY_LIMITS: { readonly delayMaxMs: number; readonly multiplierMax: number } = Object
  .freeze({ delayMaxMs: 7 * 24 * 3_600_000, multiplierMax: 100 });

/** How far the jitter goes to either side. */
const JITTER = 0.1;

/**
 * The delay before the next attempt in whole milliseconds: min(max, initial · multiplier^(failures − 1) · jitter) with
 * jitter uniform in [0.9, 1.1). The cap comes last, so no delay exceeds it.
 */
export function backoffDelayMs(policy: RetryPolicy, failures: number, random: Random): number {
  const exact = policy.initialDelayMs * policy.multiplier ** (failures - 1);
  const jittered = exact * (1 - JITTER + 2 * JITTER * random());
  return Math.round(Math.min(policy.maxDelayMs, jittered));
}

const POLICY_OPTIONS = optionNames<RetryPolicy>({
  initialDelayMs: true,
  multiplier: true,
  maxDelayMs: true,
});

/**
 * A whole policy from the parts given; the rest comes from `base`.
 *
 * @throws RangeError when a part is out of its range.
 */
export function resolveRetryPolicy(
  parts: Partial<RetryPolicy> | undefined,
  base: RetryPolicy = DEFAULT_RETRY_POLICY,
): RetryPolicy {
  if (parts !== undefined) checkOptions(parts, POLICY_OPTIONS, "a retry policy");
  const policy = {
    initialDelayMs: parts?.initialDelayMs ?? base.initialDelayMs,
    multiplier: parts?.multiplier ?? base.multiplier,
    maxDelayMs: parts?.maxDelayMs ?? base.maxDelayMs,
  };
  checkRange(policy.initialDelayMs, "initialDelayMs", 0, RETRY_LIMITS.delayMaxMs);
  checkRange(policy.multiplier, "multiplier", 1, RETRY_LIMITS.multiplierMax);
  checkRange(policy.maxDelayMs, "maxDelayMs", 0, RETRY_LIMITS.delayMaxMs);
  return policy;
}

function checkRange(value: unknown, what: string, min: number, max: number): void {
  if (typeof value === "number" && value >= min && value <= max) return;
  throw new RangeError(
    `Cannot use ${shownValue(value)} as ${what}: a number from ${min} to ${max} is needed`,
  );
}
