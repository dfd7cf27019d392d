/**
 * LedgerAccess: how the operations of a queue reach its ledger. Each runs in one read or one write, at the time that the queue's
 * clock shows when it runs, after whatever it waited for.
 */
import { DEFAULT_RETRY_POLICY, resolveRetryPolicy, type RetryPolicy } from "../domain/backoff.ts";
import { type Clock, sleep, systemClock } from "../domain/clock.ts";
import type { Random } from "../domain/random.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { MemoryMark } from "../ledger/memory_budget.ts";
import type { Reader, Transaction } from "../ledger/replica.ts";
import { countOn } from "./insight/task_counts.ts";
import type { OperationContext } from "./rows/context.ts";
import { checkOpen } from "./rows/notes.ts";
import { RECORD_BUDGET } from "./rows/record_budget.ts";

/** What operations need of the queue beside the ledger. */
export interface AccessOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Makes the run id of a task that came without one; default a random UUID. */
  readonly newRunId?: () => string;
  /** How much one operation may write, in characters; default `RECORD_BUDGET`. */
  readonly recordBudget?: number;
  /** Where neither the task nor its handler has one; default 1 s, ×2, 300 s. */
  readonly retryPolicy?: Partial<RetryPolicy>;
}

/** The way to one ledger. */
export class LedgerAccess {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly retryPolicy: RetryPolicy;
  readonly #random: Random;
  readonly #newRunId: () => string;
  readonly #recordBudget: number;
  /** How many reads go in steps now, and when the next step of one of them may be. */
  #inSteps = 0;
  #nextStep: Promise<void> = Promise.resolve();

  constructor(ledger: Ledger, options: AccessOptions) {
    this.ledger = ledger;
    this.clock = options.clock;
    this.retryPolicy = resolveRetryPolicy(options.retryPolicy, DEFAULT_RETRY_POLICY);
    this.#random = options.random;
    this.#newRunId = options.newRunId ?? (() => crypto.randomUUID());
    this.#recordBudget = options.recordBudget ?? RECORD_BUDGET;
  }

  /** One read. */
  read<T>(operation: (reader: Reader, nowMs: number) => T): Promise<T> {
    return this.ledger.read((reader) => operation(reader, this.clock.nowMs()));
  }

  /** One read once all tasks are counted: in slices when that is done first, between which other work goes on. */
  async readCounted<T>(operation: (reader: Reader, nowMs: number) => T): Promise<T> {
    const counted = (reader: Reader, nowMs: number): { readonly value: T } | undefined =>
      countOn(reader) ? { value: operation(reader, nowMs) } : undefined;
    const done = this.#inSteps === 0 ? await this.read(counted) : undefined;
    return done === undefined ? await this.readOnce(counted) : done.value;
  }

  /**
   * The first value that a read gives; until then it is done again and again, and other work goes on between. Of several such reads
   * one at a time does a step, so that together they hold nothing up for longer than one does.
   */
  async readOnce<T>(
    operation: (reader: Reader, nowMs: number) => { readonly value: T } | undefined,
  ): Promise<T> {
    if (this.#inSteps++ > 0) await this.#rest();
    try {
      for (;;) {
        const done = await this.read(operation);
        if (done !== undefined) return done.value;
        await this.#rest();
      }
    } finally {
      this.#inSteps--;
    }
  }

  /** Other work goes on, and nobody else rests until the same moment. */
  #rest(): Promise<void> {
    this.#nextStep = this.#nextStep.then(() => sleep(systemClock, 0));
    return this.#nextStep;
  }

  /**
   * One write. What adds must leave the memory below a mark; what makes room, or leads to it, may not be refused.
   */
  write<T>(
    operation: (tx: Transaction, context: OperationContext) => T,
    upTo?: MemoryMark,
  ): Promise<T> {
    const run = (tx: Transaction): T =>
      operation(tx, {
        nowMs: this.clock.nowMs(),
        random: this.#random,
        newRunId: this.#newRunId,
        retryPolicy: this.retryPolicy,
        recordBudget: this.#recordBudget,
      });
    return this.ledger.write(run, { upTo });
  }

  /** The same for what a closed queue does not do. @throws QueueError `queue_moving`, `queue_moved`. */
  writeIfOpen<T>(
    operation: (tx: Transaction, context: OperationContext) => T,
    mark?: MemoryMark,
  ): Promise<T> {
    return this.write((tx, context) => {
      checkOpen(tx);
      return operation(tx, context);
    }, mark);
  }
}
