/**
 * Acknowledgements: the writes that callers were told are done, in order, and which of them a power cut may undo.
 *
 * Under `full` durability none. Under `relaxed` those that nothing has promised yet: no flush, checkpoint or close that was
 * answered, no fsync that was completed since, and whose process has not had the time that it is given. What a power cut
 * leaves is a prefix of the history: when a write is there, so is every write that was acknowledged before it began.
 */
import type { Task } from "../../src/domain/task.ts";
import type { Call } from "./call.ts";
import type { ProcessId } from "./scheduler.ts";

/** The tasks that are there after a power cut, by id. */
export type Survivors = ReadonlyMap<number, Task>;

/** Whether survivors show that a write is there; `undefined` when they do not say. */
export type Sign = (survivors: Survivors) => boolean | undefined;

/** A write that was acknowledged. */
export interface Acknowledgement {
  readonly call: Call;
  /** The true time. */
  readonly atMs: number;
  /** Tells the checker what follows from it. */
  readonly tell: () => void;
  readonly signs: Sign[];
  /** Whether it must survive a power cut. */
  isPromised: boolean;
}

/** What a power cut has left. */
export interface Judgement {
  readonly kept: readonly Acknowledgement[];
  /** Those that are not there, and need not be. */
  readonly lost: readonly Acknowledgement[];
  /** Those of which survivors say nothing. */
  readonly unknown: readonly Acknowledgement[];
  /** What must not be. */
  readonly problems: readonly { readonly call: Call; readonly what: string }[];
}

/** Every write that was acknowledged and has not been lost. */
export class Acknowledgements {
  #all: Acknowledgement[] = [];

  add(acknowledgement: Acknowledgement): void {
    this.#all.push(acknowledgement);
  }

  /** What was acknowledged before `moment` must survive: everything, or what `process` was told until `untilMs`. */
  promise(moment: number, only?: { readonly process: ProcessId; readonly untilMs: number }): void {
    for (const acknowledgement of this.#all) {
      if (acknowledgement.call.span.to >= moment) continue;
      const isMeant = only === undefined ||
        acknowledgement.call.process === only.process && acknowledgement.atMs <= only.untilMs;
      if (isMeant) acknowledgement.isPromised = true;
    }
  }

  /** Decides what a power cut has left; it is promised from now on, the rest is forgotten. */
  judge(survivors: Survivors): Judgement {
    const found = this.#all.map((one) => ({ one, isThere: combine(one.signs, survivors) }));
    const there = found.filter(({ isThere }) => isThere === true);
    const prefixEnd = Math.max(0, ...there.map(({ one }) => one.call.span.from));
    const judged = found.map(({ one, isThere }) => ({
      one,
      isThere,
      mustBeThere: one.isPromised || isThere === true || one.call.span.to < prefixEnd,
    }));
    const problems = judged.flatMap(({ one: { call, isPromised }, isThere, mustBeThere }) => {
      if (isThere === "half") return [{ call, what: "half of it survived a power cut" }];
      if (isThere !== false || !mustBeThere) return [];
      const why = isPromised ? "it was promised" : "a later write is there";
      return [{ call, what: `acknowledged, it is missing after a power cut, and ${why}` }];
    });
    this.#all = judged.filter(({ mustBeThere }) => mustBeThere).map(({ one }) => one);
    for (const acknowledgement of this.#all) acknowledgement.isPromised = true;
    const others = judged.filter(({ mustBeThere }) => !mustBeThere);
    return {
      kept: this.#all,
      lost: others.filter(({ isThere }) => isThere === false).map(({ one }) => one),
      unknown: others.filter(({ isThere }) => isThere !== false).map(({ one }) => one),
      problems,
    };
  }
}

function combine(signs: readonly Sign[], survivors: Survivors): boolean | "half" | undefined {
  const told = new Set(signs.map((sign) => sign(survivors)));
  if (told.has(true) && told.has(false)) return "half";
  return told.has(true) ? true : told.has(false) ? false : undefined;
}
