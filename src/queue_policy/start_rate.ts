/**
 * Rates: how often tasks of a scope may start (GCRA, with an interval that is derived from the limit).
 *
 *     I = period / (limit − burst + 1), rounded up to a whole µs
 *     a start is allowed at t while TAT ≤ t + (burst − 1) · I;  it makes TAT = max(TAT, t) + I
 *
 * At most `burst` starts come at once, and then one for each I: in a window [t, t + period) those are burst + (limit − burst), so
 * never more than `limit`, whatever the burst. A bucket is one number, its TAT in µs since 1970; one whose TAT is past is as if there
 * were none. A TAT further ahead than `burst` starts can bring it is of a clock that was put back, or of another rate: it is taken as
 * now + burst · I, which is the fullest that a bucket can be.
 */
import { checkInteger } from "../domain/check.ts";
import { FLOW_LIMITS, type RateLimit } from "../queue/limits.ts";

const { rateMax, periodMinMs, periodMaxMs } = FLOW_LIMITS;

/** A rate with its burst. */
export type Rate = Required<RateLimit>;

/** For how long all starts of a burst may fill a bucket: further ahead, instants in µs would not be exact. */
const FULL_MAX_MS = 100 * 365 * 86_400_000;

/**
 * Checks a rate, and adds the burst where none is given: what 100 ms of the rate would be, so that late timers lose nothing, and at
 * most a tenth of the limit. @throws TypeError, RangeError
 */
export function prepareRate(given: RateLimit): Rate {
  const limit = checkInteger(given.limit, "rate.limit", 1, rateMax);
  const periodMs = checkInteger(given.periodMs, "rate.periodMs", periodMinMs, periodMaxMs);
  const usual = Math.floor(Math.min(limit * 100 / periodMs, limit / 10));
  const burst = checkInteger(given.burst ?? Math.max(1, usual), "rate.burst", 1, limit);
  const rate = { limit, periodMs, burst };
  if (fullUs(rate) <= FULL_MAX_MS * 1000) return rate;
  throw new RangeError(
    `Cannot use ${burst} as rate.burst of ${limit} in ${periodMs} ms: after it one task would start every ${
      Math.ceil(intervalUs(rate) / 1000)
    } ms, so give a smaller one`,
  );
}

/** The interval I between starts that come evenly, in µs. */
export function intervalUs({ limit, periodMs, burst }: Rate): number {
  return Math.ceil(periodMs * 1000 / (limit - burst + 1));
}

/** How far ahead of now a TAT may be, in µs. */
function fullUs(rate: Rate): number {
  return rate.burst * intervalUs(rate);
}

/** A TAT as it counts now; `undefined` is no bucket. */
export function clampedTat(rate: Rate, tatUs: number | undefined, nowMs: number): number {
  const nowUs = nowMs * 1000;
  return Math.min(Math.max(tatUs ?? nowUs, nowUs), nowUs + fullUs(rate));
}

/** How many tasks may start now. */
export function startsNow(rate: Rate, tatUs: number | undefined, nowMs: number): number {
  const leftUs = nowMs * 1000 + fullUs(rate) - clampedTat(rate, tatUs, nowMs);
  return Math.floor(leftUs / intervalUs(rate));
}

/** The TAT after `count` starts now. */
export function tatAfter(
  rate: Rate,
  tatUs: number | undefined,
  { count, nowMs }: { readonly count: number; readonly nowMs: number },
): number {
  return clampedTat(rate, tatUs, nowMs) + count * intervalUs(rate);
}

/** When the next start is allowed, or the one behind `ahead` others; now at the earliest. */
export function nextStartMs(
  rate: Rate,
  tatUs: number | undefined,
  { nowMs, ahead = 0 }: { readonly nowMs: number; readonly ahead?: number },
): number {
  const opensUs = clampedTat(rate, tatUs, nowMs) + (ahead - rate.burst + 1) * intervalUs(rate);
  return Math.max(nowMs, Math.ceil(opensUs / 1000));
}
