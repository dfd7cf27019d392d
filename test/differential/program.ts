/**
 * A program for task managers: operations drawn from a seed, the same for every manager that runs it.
 */
import { Chance } from "../fuzz/chance.ts";

/** What the work of a run does, once it has begun. */
export type WorkKind = typeof WORK_KINDS[number];

/** `gated` waits until an operation opens it; all others end by themselves. */
export const WORK_KINDS = [
  ...["value", "nothing", "late", "promise", "gated", "progress", "exit code in result"],
  ...["throws", "rejects", "rejects late", "throws text", "throws null", "throws blank"],
  ...["no json", "too large", "bad progress", "rejected promise", "exit code error", "permanent"],
  ...["cancels itself", "starts another", "logs", "progress then throws"],
] as const;

/** One step. Runs are named by their number; managers are started with the same ones. */
export type Operation =
  | { readonly do: "start"; readonly runs: readonly StartedRun[]; readonly cancelAtOnce: boolean }
  | { readonly do: "start wrong"; readonly wrong: Wrong }
  | { readonly do: "start again"; readonly pick: number; readonly isSameObject: boolean }
  | { readonly do: "cancel"; readonly pick: number; readonly times: number }
  | { readonly do: "cancel unknown" }
  | { readonly do: "open"; readonly pick: number; readonly fails: boolean }
  | { readonly do: "report"; readonly pick: number; readonly percent: number }
  | { readonly do: "add run" }
  | { readonly do: "clean up" };

/** A run to be started. */
export interface StartedRun {
  readonly kind: WorkKind;
  readonly moduleId: string;
  readonly isPlain: boolean;
}

/** What is wrong with a run that must be refused. */
export type Wrong = typeof WRONGS[number];

/** Every way to be refused. */
export const WRONGS = [
  ...["blank id", "blanks around", "long id", "no module", "priority", "attempts", "parameters"],
  ...["frozen", "no run", "created at", "no work", "webhook", "module name"],
] as const;

/** A program of `length` operations. */
export function programOf(seed: number, length: number): Operation[] {
  const chance = new Chance(seed);
  return Array.from({ length }, () => operationOf(chance));
}

function operationOf(chance: Chance): Operation {
  const pick = chance.below(1_000_000);
  const start = (): Operation => ({
    do: "start",
    runs: Array.from({ length: 1 + chance.below(3) }, () => startedRun(chance)),
    cancelAtOnce: chance.oneIn(5),
  });
  const open = (): Operation => ({ do: "open", pick, fails: chance.oneIn(3) });
  const cancel = (): Operation => ({ do: "cancel", pick, times: 1 + chance.below(2) });
  return chance.choose<Operation>(
    ...[start, start, start, start, open, open, cancel, cancel],
    () => ({ do: "start wrong", wrong: chance.pick(WRONGS) }),
    () => ({ do: "start again", pick, isSameObject: chance.oneIn(2) }),
    () => ({ do: "cancel unknown" }),
    () => ({ do: "report", pick, percent: chance.below(101) }),
    () => chance.oneIn(2) ? { do: "add run" } : { do: "clean up" },
  );
}

function startedRun(chance: Chance): StartedRun {
  const kind = chance.oneIn(3) ? "gated" : chance.pick(WORK_KINDS);
  return { kind, moduleId: chance.pick(["a", "b", "c"]), isPlain: chance.oneIn(4) };
}
