import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  intervalUs,
  nextStartMs,
  prepareRate,
  type Rate,
  startsNow,
  tatAfter,
} from "../../src/queue_policy/start_rate.ts";
import { numRuns } from "../support/effort.ts";

const PARAMETERS = { seed: 20_261_129, numRuns: numRuns(3000) };

const NOW_MS = Date.UTC(2026, 0, 1);

const rates: fc.Arbitrary<Rate> = fc.record({
  limit: fc.integer({ min: 1, max: 12 }),
  periodMs: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 51, max: 100_000 })),
  burst: fc.integer({ min: 1, max: 12 }),
}).map((rate) => prepareRate({ ...rate, burst: Math.min(rate.burst, rate.limit) }));

interface Step {
  readonly intervals: number;
  readonly isOnTime: boolean;
  readonly wanted: number;
}

/** What is asked for, one after the other: after a part of the interval, some starts, or as many as the rate allows. */
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    intervals: fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 1.1, noNaN: true }),
      fc.double({ min: 0, max: 20, noNaN: true }),
    ),
    isOnTime: fc.boolean(),
    wanted: fc.integer({ min: 1, max: 15 }),
  }),
  { minLength: 1, maxLength: 40 },
);

/** The instants of the starts, where so many are asked for at such times. */
function startsOf(rate: Rate, asked: readonly Step[]): number[] {
  const starts: number[] = [];
  let [nowMs, tatUs]: [number, number | undefined] = [NOW_MS, undefined];
  for (const { intervals, isOnTime, wanted } of asked) {
    nowMs = isOnTime
      ? nextStartMs(rate, tatUs, { nowMs })
      : nowMs + Math.floor(intervals * intervalUs(rate) / 1000);
    const count = Math.min(wanted, startsNow(rate, tatUs, nowMs));
    if (isOnTime) assert(count > 0, "the next start is allowed when it is said to be");
    if (count === 0) continue;
    tatUs = tatAfter(rate, tatUs, { count, nowMs });
    for (let i = 0; i < count; i++) starts.push(nowMs);
  }
  return starts;
}

Deno.test("property: no window of the period has more starts than the limit, whatever the burst", () => {
  let reached = 0;
  fc.assert(
    fc.property(rates, steps, (rate, asked) => {
      const starts = startsOf(rate, asked);
      for (const [i, start] of starts.entries()) {
        const inWindow = starts.slice(i).findIndex((at) => at >= start + rate.periodMs);
        const count = inWindow === -1 ? starts.length - i : inWindow;
        assert(count <= rate.limit, `${count} starts from ${start - NOW_MS} ms on`);
        if (count === rate.limit) reached++;
      }
    }),
    PARAMETERS,
  );
  assert(reached > 100, `only ${reached} windows were full: that proves nothing`);
});

Deno.test("property: nothing starts before its instant, and the one behind others not before theirs", () => {
  fc.assert(
    fc.property(rates, fc.nat({ max: 30 }), fc.nat({ max: 12 }), (rate, ahead, count) => {
      const tatUs = tatAfter(rate, undefined, {
        count: Math.min(count, rate.burst),
        nowMs: NOW_MS,
      });
      const nextMs = nextStartMs(rate, tatUs, { nowMs: NOW_MS });
      assert(startsNow(rate, tatUs, nextMs) > 0);
      if (nextMs > NOW_MS) assertEquals(startsNow(rate, tatUs, nextMs - 1), 0);
      const behindMs = nextStartMs(rate, tatUs, { nowMs: NOW_MS, ahead });
      assert(behindMs >= nextMs);
      if (behindMs > NOW_MS) assert(startsNow(rate, tatUs, behindMs - 1) <= ahead);
    }),
    PARAMETERS,
  );
});

Deno.test("property: a clock that is put back, or another rate, delays by no more than a burst", () => {
  fc.assert(
    fc.property(rates, rates, fc.nat({ max: 10_000_000 }), (before, rate, backMs) => {
      const tatUs = tatAfter(before, undefined, { count: before.burst, nowMs: NOW_MS });
      const nowMs = NOW_MS - backMs;
      const waitMs = nextStartMs(rate, tatUs, { nowMs }) - nowMs;
      assert(waitMs <= Math.ceil(rate.burst * intervalUs(rate) / 1000), `${waitMs} ms`);
    }),
    PARAMETERS,
  );
});
