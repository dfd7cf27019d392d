/**
 * Pearson's chi-squared test, and the exact probabilities of drawing without replacement.
 */
import { assert } from "@std/assert";

/** A normal variable exceeds this with probability 0.001. The seeds are fixed, so a test that passes once always does. */
const Z_AT_ONE_IN_A_THOUSAND = 3.0902;

/** Outcomes rarer than this are counted together, as Pearson's approximation needs. */
const EXPECTED_MIN = 5;

/**
 * Fails when outcomes as often as in `counts` would come by chance less than once in a thousand times, if each had the
 * probability that `expected` gives it.
 */
export function assertDistributed(
  counts: ReadonlyMap<string, number>,
  expected: ReadonlyMap<string, number>,
): void {
  const draws = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const cells = cellsOf(counts, expected, draws);
  assert(cells.length > 1, "there is nothing to compare");
  const statistic = cells.reduce((sum, { seen, wanted }) => sum + (seen - wanted) ** 2 / wanted, 0);
  const limit = criticalValue(cells.length - 1);
  assert(
    statistic < limit,
    `chi-squared ${statistic.toFixed(1)}, at most ${limit.toFixed(1)} is expected: ${
      cells.map(({ name, seen, wanted }) => `${name} ${seen}, not ${wanted.toFixed(0)}`).join("; ")
    }`,
  );
}

/**
 * The probability of each sequence of `length` draws without replacement, in proportion to 1/(priority + 1). A key is the
 * indexes drawn, such as `2 0`. `arrivals.get(n)` are priorities that join, at the end, before the n-th draw (from 0).
 */
export function sequentialDraws(
  priorities: readonly number[],
  length: number,
  arrivals: ReadonlyMap<number, readonly number[]> = new Map(),
): Map<string, number> {
  const found = new Map<string, number>();
  const all = [...priorities];
  const extend = (drawn: readonly number[], probability: number, present: number): void => {
    if (drawn.length === length) return void found.set(drawn.join(" "), probability);
    const joined = present + (arrivals.get(drawn.length)?.length ?? 0);
    const rest = all.slice(0, joined).map((_, i) => i).filter((i) => !drawn.includes(i));
    const total = rest.reduce((sum, i) => sum + weightOf(all[i]!), 0);
    for (const i of rest) {
      extend([...drawn, i], probability * weightOf(all[i]!) / total, joined);
    }
  };
  for (const joining of arrivals.values()) all.push(...joining);
  extend([], 1, priorities.length);
  return found;
}

/** Counts one more of `key`. */
export function countOne(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function weightOf(priority: number): number {
  return 1 / (priority + 1);
}

interface Cell {
  readonly name: string;
  readonly seen: number;
  readonly wanted: number;
}

function cellsOf(
  counts: ReadonlyMap<string, number>,
  expected: ReadonlyMap<string, number>,
  draws: number,
): Cell[] {
  for (const name of counts.keys()) assert(expected.has(name), `${name} is impossible`);
  const cells = [...expected].map(([name, probability]) => ({
    name,
    seen: counts.get(name) ?? 0,
    wanted: probability * draws,
  }));
  const rare = cells.filter(({ wanted }) => wanted < EXPECTED_MIN);
  const others: Cell = {
    name: "others",
    seen: rare.reduce((sum, { seen }) => sum + seen, 0),
    wanted: rare.reduce((sum, { wanted }) => sum + wanted, 0),
  };
  const frequent = cells.filter(({ wanted }) => wanted >= EXPECTED_MIN);
  return others.wanted > 1 ? [...frequent, others] : frequent;
}

/** Wilson and Hilferty's approximation of the chi-squared distribution's quantile (1931). */
function criticalValue(degrees: number): number {
  const part = 2 / (9 * degrees);
  return degrees * (1 - part + Z_AT_ONE_IN_A_THOUSAND * Math.sqrt(part)) ** 3;
}
