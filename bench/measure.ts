/**
 * Measuring: contenders take turns within one run, in an order that moves on by one each round; medians count.
 */
import { type Figure, percentiles, type Survives } from "./figures.ts";

/** Who is measured. */
export interface Subject {
  readonly name: string;
  readonly survives: Survives;
  /** fsyncs so far, where they can be counted. */
  syncs(): Promise<number | null>;
}

/** A piece of work; what it does outside of the stopwatch's `total` is preparation. */
export interface Workload<S extends Subject> {
  readonly name: string;
  /** Whether this contender can do it; default all can. */
  readonly suits?: (subject: S) => boolean;
  /** Resolves to the number of tasks. */
  run(subject: S, watch: Stopwatch): Promise<number>;
}

/** Takes the times of one round. */
export class Stopwatch {
  readonly laps: number[] = [];
  /** How long the measured part took. */
  totalMs = 0;
  /** fsyncs within it. */
  syncs: number | null = null;
  readonly #countSyncs: () => Promise<number | null>;

  constructor(countSyncs: () => Promise<number | null>) {
    this.#countSyncs = countSyncs;
  }

  /** Measures all of `work`. */
  async total(work: () => Promise<void>): Promise<void> {
    const syncsBefore = await this.#countSyncs();
    const startedAt = performance.now();
    await work();
    this.totalMs = performance.now() - startedAt;
    const syncsAfter = await this.#countSyncs();
    if (syncsBefore !== null && syncsAfter !== null) this.syncs = syncsAfter - syncsBefore;
  }

  /** Measures one call within. */
  async lap<T>(call: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const result = await call();
    this.laps.push(performance.now() - startedAt);
    return result;
  }
}

interface Tally {
  readonly perSecond: number[];
  readonly laps: number[];
  syncs: number | null;
  tasks: number;
}

/** Runs a workload `rounds` times for each subject that it suits, in turn. */
export async function measure<S extends Subject>(
  group: string,
  workload: Workload<S>,
  { subjects, rounds }: { readonly subjects: readonly S[]; readonly rounds: number },
): Promise<Figure[]> {
  const suited = subjects.filter((subject) => workload.suits?.(subject) ?? true);
  const tallies = new Map(suited.map((subject) => [subject, newTally()]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < suited.length; turn++) {
      const subject = suited[(round + turn) % suited.length]!;
      await addRound(tallies.get(subject)!, workload, subject);
    }
  }
  return suited.map((subject) => figureOf(group, workload.name, subject, tallies.get(subject)!));
}

function newTally(): Tally {
  return { perSecond: [], laps: [], syncs: 0, tasks: 0 };
}

async function addRound<S extends Subject>(
  tally: Tally,
  workload: Workload<S>,
  subject: S,
): Promise<void> {
  const watch = new Stopwatch(() => subject.syncs());
  const tasks = await workload.run(subject, watch);
  tally.perSecond.push(tasks / watch.totalMs * 1000);
  for (const lap of watch.laps) tally.laps.push(lap);
  tally.tasks += tasks;
  tally.syncs = watch.syncs === null || tally.syncs === null ? null : tally.syncs + watch.syncs;
}

function figureOf(group: string, work: string, subject: Subject, tally: Tally): Figure {
  const { perSecond, laps, syncs, tasks } = tally;
  return {
    group,
    work,
    contender: subject.name,
    survives: subject.survives,
    perSecond,
    latencyMs: laps.length === 0 ? undefined : percentiles(laps),
    syncsPerTask: syncs === null ? null : syncs / tasks,
  };
}
