import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  backoffDelayMs,
  DEFAULT_RETRY_POLICY,
  resolveRetryPolicy,
  type RetryPolicy,
} from "../../src/domain/backoff.ts";
import { numRuns } from "../support/effort.ts";

const PARAMETERS = { seed: 20_260_131, numRuns: numRuns(2000) };
const WEEK_MS = 7 * 24 * 3_600_000;

const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  initialDelayMs: fc.oneof(fc.nat({ max: 5000 }), fc.nat({ max: WEEK_MS })),
  multiplier: fc.oneof(
    fc.constantFrom(1, 2, 100),
    fc.double({ min: 1, max: 100, noNaN: true }),
  ),
  maxDelayMs: fc.oneof(fc.nat({ max: 5000 }), fc.nat({ max: WEEK_MS })),
});
const failures = fc.integer({ min: 1, max: 100 });
const chances = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

Deno.test("backoffDelayMs() gives whole milliseconds within 10 % of the exact delay, and never more than the maximum", () => {
  fc.assert(
    fc.property(policies, failures, chances, (policy, count, chance) => {
      const delayMs = backoffDelayMs(policy, count, () => chance);
      const exactMs = policy.initialDelayMs * policy.multiplier ** (count - 1);
      assert(Number.isInteger(delayMs) && delayMs >= 0, `${delayMs}`);
      assert(delayMs <= policy.maxDelayMs, `${delayMs} is above the maximum`);
      assert(delayMs >= Math.floor(Math.min(policy.maxDelayMs, exactMs * 0.9)), `${delayMs}`);
      assert(delayMs <= Math.ceil(Math.min(policy.maxDelayMs, exactMs * 1.1)), `${delayMs}`);
    }),
    PARAMETERS,
  );
});

Deno.test("backoffDelayMs() caps after the jitter: where the exact delay is far above, every delay is the maximum", () => {
  fc.assert(
    fc.property(policies, failures, chances, (policy, count, chance) => {
      const exactMs = policy.initialDelayMs * policy.multiplier ** (count - 1);
      fc.pre(exactMs * 0.9 > policy.maxDelayMs);
      assertEquals(backoffDelayMs(policy, count, () => chance), policy.maxDelayMs);
    }),
    PARAMETERS,
  );
});

Deno.test("backoffDelayMs() spreads to both sides of the exact delay", () => {
  const policy = { initialDelayMs: 10_000, multiplier: 2, maxDelayMs: WEEK_MS };
  const at = (chance: number): number => backoffDelayMs(policy, 3, () => chance);
  assertEquals([at(0), at(0.25), at(0.5), at(0.75)], [36_000, 38_000, 40_000, 42_000]);
  assertEquals(at(1 - 2 ** -53), 44_000);
});

Deno.test("backoffDelayMs() never falls from one failure to the next, at equal chance", () => {
  fc.assert(
    fc.property(policies, failures, chances, (policy, count, chance) => {
      const [now, next] = [count, count + 1].map((n) => backoffDelayMs(policy, n, () => chance));
      assert(next! >= now!, `${now} then ${next}`);
    }),
    PARAMETERS,
  );
});

Deno.test("resolveRetryPolicy() takes what is given and the rest from its base", () => {
  const parts = fc.record({
    initialDelayMs: fc.option(fc.nat({ max: WEEK_MS }), { nil: undefined }),
    multiplier: fc.option(fc.double({ min: 1, max: 100, noNaN: true }), { nil: undefined }),
    maxDelayMs: fc.option(fc.nat({ max: WEEK_MS }), { nil: undefined }),
  }, { requiredKeys: [] });
  fc.assert(
    fc.property(parts, policies, (given, base) => {
      const resolved = resolveRetryPolicy(given, base);
      for (const name of ["initialDelayMs", "multiplier", "maxDelayMs"] as const) {
        assertEquals(resolved[name], given[name] === undefined ? base[name] : given[name]);
      }
      assertEquals(resolveRetryPolicy(resolved, DEFAULT_RETRY_POLICY), resolved);
    }),
    PARAMETERS,
  );
  assertEquals(resolveRetryPolicy(undefined), DEFAULT_RETRY_POLICY);
});

Deno.test("resolveRetryPolicy() refuses a part out of its range and names it", () => {
  const outside = (min: number, max: number): fc.Arbitrary<number> =>
    fc.oneof(
      fc.double({ max: min, maxExcluded: true }).filter((value) => value !== min), // −0 is 0
      fc.double({ min: max, minExcluded: true }),
      fc.constant(NaN),
    );
  const wrong = fc.oneof(
    outside(0, WEEK_MS).map((value) => ["initialDelayMs", value] as const),
    outside(1, 100).map((value) => ["multiplier", value] as const),
    outside(0, WEEK_MS).map((value) => ["maxDelayMs", value] as const),
    fc.constantFrom("1", true, {}, []).map((value) => ["multiplier", value] as const),
  );
  fc.assert(
    fc.property(wrong, policies, ([name, value], base) => {
      assertThrows(() => resolveRetryPolicy({ [name]: value }, base), RangeError, name);
    }),
    PARAMETERS,
  );
});
