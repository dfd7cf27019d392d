/**
 * Power cuts under `relaxed` durability: seeds of their own, so that a fault in it is found soon.
 */
import { assert, assertEquals } from "@std/assert";
import { Acknowledgements, type Sign } from "./acknowledgements.ts";
import { type Script, scriptOf, type Setup } from "./script.ts";
import { simulate } from "./simulation.ts";
import { addCounts, type Counts } from "./event_log.ts";
import { effort } from "../support/effort.ts";

/** Of the seeds 1 to 400, those with relaxed durability. */
const SCRIPTS: readonly Script[] = Array.from({ length: 400 }, (_, i) => scriptOf(i + 1))
  .filter(({ setup }) => setup.durability === "relaxed" && !setup.isBulky);

Deno.test("relaxed durability: a power cut undoes the latest writes and no others", async () => {
  const counts: Counts = {};
  for (const script of SCRIPTS.filter(({ seed }) => seed <= effort("relaxedSeeds"))) {
    const outcome = await simulate(script);
    assertEquals(outcome.violations, [], `deno task sim --seed=${script.seed} --verbose`);
    addCounts(counts, outcome.counts);
  }
  for (const what of MUST_HAPPEN) assert((counts[what] ?? 0) > 0, `never tried: ${what}`);
});

Deno.test("relaxed durability: a disk that only pretends to sync is found out", async () => {
  await findsOut({ pretendsToSync: true }, "it was promised");
});

Deno.test("what a power cut left: a write that was promised is missed", () => {
  const history = historyOf([1, 2, false], [3, 4, false]);
  history.promise(3);
  assertEquals(whatOf(history), [
    "acknowledged, it is missing after a power cut, and it was promised",
  ]);
});

Deno.test("what a power cut left: a later write without an earlier one is a hole", () => {
  assertEquals(whatOf(historyOf([1, 2, false], [3, 4, true])), [
    "acknowledged, it is missing after a power cut, and a later write is there",
  ]);
});

Deno.test("what a power cut left: of two writes at the same time either may be there alone", () => {
  assertEquals(whatOf(historyOf([1, 4, false], [3, 5, true])), []);
});

Deno.test("what a power cut left: half of a write is not one", () => {
  assertEquals(whatOf(historyOf([1, 2, true, false])), ["half of it survived a power cut"]);
});

Deno.test("what a power cut left is promised from then on", () => {
  const history = historyOf([1, 2, true], [3, 4, false]);
  const { kept, lost } = history.judge(new Map());
  assertEquals([kept.length, lost.length], [1, 1]);
  assert(kept[0]!.isPromised);
  assertEquals(history.judge(new Map()).lost, []);
});

const MUST_HAPPEN = [
  "power cuts under relaxed durability",
  "power cuts at a flush",
  "acknowledgements kept in a power cut",
  "acknowledgements undone by a power cut",
  "unsynced writes reordered",
  "unsynced write torn",
];

/** Writes from one moment to another, and whether each part of one is there. */
function historyOf(
  ...writes: readonly (readonly [number, number, ...boolean[]])[]
): Acknowledgements {
  const history = new Acknowledgements();
  for (const [from, to, ...parts] of writes) {
    history.add({
      call: { process: 1, name: "enqueue", span: { from, to } },
      atMs: 0,
      tell: () => {},
      signs: parts.map((isThere): Sign => () => isThere),
      isPromised: false,
    });
  }
  return history;
}

function whatOf(history: Acknowledgements): string[] {
  return history.judge(new Map()).problems.map(({ what }) => what);
}

async function findsOut(broken: Partial<Setup>, expected: string): Promise<void> {
  for (const script of SCRIPTS) {
    const { violations } = await simulate({ ...script, setup: { ...script.setup, ...broken } });
    if (violations.some((violation) => violation.includes(expected))) return;
  }
  throw new Error("no seed has noticed");
}
