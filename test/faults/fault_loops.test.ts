/**
 * Fault loops on files: in every scenario the n-th call of each kind fails, once and from then on, for n = 1, 2, 3 …
 * until the scenario meets no fault (in the quick size for one n, and half of the kinds). Whatever fails, every call answers or refuses by name,
 * nothing stays open, and a healthy process finds all that was acknowledged.
 */
import { assert, assertEquals } from "@std/assert";
import { DenoStorage } from "../../src/platform/deno_storage.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { effort, isThorough } from "../support/effort.ts";
import { EVERY_POINT, type FaultPoint, FaultyStorage } from "../support/faulty_storage.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { copyQueue } from "./files.ts";
import { openStill, type Scenario, SCENARIOS } from "./scenarios.ts";
import { inTime, Told } from "./told.ts";

/** What goes wrong at a call. */
interface Kind {
  readonly point: FaultPoint;
  /** For a write that gets partly through, and a read that gives less than there is. */
  readonly part?: number;
  readonly isLasting: boolean;
}

/** No scenario makes more calls of one kind; a loop that never ends would. */
const CALLS_MAX = 500;

const KINDS: readonly Kind[] = [
  ...EVERY_POINT.map((point) => ({ point })),
  { point: "write" as const, part: 1 },
  { point: "write" as const, part: 45 },
].flatMap((kind) => [false, true].map((isLasting) => ({ ...kind, isLasting })));

/** The rest of a short read is there when it is asked for, so it is not a failure. */
const SHORT_READS: readonly Kind[] = [1, 40].flatMap((part) =>
  [false, true].map((isLasting) => ({ point: "read" as const, part, isLasting }))
);

for (const [index, scenario] of SCENARIOS.entries()) {
  Deno.test({
    name: `${scenario.name}: survives a fault at any call, once and from then on`,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: () =>
      withTemporaryPath(async (path) => {
        const kinds = kindsFor(index, KINDS);
        const faults = await loop(scenario, path, kinds);
        console.log(`fault loop: ${scenario.name}: ${faults} faults survived`);
        assert(faults > kinds.length / 4, `only ${faults} faults were tried`);
      }),
  });
}

Deno.test({
  name: "a short read fails nothing, in any scenario",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async () => {
    let faults = 0;
    for (const [index, scenario] of SCENARIOS.entries()) {
      await withTemporaryPath(async (path) => {
        faults += await loop(scenario, path, kindsFor(index, SHORT_READS));
      });
    }
    console.log(`fault loop: ${faults} short reads survived`);
    const least = 2 * SCENARIOS.length / effort("faultKindStride");
    assert(faults > least, `only ${faults} short reads were tried`);
  },
});

/** The kinds that the scenario with this number is tried with. */
function kindsFor(scenario: number, kinds: readonly Kind[]): readonly Kind[] {
  const stride = effort("faultKindStride");
  return kinds.filter((_, n) => (n + Math.floor(n / 2) + scenario) % stride === 0);
}

/** How many faults the scenario survived. */
async function loop(
  scenario: Scenario,
  path: string,
  kinds: readonly Kind[],
): Promise<number> {
  const before = await scenario.prepare(path);
  const faultsOf = isThorough() ? everyCall : oneCall;
  const faults = await Promise.all(kinds.map((kind, index) => {
    const tryCall = (n: number): Promise<boolean> => survives(scenario, before, { path, kind, n });
    return faultsOf(tryCall, index);
  }));
  return faults.reduce((sum, count) => sum + count, 0);
}

/** Lets one call after the other fail, until the scenario makes no more. */
async function everyCall(tryCall: (n: number) => Promise<boolean>): Promise<number> {
  for (let n = 1; n <= CALLS_MAX; n++) if (!await tryCall(n)) return n - 1;
  throw new Error(`more than ${CALLS_MAX} calls`);
}

/** Lets one of the first calls fail, for each kind another one; the first where there are not so many. */
async function oneCall(tryCall: (n: number) => Promise<boolean>, index: number): Promise<number> {
  const n = 1 + index % 4;
  if (await tryCall(n)) return 1;
  return n > 1 && await tryCall(1) ? 1 : 0;
}

/** Whether the scenario met its n-th fault. Fails when it did not survive it. */
async function survives(
  scenario: Scenario,
  before: Told,
  fault: { readonly path: string; readonly kind: Kind; readonly n: number },
): Promise<boolean> {
  const { point, part, isLasting } = fault.kind;
  const what = `call ${fault.n} of ${point}${part === undefined ? "" : `, ${part} bytes`}, ${
    isLasting ? "and all later ones" : "once"
  }`;
  try {
    let isMet = false;
    await withTemporaryPath(async (path) => {
      await copyQueue(fault.path, path);
      const told = new Told(before);
      isMet = await withFaults(scenario, told, { ...fault, path });
      if (isShortRead(fault.kind)) assertEquals(told.refusals, [], "a short read is not a failure");
      await isWhole(path, told);
    });
    return isMet;
  } catch (error) {
    throw new Error(`${scenario.name}: did not survive ${what}`, { cause: error });
  }
}

function isShortRead({ point, part }: Kind): boolean {
  return point === "read" && part !== undefined;
}

async function withFaults(
  scenario: Scenario,
  told: Told,
  { path, kind, n }: { readonly path: string; readonly kind: Kind; readonly n: number },
): Promise<boolean> {
  const storage = new FaultyStorage(new DenoStorage(path), EVERY_POINT);
  let calls = 0;
  const arm = (): void => {
    storage.fault = (point) => {
      if (point !== kind.point) return undefined;
      calls++;
      const isFault = kind.isLasting ? calls >= n : calls === n;
      return isFault ? { message: "input/output error", part: kind.part } : undefined;
    };
  };
  const open = (): Promise<EmbeddedQueue | undefined> => told.answerOf(() => openStill(storage));
  await inTime(scenario.run({ told, path, open, arm }));
  assertEquals(storage.openFiles, 0, "files are left open");
  assertEquals(storage.heldLocks, 0, "locks are left held");
  return calls >= n;
}

/** A healthy process finds what callers were told, and can write. */
async function isWhole(path: string, told: Told): Promise<void> {
  const queue = await inTime(openStill(new DenoStorage(path)));
  told.check(await queue.list(), "a healthy process");
  await told.enqueue("afterwards", () => queue.enqueue({ type: "t", runId: "afterwards" }));
  told.check(await queue.list(), "a healthy process that wrote");
  await inTime(queue.close());
}
