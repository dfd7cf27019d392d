/**
 * The driver of PostgreSQL: the npm package `pg`, behind the port that the queue's engine knows.
 *
 * Statements on one connection are sent as they come (`pipeline`), so those that do not wait for each other share one way to
 * the server and back. A connection that fails is thrown away, and whoever used it hears of it.
 */
import pg from "pg";
import {
  type ChannelListeners,
  type Database,
  DatabaseError,
  type Isolation,
  type Parameter,
  type Row,
  type Statements,
  type StopListening,
} from "../postgres_queue/rows/database.ts";
import { AnswerWatch } from "./answer_watch.ts";
import { callersStatements } from "./caller_transaction.ts";
import { ConnectionPool } from "./connection_pool.ts";
import { PostgresConnector } from "./postgres_connector.ts";
import { connectionError, TYPES } from "./postgres_errors.ts";
import type { PostgresOptions } from "./postgres_options.ts";

/** How long the listener waits until it connects again. */
const LISTEN_AGAIN_MS = 500;

/** After how long plans are made anew, with the tables as they are now. */
const PLANS_MAX_MS = 10_000;

/**
 * How statements are planned on a connection of one's own: once for all parameters, since planning them anew costs more than
 * to run many of them; and never by reading a whole table, since the plan that is best for an empty one would be kept while it
 * grows. A plan for all parameters expects many rows of a large table where a few will come, so that nothing is compiled and no
 * parallel workers are started for it: to start them takes 15 ms. Reading transactions may do all of it.
 */
const PLANNING = {
  own: `select set_config('plan_cache_mode', 'force_generic_plan', false),
    set_config('enable_seqscan', 'off', false), set_config('enable_mergejoin', 'off', false),
    set_config('max_parallel_workers_per_gather', '0', false), set_config('jit', 'off', false)`,
  reading: `select set_config('plan_cache_mode', 'auto', true),
    set_config('enable_seqscan', 'on', true), set_config('enable_mergejoin', 'on', true),
    set_config('max_parallel_workers_per_gather', '2', true), set_config('jit', 'on', true)`,
  again: "discard plans",
} as const;

/** How often a listener proves that it still hears. */
const LISTENER_BEAT_MS = 10_000;

/** How long the server may take to answer a leave. */
const LEAVE_MAX_MS = 2000;

/** A server that was written to takes no more writes. */
const READ_ONLY_STATE = "25006";

/** A pool of connections to one database. */
export class PostgresDatabase implements Database {
  readonly location: string;
  readonly #options: PostgresOptions;
  readonly #connector: PostgresConnector;
  readonly #pool: ConnectionPool<pg.Client>;
  readonly #watch: AnswerWatch<pg.Client>;
  readonly #names = new Map<string, string>();
  /** Since when a connection keeps its plans. */
  readonly #plannedAt = new WeakMap<pg.Client, number>();

