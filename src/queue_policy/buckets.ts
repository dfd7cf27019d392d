/**
 * Buckets of rates, as both engines count starts in them: what a start charges, when the next is allowed, and which buckets an older
 * rate, or a clock that was ahead, has left too far ahead.
 */
import { type Flow, type FlowKey, keyOf, type RatedScope, type TatOf } from "./flow.ts";
import type { ScopeKey } from "./limit_request.ts";
import { clampedTat, nextStartMs } from "./start_rate.ts";

/** What a rate has counted of a scope's starts. */
export interface Bucket {
  readonly scope: ScopeKey;
  readonly tatUs: number;
}

/** A scope with a rate, and how many tasks of it start. */
export interface StartCount {
  readonly scope: RatedScope;
  readonly count: number;
}

/** How many of these starts each scope with a rate counts. */
export function countStarts(flow: Flow, started: readonly FlowKey[]): StartCount[] {
  if (!flow.hasRates) return [];
  const counts = new Map<string, StartCount>();
  for (const scope of started.flatMap((key) => flow.ratesOf(key))) {
    const count = (counts.get(keyOf(scope))?.count ?? 0) + 1;
    counts.set(keyOf(scope), { scope, count });
  }
  return [...counts.values()];
}

/** When each rate of these that allows no start now allows the next. */
export function nextStartsMs(
  scopes: readonly RatedScope[],
  { tatOf, nowMs }: { readonly tatOf: TatOf; readonly nowMs: number },
): number[] {
  return scopes.map((scope) => nextStartMs(scope.rate, tatOf(scope), { nowMs }))
    .filter((atMs) => atMs > nowMs);
}

/** A bucket that is further ahead than its rate can bring it, and where it is to be. */
export interface FarBucket extends Bucket {
  readonly toUs: number;
}

/** Those of these buckets. */
export function farBuckets(buckets: readonly Bucket[], flow: Flow, nowMs: number): FarBucket[] {
  return buckets.flatMap(({ scope, tatUs }) => {
    const rate = flow.bucketRateOf(scope);
    if (rate === undefined) return [];
    const toUs = clampedTat(rate, tatUs, nowMs);
    return toUs < tatUs ? [{ scope, tatUs, toUs }] : [];
  });
}

/** When one process has to look for such buckets: where the limits have changed, or time has gone back, since its last look. */
export class RateWatch {
  #flow: Flow | undefined;
  #lookedAtMs = Infinity;

  /** Whether there may be such buckets. */
  isToLook(flow: Flow, nowMs: number): boolean {
    const isKnown = flow === this.#flow && nowMs >= this.#lookedAtMs;
    [this.#flow, this.#lookedAtMs] = [flow, nowMs];
    return flow.hasRates && !isKnown;
  }
}
