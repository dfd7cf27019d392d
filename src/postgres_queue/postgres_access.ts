/**
 * PostgresAccess: how the operations of a queue reach its database, at which time, and what follows when they have changed it.
 */
import { DEFAULT_RETRY_POLICY, resolveRetryPolicy, type RetryPolicy } from "../domain/backoff.ts";
import { type Clock, sleep } from "../domain/clock.ts";
import { QueueError } from "../domain/errors.ts";
import type { Random } from "../domain/random.ts";
import type { StorableTask } from "../queue_policy/new_task.ts";
import { checkOpen } from "./rows/closure.ts";
import { type Database, DatabaseError, type Isolation, type Statements } from "./rows/database.ts";
import { FlowKnowledge } from "./rows/flow_rows.ts";
import { DELIVERY_LANE, Lanes } from "./rows/lanes.ts";
import { QualifiedStatements, Qualifier } from "./rows/qualified.ts";
import type { TaskRow } from "./rows/task_row.ts";
import { type OperationContext, RunAgainError, Work } from "./rows/work.ts";
import { storageErrorOf } from "./storage_errors.ts";
import { settleOrders } from "./tasks/order.ts";

/** What operations need of the queue beside the database. */
export interface AccessOptions {
  /** The schema that holds its tables. */
  readonly schema: string;
  /** Timers. Its time is used in tests only: what is compared is the server's. */
  readonly clock: Clock;
  /** Whether `clock` is the time of every operation, too: for tests; default false. */
  readonly isClockTrusted?: boolean;
  readonly random: Random;
  /** Makes the run id of a task that came without one; default a random UUID. */
  readonly newRunId?: () => string;
  /** Where neither the task nor its handler has one; default 1 s, ×2, 300 s. */
  readonly retryPolicy?: Partial<RetryPolicy>;
}

/** How much one operation may write, or read as payload, in characters. */
const BUDGET = 8 * 1024 * 1024;

/** How long a server that is away is waited for, and how long it takes until it is asked again. */
const AWAY_MAX_MS = 30_000;
const AWAY_DELAY_MS = { first: 50, longest: 1000 } as const;

/** How often a transaction is run that others keep undoing. */
const TRIES_MAX = 20;

/** The tasks that a transaction has changed; `"many"` when they are not told one by one. */
export type ChangedRows = readonly TaskRow[] | "many";

/** Hears of the tasks that a transaction has changed, once it is committed. */
type OnChanges = (rows: ChangedRows) => void;

/** The way to the tables of one queue. */
export class PostgresAccess {
  readonly database: Database;
  readonly schema: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly retryPolicy: RetryPolicy;
  readonly newRunId: () => string;
  readonly lanes: Lanes;
  readonly flow = new FlowKnowledge();
  readonly budget = BUDGET;
  readonly #isClockTrusted: boolean;
  readonly #qualifier: Qualifier;
  readonly #once: Statements;
  #onChanges: OnChanges = () => {};
  #onRoom: () => void = () => {};
  #isClosed = false;

