/**
 * Measuring: contenders take turns within one run, medians count.
 */

/** One workload: prepares on its own, then says how many operations it did. */
export interface Workload<Subject> {
  readonly name: string;
  /** Not measured. */
  prepare?(subject: Subject): Promise<void>;
  /** Measured; resolves to the number of operations. */
  run(subject: Subject): Promise<number>;
}

/** What a contender did in a workload, over all rounds. */
export interface Figure {
  readonly workload: string;
  readonly contender: string;
  readonly durability: string;
  /** Operations per second, of each round. */
  readonly perSecond: readonly number[];
  /** fsyncs per operation, of all rounds together; `null` where they cannot be counted. */
  readonly syncsPerOperation: number | null;
}

interface Subject {
  readonly name: string;
  readonly durability: string;
  syncs(): Promise<number | null>;
}

/** Runs a workload `rounds` times for each subject, in turn. */
export async function measure<S extends Subject>(
  workload: Workload<S>,
  subjects: readonly S[],
  rounds: number,
): Promise<Figure[]> {
  const perSecond = subjects.map((): number[] => []);
  const syncs = subjects.map((): number | null => 0);
  const operations = subjects.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    for (const [i, subject] of subjects.entries()) {
      await workload.prepare?.(subject);
      const syncsBefore = await subject.syncs();
      const startedAt = performance.now();
      const done = await workload.run(subject);
      perSecond[i]!.push(done / (performance.now() - startedAt) * 1000);
      const syncsAfter = await subject.syncs();
      syncs[i] = syncsBefore === null || syncsAfter === null
        ? null
        : syncs[i]! + syncsAfter - syncsBefore;
      operations[i]! += done;
    }
  }
  return subjects.map(({ name, durability }, i) => ({
    workload: workload.name,
    contender: name,
    durability,
    perSecond: perSecond[i]!,
    syncsPerOperation: syncs[i] === null ? null : syncs[i]! / operations[i]!,
  }));
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
