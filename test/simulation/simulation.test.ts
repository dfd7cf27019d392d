import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { REGRESSIONS } from "./regressions.ts";
import { Report } from "./report.ts";
import { type Script, scriptOf, type Setup } from "./script.ts";
import { runSeeds, seedsFrom } from "./seed_pool.ts";
import { formatSteps, keepSteps, parseSteps, shrink } from "./shrink.ts";
import { simulate } from "./simulation.ts";

/** How many seeds every test run tries; `deno task sim` tries others. */
const SEEDS = 1000;

Deno.test("a seed gives the same history twice, and another seed another", async () => {
  for (const seed of [11, 12, 13]) {
    const first = await simulate(scriptOf(seed));
    const second = await simulate(scriptOf(seed));
    assertEquals([second.hash, second.counts], [first.hash, first.counts]);
    assertNotEquals((await simulate(scriptOf(seed + 100))).hash, first.hash);
  }
});

Deno.test("what seeds found once stays repaired", async () => {
  for (const { seed, found } of REGRESSIONS) {
    const { violations } = await simulate(scriptOf(seed));
    assertEquals(violations, [], `seed ${seed}: ${found}`);
  }
});

Deno.test(`nothing promised is broken in ${SEEDS} seeds`, async () => {
  const report = new Report();
  await runSeeds(seedsFrom(1, SEEDS), { threads: 2, onOutcome: (outcome) => report.add(outcome) });
  const replays = report.failures.map(({ seed, violations }) =>
    `${violations[0]}\n  deno task sim --seed=${seed} --verbose`
  );
  assertEquals(replays, []);
  assertEquals(report.seeds, SEEDS);
  for (const what of MUST_HAPPEN) assert((report.counts[what] ?? 0) > 0, `never tried: ${what}`);
});

Deno.test("a disk that only pretends to sync is found out", async () => {
  await findsOut({ pretendsToSync: true }, "is missing");
});

Deno.test("a lock that everybody gets at once is found out", async () => {
  await findsOut({ locksAreIgnored: true }, "");
});

Deno.test("a failing script shrinks to fewer steps that fail in the same way", async () => {
  const script = await findsOut({ pretendsToSync: true }, "is missing");
  const endsAt = performance.now() + 3000;
  const kept = await shrink(script, () => performance.now() > endsAt);
  assert(kept.length < script.steps.length, `${kept.length} of ${script.steps.length} are left`);
  assertEquals(parseSteps(formatSteps(kept)), kept);
  const { violations } = await simulate(keepSteps(script, kept));
  assert(violations.length > 0, "the shrunk script fails no more");
});

/** What a block of seeds must have tried to be worth its name. */
const MUST_HAPPEN = [
  "killed with the lock",
  "killed without the lock",
  "killed in append to",
  "killed in sync",
  "killed in rename",
  "killed in remove",
  "killed in syncFolder",
  "power cuts",
  "power cuts at an acknowledgement",
  "power cuts in a storage call",
  "failed append to",
  "failed sync",
  "failed rename",
  "short reads",
  "step: jump",
  "step: stall",
  "execution lost",
  "rescues told",
  "refused: lease_lost",
  "refused: idempotency_conflict",
  "step: relate",
  "children started",
  "children ended by a parent",
  "children brought back by a parent",
  "prefixes compared",
  "drained",
];

/** The first of a hundred seeds that fails on a broken disk. */
async function findsOut(broken: Partial<Setup>, expected: string): Promise<Script> {
  for (let seed = 1; seed <= 100; seed++) {
    const whole = scriptOf(seed);
    const script = { ...whole, setup: { ...whole.setup, ...broken } };
    const { violations } = await simulate(script);
    if (violations.some((violation) => violation.includes(expected))) return script;
  }
  throw new Error("a hundred seeds have not noticed");
}
