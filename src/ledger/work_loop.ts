/**
 * The loop of a ledger: everything that awaits runs in it, one thing after the other.
 *
 * Jobs take precedence over batches; a batch is committed while operations wait.
 */

/**
 * How many turns of the microtask queue a commit waits for more operations: what a caller does at once when it is answered, or what
 * a worker claims when a handler has ended, then joins it. No time passes.
 */
const GATHER_TURNS = 8;

/** What the loop does when no job waits. */
export interface Batches {
  /** Whether operations wait. */
  readonly isWaiting: () => boolean;
  /** Commits the next batch of them. Does not throw. */
  readonly commitNext: () => Promise<void>;
}

/** Runs jobs and batches one after the other. */
export class WorkLoop {
  readonly #batches: Batches;
  readonly #jobs: (() => Promise<void>)[] = [];
  #running: Promise<void> | undefined;

  constructor(batches: Batches) {
    this.#batches = batches;
  }

  /** Sees to it that what waits is done. */
  start(): void {
    this.#running ??= this.#runAll();
  }

  /** Runs `job` after the jobs that wait. */
  run<T>(job: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#jobs.push(() => job().then(resolve, reject));
      this.start();
    });
  }

  /** Runs `job`, which does not throw, before all others. */
  runNext(job: () => Promise<void>): void {
    this.#jobs.unshift(job);
    this.start();
  }

  /** Resolves when nothing waits. */
  async ended(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #runAll(): Promise<void> {
    for (let turn = 0; turn < GATHER_TURNS; turn++) await Promise.resolve();
    try {
      for (;;) {
        const job = this.#jobs.shift();
        if (job !== undefined) await job();
        else if (this.#batches.isWaiting()) await this.#batches.commitNext();
        else break;
      }
    } finally {
      this.#running = undefined;
    }
  }
}