  constructor(database: Database, options: AccessOptions) {
    this.database = database;
    this.schema = options.schema;
    this.clock = options.clock;
    this.random = options.random;
    this.retryPolicy = resolveRetryPolicy(options.retryPolicy, DEFAULT_RETRY_POLICY);
    this.newRunId = options.newRunId ?? (() => crypto.randomUUID());
    this.#isClockTrusted = options.isClockTrusted ?? false;
    this.#qualifier = new Qualifier(options.schema);
    this.#once = new QualifiedStatements(database, this.#qualifier);
    this.lanes = new Lanes(
      this.statements,
      (run) => this.persist(() => this.#transaction((tx) => run(tx))),
    );
  }

  /** For messages: where it is. */
  get location(): string {
    return `${this.database.location} schema ${this.schema}`;
  }

  /** The time of a test; `null` for the server's. */
  get testMs(): number | null {
    return this.#isClockTrusted ? this.clock.nowMs() : null;
  }

  /** Single statements that may run twice: each is run again while the server is away. @throws QueueError `queue_closed`. */
  readonly statements: Statements = {
    query: (text, parameters) => this.persist(() => this.once.query(text, parameters)),
  };

  /** Single statements, each a transaction of its own. @throws QueueError `queue_closed`. */
  get once(): Statements {
    this.#checkOpen();
    return this.#once;
  }

  /** Statements that run in their order, each a transaction of its own; all run again while the server is away. */
  async inOrder<T>(run: (statements: Statements) => Promise<T>): Promise<T> {
    return await this.persist(() => {
      this.#checkOpen();
      return this.database.inOrder((statements) =>
        run(new QualifiedStatements(statements, this.#qualifier))
      );
    });
  }

  /**
   * Runs `run` again while the server is away, for half a minute unless told otherwise: a server that is started anew, or
   * another one that takes its place, is waited for. `isRepeat` says that an earlier run may have been committed and its answer lost.
   */
  async persist<T>(
    run: (isRepeat: boolean) => Promise<T>,
    awayMaxMs: number = AWAY_MAX_MS,
  ): Promise<T> {
    let isRepeat = false;
    for (let waitedMs = 0, delayMs: number = AWAY_DELAY_MS.first;;) {
      try {
        return await run(isRepeat);
      } catch (error) {
        const isAway = error instanceof DatabaseError && error.isConnectionLost;
        if (!isAway || waitedMs >= awayMaxMs || this.#isClosed) {
          throw storageErrorOf(error, this.location);
        }
        isRepeat ||= error.isInDoubt;
      }
      await sleep(this.clock, delayMs);
      waitedMs += delayMs;
      delayMs = Math.min(2 * delayMs, AWAY_DELAY_MS.longest);
    }
  }

  /** Calls `onChanges` from now on, and `onRoom` when tasks that a limit held back may have room. */
  tellChanges(onChanges: OnChanges, onRoom: () => void): void {
    this.#onChanges = onChanges;
    this.#onRoom = onRoom;
  }

  /** Notes that a statement of its own has changed these tasks. */
  changed(rows: ChangedRows): void {
    if (rows.length > 0) this.#onChanges(rows);
  }

  /** Several statements that see one moment. */
  async read<T>(
    run: (tx: Statements, nowMs: number) => Promise<T>,
    awayMaxMs?: number,
  ): Promise<T> {
    return await this.persist(() => this.#transaction(run, "repeatable read"), awayMaxMs);
  }

  /** One transaction; run again when another one undid it, and while the server is away (see `persist`). */
  async write<T>(run: (work: Work, isRepeat: boolean) => Promise<T>): Promise<T> {
    const { value, work } = await this.persist((isRepeat) =>
      this.#transaction(async (tx, nowMs) => {
        const work = new Work(tx, this.#contextAt(nowMs));
        const value = await run(work, isRepeat);
        await settleOrders(work);
        return { value, work };
      })
    );
    this.changed([...work.changes]);
    if (work.hasMadeRoom) this.#onRoom();
    return value;
  }

  /** The same for what a closed queue does not do. @throws QueueError `queue_moving`, `queue_moved`. */
  async writeIfOpen<T>(run: (work: Work, isRepeat: boolean) => Promise<T>): Promise<T> {
    return await this.write(async (work, isRepeat) => {
      await checkOpen(work.tx);
      return await run(work, isRepeat);
    });
  }

  /** Statements of this queue within a transaction of the caller's, and the work that they do at a time. */
  joined(tx: object): { readonly statements: Statements; work(nowMs: number): Work } {
    this.#checkOpen();
    const statements = new QualifiedStatements(this.database.joined(tx), this.#qualifier);
    return {
      statements,
      work: (nowMs) => new Work(statements, this.#contextAt(this.testMs ?? nowMs)),
    };
  }

  /** Sees to it that the lanes of these tasks are there. */
  async ensureLanes(tasks: readonly StorableTask[]): Promise<void> {
    this.#checkOpen();
    const hasWebhook = tasks.some((task) => "webhook" in task && task.webhook !== null);
    const names = tasks.map(({ kept }) => kept);
    await this.lanes.ensure(hasWebhook ? [...names, DELIVERY_LANE] : names);
  }

  /** From now on nothing is asked for any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.database.close();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new QueueError("queue_closed", "Cannot use the queue: it is closed");
  }

  #contextAt(nowMs: number): OperationContext {
    const { testMs, random, newRunId, retryPolicy, budget, lanes, flow } = this;
    return { nowMs, testMs, random, newRunId, retryPolicy, budget, lanes, flow };
  }

  async #transaction<T>(
    run: (tx: Statements, nowMs: number) => Promise<T>,
    isolation?: Isolation,
  ): Promise<T> {
    for (let tries = 1;; tries++) {
      try {
        this.#checkOpen();
        return await this.database.transaction((tx, serverMs) => {
          return run(new QualifiedStatements(tx, this.#qualifier), this.testMs ?? serverMs);
        }, isolation);
      } catch (error) {
        if (!mayRunAgain(error) || tries === TRIES_MAX) throw error;
      }
    }
  }
}

function mayRunAgain(error: unknown): boolean {
  return error instanceof RunAgainError || error instanceof DatabaseError && error.isConflict;
}