  constructor(options: PostgresOptions) {
    const { hosts, database, connections = 4 } = options;
    this.#options = options;
    const places = hosts.map(({ host, port }) => `${host}:${port}`);
    this.location = `${places.join(",")}/${database}`;
    this.#connector = new PostgresConnector(options, (client) => this.#pool.lose(client));
    this.#watch = new AnswerWatch({
      isAtWork: (client) => this.#connector.isAtWork(client),
      giveUp: cut,
      silenceMaxMs: options.silenceMaxMs,
    });
    this.#pool = new ConnectionPool({
      connect: () => this.#connect(),
      disconnect: end,
      sizeMax: connections,
    });
  }

  async query(text: string, parameters: readonly Parameter[] = []): Promise<Row[]> {
    return await this.inOrder((statements) => statements.query(text, parameters));
  }

  async inOrder<T>(run: (statements: Statements) => Promise<T>): Promise<T> {
    const client = await this.#take();
    try {
      return await this.#runOn(client, run);
    } finally {
      this.#pool.give(client);
    }
  }

  async transaction<T>(
    run: (tx: Statements, serverMs: number) => Promise<T>,
    isolation: Isolation = "read committed",
  ): Promise<T> {
    const client = await this.#take();
    try {
      const value = await this.#runOn(client, async (tx) => {
        const isReading = isolation === "repeatable read" && this.#isOwn;
        const [, [moment]] = await Promise.all([
          tx.query(`begin isolation level ${isolation}`),
          tx.query("select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now"),
          isReading ? tx.query(PLANNING.reading) : [],
        ]);
        return await run(tx, Number(moment!.now));
      }).catch(async (error) => {
        await this.#query(client, "rollback").catch(() => {}); // a lost connection has rolled back
        throw error instanceof DatabaseError ? error.undone() : error;
      });
      await this.#query(client, "commit");
      return value;
    } finally {
      this.#pool.give(client);
    }
  }

  joined(tx: object): Statements {
    return callersStatements(tx, { types: TYPES, errorOf: connectionError });
  }

  async listen(channel: string, listeners: ChannelListeners): Promise<StopListening> {
    let isStopped = false;
    let client: pg.Client | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let beat: ReturnType<typeof setInterval> | undefined;
    let connecting: Promise<void> = Promise.resolve();
    const listen = async (): Promise<void> => {
      const connected = await this.#connector.connect();
      if (isStopped) return await end(connected);
      client = connected;
      let isLost = false;
      client.on("notification", ({ payload = "" }) => listeners.onMessage(payload));
      client.on("end", () => {
        isLost = true;
        if (beat !== undefined) clearInterval(beat);
        listeners.onLost();
        again();
      });
      await this.#query(client, `listen ${pg.escapeIdentifier(channel)}`);
      if (isLost) return; // the end has been told, and another connection is on its way
      beat = beatOf(connected);
      listeners.onConnected();
    };
    const again = (): void => {
      if (isStopped) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        connecting = listen().catch(again);
      }, LISTEN_AGAIN_MS);
    };
    await listen().catch(again);
    return async () => {
      isStopped = true;
      if (timer !== undefined) clearTimeout(timer);
      await connecting;
      if (beat !== undefined) clearInterval(beat);
      if (client !== undefined) await end(client);
    };
  }

  async close(): Promise<void> {
    await this.#pool.close();
    this.#watch.close();
  }

  async #take(): Promise<pg.Client> {
    const client = await this.#pool.take();
    const nowMs = performance.now();
    if (this.#isOwn && nowMs - (this.#plannedAt.get(client) ?? 0) > PLANS_MAX_MS) {
      this.#plannedAt.set(client, nowMs);
      this.#query(client, PLANNING.again).catch(() => {}); // what follows on it will fail, too
    }
    return client;
  }

  /** The statements of one user of a connection; those that it left alone have ended when this ends. */
  async #runOn<T>(client: pg.Client, run: (statements: Statements) => Promise<T>): Promise<T> {
    const underWay = new Set<Promise<unknown>>();
    const query = (text: string, parameters: readonly Parameter[] = []): Promise<Row[]> => {
      const answer = this.#query(client, text, parameters);
      underWay.add(answer);
      answer.catch(() => {}).finally(() => underWay.delete(answer));
      return answer;
    };
    try {
      return await run({ query });
    } finally {
      await Promise.allSettled(underWay);
    }
  }

  async #query(
    client: pg.Client,
    text: string,
    values: readonly Parameter[] = [],
  ): Promise<Row[]> {
    this.#watch.asked(client);
    try {
      const name = this.#isOwn ? this.#nameOf(text) : undefined;
      const { rows } = await client.query<Row>({ name, text, values: values as Parameter[] });
      return rows;
    } catch (error) {
      throw this.#failureOf(client, connectionError(error));
    } finally {
      this.#watch.answered(client);
    }
  }

  /** Whether a connection stays with the same session of the server. */
  get #isOwn(): boolean {
    return this.#options.isPrepared !== false;
  }

  /** Of several servers one that takes no writes any more is left, as if it were gone: another one has taken its place. */
  #failureOf(client: pg.Client, error: DatabaseError): DatabaseError {
    const { isChoosy, isReadOnly } = this.#connector;
    if (error.code !== READ_ONLY_STATE || !isChoosy || isReadOnly) return error;
    cut(client);
    const { code, message, cause } = error;
    return new DatabaseError(code, message, { isConnectionLost: true, cause });
  }

  /** The name under which a statement is prepared. */
  #nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = `holdfast_${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }

  /** A connection for the pool, which plans as this engine wants it. */
  async #connect(): Promise<pg.Client> {
    const client = await this.#connector.connect();
    try {
      if (this.#isOwn) await this.#query(client, PLANNING.own);
      return client;
    } catch (error) {
      cut(client);
      throw error;
    }
  }
}

/** Takes leave of the server, for as long as it answers. */
async function end(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => cut(client), LEAVE_MAX_MS);
  await client.end().finally(() => clearTimeout(timer));
}

/** Ends a connection without a word, since nothing answers at its other end. */
function cut(client: pg.Client): void {
  const { connection } = client as unknown as {
    readonly connection: { readonly stream: { destroy(): void } };
  };
  connection.stream.destroy();
}

/** Cuts a connection that is only listened to when it does not answer from one beat to the next. */
function beatOf(client: pg.Client): ReturnType<typeof setInterval> {
  let isAwaited = false;
  return setInterval(() => {
    if (isAwaited) return cut(client);
    isAwaited = true;
    client.query("select 1").then(() => isAwaited = false, () => {}); // it is lost, which others notice
  }, LISTENER_BEAT_MS);
}
