import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Report } from "./report.ts";
import { type Script, scriptOf, type Setup } from "./script.ts";
import { runSeeds, seedsFrom } from "./seed_pool.ts";
import { formatSteps, keepSteps, parseSteps, shrink } from "./shrink.ts";
import { simulate } from "./simulation.ts";
import { collectGarbage } from "../support/live_heap.ts";
import { effort, isThorough } from "../support/effort.ts";

/** How many seeds every test run tries, as far as there is time; `deno task sim` tries others. */
const SEEDS = effort("simulationSeeds");

/** After this no further seed is begun, but for the first ones: fewer prove too little. */
const ENOUGH_MS = 170_000;
const SEEDS_MIN = 100;

/** So many seeds try everything. */
const SEEDS_ALL = 2000;

Deno.test("a seed gives the same history twice, and another seed another", async () => {
  for (const seed of [11, 12, 13]) {
    const first = await simulate(scriptOf(seed));
    const second = await simulate(scriptOf(seed));
    assertEquals([second.hash, second.counts], [first.hash, first.counts]);
    assertNotEquals((await simulate(scriptOf(seed + 100))).hash, first.hash);
  }
});

Deno.test(`nothing promised is broken in ${SEEDS} seeds, or as many as there is time for`, async () => {
  const report = new Report();
  const endsAt = performance.now() + ENOUGH_MS;
  const nextSeed = seedsFrom(1, SEEDS);
  let begun = 0;
  const isTimeLeft = (): boolean => begun++ < SEEDS_MIN || performance.now() < endsAt;
  await runSeeds(() => isTimeLeft() ? nextSeed() : undefined, {
    threads: 2,
    onOutcome: (outcome) => report.add(outcome),
  });
  console.log(`simulation: ${report.summary()}`);
  const replays = report.failures.map(({ seed, violations }) =>
    `${violations[0]}\n  deno task sim --seed=${seed} --verbose`
  );
  assertEquals(replays, []);
  const tried = report.seeds < SEEDS_ALL ? ALWAYS_HAPPENS : [...ALWAYS_HAPPENS, ...MUST_HAPPEN];
  for (const what of tried) assert((report.counts[what] ?? 0) > 0, `never tried: ${what}`);
});

Deno.test("simulations leave nothing in memory", { ignore: !isThorough() }, async () => {
  const run = async (times: number): Promise<number> => {
    for (let time = 0; time < times; time++) {
      for (let seed = 11; seed <= 18; seed++) await simulate(scriptOf(seed));
    }
    collectGarbage();
    return Deno.memoryUsage().heapUsed / 2 ** 20;
  };
  const before = await run(1);
  const grown = await run(4) - before;
  assert(grown < 2, `32 simulations left ${grown.toFixed(1)} MiB`);
});

Deno.test("a disk that only pretends to sync is found out", async () => {
  await findsOut({ pretendsToSync: true }, "is missing");
});

Deno.test("a lock that everybody gets at once is found out", async () => {
  await findsOut({ locksAreIgnored: true }, "");
});

Deno.test("a failing script shrinks to fewer steps that fail in the same way", async () => {
  const script = await findsOut({ pretendsToSync: true }, "is missing");
  let tries = 0;
  const kept = await shrink(script, () => ++tries > effort("shrinkTries"));
  assert(kept.length < script.steps.length, `${kept.length} of ${script.steps.length} are left`);
  assertEquals(parseSteps(formatSteps(kept)), kept);
  const { violations } = await simulate(keepSteps(script, kept));
  assert(violations.length > 0, "the shrunk script fails no more");
});

/** What any hundred seeds try. */
const ALWAYS_HAPPENS = [
  "records with tags",
  "killed with the lock",
  "killed without the lock",
  "killed in a checkpoint",
  "killed while opening",
  "power cuts",
  "power cuts while a process opens",
  "power cuts under relaxed durability",
  "unsynced write forgotten",
  "unsynced write torn",
  "injected EIO",
  "injected EIO from now on",
  "short reads",
  "step: stall",
  "clocks put back",
  "clocks put on",
  "execution lost",
  "rescues told",
  "cancel beat a holder",
  "cancel lost to a holder",
  "expiries checked",
  "authors checked",
  "refused: lease_lost",
  "refused: idempotency_conflict",
  "refused: queue_full",
  "in a full queue: claim",
  "in a full queue: complete",
  "step: relate",
  "children started",
  "children ended by a parent",
  "children brought back by a parent",
  "starts beside another group",
  "starts that fill a group's limit",
  "closed groups",
  "holds up others of the ordering key",
  "held up to the end",
  "rates set",
  "rates changed",
  "rates removed",
  "starts that fill a rate",
  "starts that fill a group's rate",
  "starts beside a group that its rate holds back",
  "prefixes compared",
  "ends compared with a snapshot and records",
  "drained",
];

/** What the whole block of seeds must have tried to be worth its name. */
const MUST_HAPPEN = [
  "killed in create",
  "killed in append to",
  "killed in truncate",
  "killed in sync",
  "killed in write",
  "killed in rename",
  "killed in remove",
  "killed in syncFolder",
  "power cuts at an acknowledgement",
  "power cuts at a flush",
  "power cuts at a checkpoint",
  "power cuts at a close",
  "power cuts at a refusal",
  "acknowledgements undone by a power cut",
  "power cuts at a truncation",
  "power cuts at a second write",
  "power cuts in a storage call",
  "unsynced writes reordered",
  "unsynced truncate forgotten",
  "unsynced create forgotten",
  "unsynced rename forgotten",
  "unsynced remove forgotten",
  "failed create",
  "failed append to",
  "failed truncate",
  "failed sync",
  "failed write",
  "failed rename",
  "failed remove",
  "failed syncFolder",
  "injected ENOSPC",
  "injected ENOSPC from now on",
  "torn tails cut",
  "failed appends cut",
  "snapshots asked for",
  "snapshots on closing",
  "snapshots of a long journal",
  "files folded",
  "overtaken by a checkpoint",
  "stalled beyond a running handler's lease",
  "tasks pruned",
  "in a full queue: cancel",
  "in a full queue: enqueue",
  "ends compared with no snapshot, only records",
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
