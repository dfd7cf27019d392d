/**
 * Totals: how often each kind of transition happened to tasks of each type, and how long they waited and ran, since the queue began to
 * count. They only grow: an engine counts each transition once, whatever becomes of its task.
 */
import type { DurationTotals, TypeTotals } from "../queue/metrics.ts";
import { TRANSITION_KINDS, type TransitionKind } from "../queue/task_transition.ts";
import { noTransitions } from "./rates.ts";

/** The upper bounds of the classes of durations, in milliseconds; a last class has no bound. */
export const DURATION_BOUNDS_MS: readonly number[] = Object.freeze([
  10,
  50,
  250,
  1000,
  5000,
  30_000,
  120_000,
  600_000,
  3_600_000,
]);

/** So many types have totals of their own; those that come later share one. */
export const TOTALS_TYPES_MAX = 200;

/** The type under which the others are counted. */
export const OTHER_TYPE = "other";

/** A transition as it is counted. */
export interface CountedTransition {
  readonly type: string;
  readonly kind: TransitionKind;
  readonly durationMs: number | null;
}

interface Durations {
  count: number;
  sumMs: number;
  readonly classes: number[];
}

interface Counted {
  readonly transitions: Record<TransitionKind, number>;
  readonly wait: Durations;
  readonly run: Durations;
}

/** Totals that grow: those that are stored, and what has happened since. */
export class TransitionTotals {
  readonly #byType = new Map<string, Counted>();
  readonly #changed = new Set<string>();

  /** @param stored Each type with what `texts` made of it. */
  constructor(stored: Iterable<readonly [type: string, text: string]>) {
    for (const [type, text] of stored) this.#byType.set(type, countedOf(text));
  }

  /** Counts a transition. */
  add({ type, kind, durationMs }: CountedTransition): void {
    const name = this.#nameOf(type);
    const counted = this.#byType.get(name) ?? countedOf("{}");
    this.#byType.set(name, counted);
    this.#changed.add(name);
    counted.transitions[kind]++;
    if (durationMs !== null) {
      addDuration(kind === "leased" ? counted.wait : counted.run, durationMs);
    }
  }

  /** Each type that has changed, with a text that keeps its totals. */
  texts(): [type: string, text: string][] {
    return [...this.#changed].sort().map((type) => [type, textOf(this.#byType.get(type)!)]);
  }

  /** The totals of each type. */
  values(): Record<string, TypeTotals> {
    const entries = [...this.#byType].map(([type, { transitions, wait, run }]) =>
      [type, { transitions, waitMs: cumulative(wait), runMs: cumulative(run) }] as const
    );
    return Object.fromEntries(entries);
  }

  #nameOf(type: string): string {
    if (this.#byType.has(type)) return type;
    return this.#byType.size < TOTALS_TYPES_MAX - 1 ? type : OTHER_TYPE;
  }
}

function addDuration(durations: Durations, durationMs: number): void {
  const place = DURATION_BOUNDS_MS.findIndex((boundMs) => durationMs <= boundMs);
  durations.classes[place === -1 ? DURATION_BOUNDS_MS.length : place]!++;
  durations.count++;
  durations.sumMs += durationMs;
}

function cumulative({ count, sumMs, classes }: Durations): DurationTotals {
  let sum = 0;
  const buckets = DURATION_BOUNDS_MS.map((leMs, place) => ({
    leMs,
    count: sum += classes[place]!,
  }));
  return { count, sumMs, buckets };
}

/** What is 0 is left out. */
function textOf({ transitions, wait, run }: Counted): string {
  const kinds = Object.entries(transitions).filter(([, n]) => n > 0);
  return JSON.stringify({
    n: Object.fromEntries(kinds),
    ...wait.count > 0 && { w: [wait.sumMs, ...wait.classes] },
    ...run.count > 0 && { r: [run.sumMs, ...run.classes] },
  });
}

function countedOf(text: string): Counted {
  const { n = {}, w, r } = JSON.parse(text) as {
    readonly n?: Partial<Record<TransitionKind, number>>;
    readonly w?: readonly number[];
    readonly r?: readonly number[];
  };
  const transitions = noTransitions();
  for (const kind of TRANSITION_KINDS) transitions[kind] = n[kind] ?? 0;
  return { transitions, wait: durationsOf(w), run: durationsOf(r) };
}

function durationsOf([sumMs = 0, ...known]: readonly number[] = []): Durations {
  const classes = [...DURATION_BOUNDS_MS, Infinity].map((_, place) => known[place] ?? 0);
  return { count: classes.reduce((sum, n) => sum + n, 0), sumMs, classes };
}
