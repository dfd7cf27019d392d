/**
 * Measuring: contenders take turns within one run, in an order that moves on by one each round; medians count.
 */
import { cpuUsage } from "node:process";
import { type Figure, percentiles, type Survives } from "./figures.ts";

/** What is read before and after a piece of work. */
export interface Meters {
  /** fsyncs so far, where they can be counted. */
  syncs(): Promise<number | null>;
  /** CPU time so far of the processes that do the work, in milliseconds; `null` where it is not known, by default this one's. */
  readonly cpuMs?: () => Promise<number | null>;
}

/** Who is measured. */
export interface Subject extends Meters {
  readonly name: string;
  readonly survives: Survives;
}

/** CPU time that this process has used, all its threads together, in milliseconds. */
export function ownCpuMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

/** A piece of work; what it does outside of the stopwatch's `total` is preparation. */
export interface Workload<S extends Subject> {
  readonly name: string;
  /** Whether this contender can do it; default all can. */
  readonly suits?: (subject: S) => boolean;
  /** Resolves to the number of tasks. */
  run(subject: S, watch: Stopwatch): Promise<number>;
}

/** Times of one round. */
export interface Measured {
  readonly totalMs: number;
  readonly laps: readonly number[];
  readonly cpuMs: number;
}

/** Takes the times of one round. */
export class Stopwatch {
  readonly laps: number[] = [];
  /** How long the measured part took. */
  totalMs = 0;
  /** fsyncs within it. */
  syncs: number | null = null;
  /** CPU time within it, in milliseconds. */
  cpuMs: number | null = null;
  readonly #meters: Meters;

  constructor(meters: Meters) {
    this.#meters = meters;
  }

  /** Measures all of `work`. */
  async total(work: () => Promise<void>): Promise<void> {
    const before = await this.#read();
    const startedAt = performance.now();
    await work();
    this.totalMs = performance.now() - startedAt;
    const after = await this.#read();
    this.syncs = difference(before.syncs, after.syncs);
    this.cpuMs = difference(before.cpuMs, after.cpuMs);
  }

  /** What another program measured replaces what was measured here. */
  take({ totalMs, laps, cpuMs }: Measured): void {
    this.totalMs = totalMs;
    this.cpuMs = cpuMs;
    for (const lap of laps) this.laps.push(lap);
  }

  /** Measures one call within. */
  async lap<T>(call: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const result = await call();
    this.laps.push(performance.now() - startedAt);
    return result;
  }

  async #read(): Promise<{ readonly syncs: number | null; readonly cpuMs: number | null }> {
    const { cpuMs } = this.#meters;
    const syncs = await this.#meters.syncs();
    return { syncs, cpuMs: cpuMs === undefined ? ownCpuMs() : await cpuMs() };
  }
}

/** What was added between two readings; `null` where one of them is not known. */
export function difference(before: number | null, after: number | null): number | null {
  return before === null || after === null ? null : after - before;
}

interface Tally {
  readonly perSecond: number[];
  readonly laps: number[];
  readonly cpuUs: number[];
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
  return { perSecond: [], laps: [], cpuUs: [], syncs: 0, tasks: 0 };
}

async function addRound<S extends Subject>(
  tally: Tally,
  workload: Workload<S>,
  subject: S,
): Promise<void> {
  const watch = new Stopwatch(subject);
  const tasks = await workload.run(subject, watch);
  tally.perSecond.push(tasks / watch.totalMs * 1000);
  if (watch.cpuMs !== null) tally.cpuUs.push(watch.cpuMs / tasks * 1000);
  for (const lap of watch.laps) tally.laps.push(lap);
  tally.tasks += tasks;
  tally.syncs = watch.syncs === null || tally.syncs === null ? null : tally.syncs + watch.syncs;
}

function figureOf(group: string, work: string, subject: Subject, tally: Tally): Figure {
  const { perSecond, laps, cpuUs, syncs, tasks } = tally;
  return {
    group,
    work,
    contender: subject.name,
    survives: subject.survives,
    perSecond,
    latencyMs: laps.length === 0 ? undefined : percentiles(laps),
    syncsPerTask: syncs === null ? null : syncs / tasks,
    cpuUsPerTask: cpuUs.length === 0 ? undefined : cpuUs,
  };
}
