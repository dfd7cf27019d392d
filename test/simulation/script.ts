/**
 * Scripts: what is done to the processes of a simulation, step by step, all of it from one seed.
 *
 * Each step has a seed of its own, so that leaving one out changes the others as little as possible.
 */
import type { Durability } from "../../src/domain/durability.ts";
import { Chance } from "./chance.ts";

/** The circumstances of a simulation. */
export interface Setup {
  /** With `relaxed`, some processes are `full` nevertheless. */
  readonly durability: Durability;
  readonly processMax: number;
  /** How far clocks may be apart, in milliseconds. */
  readonly skewMaxMs: number;
  readonly leaseDurationMs: number;
  readonly shortReadProbability: number;
  /** Whether a failed fsync forgets what it did not write. */
  readonly forgetsFailedSyncs: boolean;
  /** Whether processes soon see what was forgotten no more; with full durability, where nobody was promised it. */
  readonly evictsForgotten: boolean;
  /** How many turns of the others an fsync may take, so that several processes wait for theirs. */
  readonly syncTurnsMax: number;
  /** Whether tasks are so large that the journal outgrows the snapshot by itself. */
  readonly isBulky: boolean;
  /** Whether clients prune finished tasks. */
  readonly isPruned: boolean;
  /** Whether tasks have groups, and groups limits and pauses. */
  readonly hasGroups: boolean;
  /** Whether an operator sets rates; only where all clocks show the same time, which is what a rate's bound is by. */
  readonly hasRates: boolean;
  /** How many pages of memory tasks may be added to, beyond those of an empty queue; `null` for more than enough. */
  readonly memoryPages: number | null;
  /** Broken on purpose, to see whether it is found out: an fsync has no effect. */
  readonly pretendsToSync?: boolean;
  /** Broken on purpose: who asks for a lock gets it. */
  readonly locksAreIgnored?: boolean;
}

/**
 * - `go on`: a few of those that wait go on. `pass time`: the clock advances.
 * - `call`: a client asks the queue for something. `relate`: it enqueues tasks that depend on others. `work`: a worker
 *   starts.
 * - `start`, `kill`, `kill later`, `close`: a process begins, dies at once or at some storage call, ends in good order.
 * - `cut power`, `cut power later`: at once, or in the instant of an acknowledgement, a flush, a checkpoint, a close, a refusal, a storage call, a truncation, or
 *   when the writes of several processes are not durable yet.
 * - `fail`, `heal`: a storage call to come fails; nothing fails any more. `fail disk`: an fsync or an append does.
 * - `stall`: a process stands still for a while. `jump`: its clock does.
 * - `inspect`: a process exports all that is durable, or compares its memory with the files.
 * - `govern`: an operator sets or removes a limit or a rate, pauses or resumes.
 * - `look`: a process's rows are compared with what they must be at its place in the journal.
 */
export type StepKind =
  | "go on"
  | "pass time"
  | "call"
  | "relate"
  | "work"
  | "start"
  | "kill"
  | "kill later"
  | "close"
  | "cut power"
  | "cut power later"
  | "fail"
  | "fail disk"
  | "heal"
  | "stall"
  | "jump"
  | "inspect"
  | "govern"
  | "look";

/** One thing to do. */
export interface Step {
  readonly kind: StepKind;
  readonly seed: number;
}

/** All there is to a simulation. */
export interface Script {
  readonly seed: number;
  readonly setup: Setup;
  readonly steps: readonly Step[];
}

/** The script of a seed. */
export function scriptOf(seed: number): Script {
  const chance = new Chance(seed);
  const durability = chance.happens(0.85) ? "full" : "relaxed";
  const memory = new Chance(seed + 13);
  const isScarce = memory.happens(0.15);
  const processMax = 1 + chance.below(3);
  const skewMaxMs = chance.happens(0.4) ? 0 : chance.pick([1000, 30_000, 180_000]);
  const hasRates = skewMaxMs === 0 && new Chance(seed + 43).happens(0.6);
  const setup = {
    durability,
    processMax,
    skewMaxMs,
    leaseDurationMs: chance.pick([150, 600, 3000]),
    shortReadProbability: chance.happens(0.5) ? 0 : 0.02,
    forgetsFailedSyncs: chance.happens(0.3),
    syncTurnsMax: chance.happens(0.7) ? 0 : chance.pick([4, 30]),
    isPruned: chance.happens(0.2) || (isScarce && memory.happens(0.8)),
    isBulky: chance.happens(0.02) && !isScarce,
    evictsForgotten: new Chance(seed + 5).happens(0.5),
    hasGroups: new Chance(seed + 19).happens(0.3) ||
      (hasRates && new Chance(seed + 45).happens(0.5)),
    hasRates,
    memoryPages: isScarce ? memory.pick([0, 1, 2, 7]) : null,
  } satisfies Setup;
  const weights = weightsFor(setup, chance);
  const count = chance.pick([40, 100, 100, 200, 400]);
  const steps = Array.from(
    { length: count },
    () => ({ kind: chance.weighted<StepKind>(weights), seed: chance.seed() }),
  );
  const related = withMore(steps, { kind: "relate", counts: [0, 3, 8, 20] }, new Chance(seed + 3));
  const all = withMore(related, { kind: "inspect", counts: [0, 0, 2, 6] }, new Chance(seed + 9));
  const failing = { kind: "fail disk", counts: [0, 0, 0, 0, 0, 0, 0, 4, 10, 25] } as const;
  const harmed = withMore(all, failing, new Chance(seed + 11));
  const governed = setup.hasRates
    ? [3, 8, 20]
    : setup.hasGroups
    ? [0, 3, 8, 20]
    : [0, 0, 0, 3, 8, 20];
  const governing = { kind: "govern", counts: governed } as const;
  return { seed, setup, steps: withMore(harmed, governing, new Chance(seed + 17)) };
}

/** Kinds that came later stand between the others by a chance of their own, so the others of a seed are what they were. */
function withMore(
  steps: readonly Step[],
  { kind, counts }: { readonly kind: StepKind; readonly counts: readonly number[] },
  chance: Chance,
): Step[] {
  const count = chance.pick(counts);
  const all = [...steps];
  for (let i = 0; i < count; i++) {
    all.splice(chance.below(all.length + 1), 0, { kind, seed: chance.seed() });
  }
  return all;
}

/** How often each step is taken. Some kinds of trouble are left out of some seeds, so that others have time to unfold. */
function weightsFor(setup: Setup, chance: Chance): Partial<Record<StepKind, number>> {
  const sometimes = (probability: number, weight: number): number =>
    chance.happens(probability) ? weight : 0;
  const cutsPower = chance.happens(0.7);
  return {
    "go on": chance.pick([15, 30, 50]),
    "pass time": 12,
    "call": 30,
    "work": sometimes(0.7, 1.5),
    "start": 3,
    "kill": sometimes(0.5, 0.4),
    "kill later": sometimes(0.7, 1.2),
    "close": sometimes(0.6, 0.5),
    "cut power": cutsPower ? 0.4 : 0,
    "cut power later": cutsPower ? (setup.durability === "full" ? 0.7 : 2) : 0,
    "fail": sometimes(0.6, 2),
    "heal": 0.5,
    "stall": sometimes(0.5, 0.7),
    "jump": setup.skewMaxMs > 0 ? 0.7 : 0,
    "look": 0.7,
  };
}
