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
import { callersStatements } from "./caller_transaction.ts";
import { ConnectionPool } from "./connection_pool.ts";
import { type DriverTls, PREFERRED_TLS } from "./postgres_tls.ts";

/** Where a server listens. */
export interface PostgresHost {
  readonly host: string;
  readonly port: number;
}

/** How to reach a server. */
export interface PostgresOptions {
  /** The servers that are tried in turn; the first that takes writes is used. */
  readonly hosts: readonly PostgresHost[];
  readonly database: string;
  readonly user: string;
  /** Default none. */
  readonly password?: string;
  /** Where the password was looked for: what a refusal of it says; default nothing. */
  readonly passwordSource?: string;
  /** How TLS is spoken, as node:tls takes it, or `prefer`: where the server speaks it; default not at all. */
  readonly ssl?: DriverTls;
  /** Which of several servers is taken: any, or one that takes writes; default the latter. */
  readonly target?: "any" | "read-write";
  /** How long a connection may take, in milliseconds; default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Settings of each connection, such as `synchronous_commit`, which a pooler does not pass on; default none. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How many connections at most, beside the one that listens; default 4. */
  readonly connections?: number;
  /**
   * Whether statements are prepared once for a connection; default true. Not with a pooler that gives each transaction another
   * connection.
   */
  readonly isPrepared?: boolean;
  /** What the server shows as this program's name; default `holdfast`. */
  readonly applicationName?: string;
}

/** The server ends connections with these, or cannot take one yet. */
const LOST_STATES: readonly string[] = ["57P01", "57P02", "57P03", "08006", "08003", "08000"];

/** After these nothing can have run. */
const NOT_CONNECTED: readonly string[] = ["57P03", "not_connected"];

/** How long a connection may take. */
const CONNECT_TIMEOUT_MS = 10_000;

/** What the driver says of a server without TLS, where there is no code. */
const NO_TLS = /does not support SSL/;

/** How long the listener waits until it connects again. */
const LISTEN_AGAIN_MS = 500;

/** After how long plans are made anew, with the tables as they are now. */
const PLANS_MAX_MS = 10_000;

/** A `bigint` is a number here: ids and instants are below 2^53. */
const BIGINT = 20;

/**
 * How statements are planned on a connection of one's own: once for all parameters, since planning them anew costs more than
 * to run many of them; and never by reading a whole table, since the plan that is best for an empty one would be kept while it
 * grows. Reading transactions may look at everything.
 */
const PLANNING = {
  own: `select set_config('plan_cache_mode', 'force_generic_plan', false),
    set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),
    set_config('enable_mergejoin', 'off', false)`,
  reading: `select set_config('plan_cache_mode', 'auto', true),
    set_config('enable_seqscan', 'on', true), set_config('enable_hashjoin', 'on', true),
    set_config('enable_mergejoin', 'on', true)`,
  again: "discard plans",
} as const;

const TYPES = {
  getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
    return oid === BIGINT ? Number : pg.types.getTypeParser(oid, format as "text");
  },
};

/** A pool of connections to one database. */
export class PostgresDatabase implements Database {
  readonly location: string;
  readonly #options: PostgresOptions;
  readonly #pool: ConnectionPool<pg.Client>;
  readonly #names = new Map<string, string>();
  /** Since when a connection keeps its plans. */
  readonly #plannedAt = new WeakMap<pg.Client, number>();

  constructor(options: PostgresOptions) {
    const { hosts, database, connections = 4 } = options;
    this.#options = options;
    const places = hosts.map(({ host, port }) => `${host}:${port}`);
    this.location = `${places.join(",")}/${database}`;
    this.#pool = new ConnectionPool({
      connect: () => this.#connect(),
      disconnect: (client) => client.end(),
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
    return callersStatements(tx, { types: TYPES, errorOf: databaseError });
  }

  async listen(channel: string, listeners: ChannelListeners): Promise<StopListening> {
    let isStopped = false;
    let client: pg.Client | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let connecting: Promise<void> = Promise.resolve();
    const listen = async (): Promise<void> => {
      const connected = await this.#connect();
      if (isStopped) return await connected.end();
      client = connected;
      client.on("notification", ({ payload = "" }) => listeners.onMessage(payload));
      client.on("end", () => {
        listeners.onLost();
        again();
      });
      await this.#query(client, `listen ${pg.escapeIdentifier(channel)}`);
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
      clearTimeout(timer);
      await connecting;
      await client?.end();
    };
  }

  async close(): Promise<void> {
    await this.#pool.close();
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
    try {
      const name = this.#isOwn ? this.#nameOf(text) : undefined;
      const { rows } = await client.query<Row>({ name, text, values: values as Parameter[] });
      return rows;
    } catch (error) {
      throw databaseError(error);
    }
  }

  /** Whether a connection stays with the same session of the server. */
  get #isOwn(): boolean {
    return this.#options.isPrepared !== false;
  }

  /** The name under which a statement is prepared. */
  #nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = `holdfast_${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }

  /** Connects to the first server that takes writes. */
  async #connect(): Promise<pg.Client> {
    let reason: unknown;
    for (const host of this.#options.hosts) {
      try {
        return await this.#connectTo(host);
      } catch (error) {
        reason = error;
      }
    }
    throw reason;
  }

  async #connectTo(host: PostgresHost): Promise<pg.Client> {
    const { ssl = false } = this.#options;
    if (ssl !== "prefer") return await this.#connectWith(host, ssl);
    try {
      return await this.#connectWith(host, PREFERRED_TLS);
    } catch (error) {
      if (!(error instanceof Error && NO_TLS.test(error.message))) throw error;
      return await this.#connectWith(host, false);
    }
  }

  async #connectWith({ host, port }: PostgresHost, ssl: DriverTls): Promise<pg.Client> {
    const { database, user, password, applicationName = "holdfast", hosts, target } = this.#options;
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS, settings = {} } = this.#options;
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`).join(
      " ",
    );
    const client = new pg.Client({
      host,
      port,
      database,
      user,
      password: password ?? "",
      ssl,
      options: options === "" ? undefined : options,
      application_name: applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      pipeline: true,
      types: TYPES,
    } as pg.ClientConfig);
    client.on("error", () => this.#pool.lose(client)); // who used it hears of it by its statements
    client.on("end", () => this.#pool.lose(client));
    try {
      await client.connect();
      if (this.#isOwn) await this.#query(client, PLANNING.own);
      if (hosts.length > 1 && target !== "any") await this.#checkWritable(client);
      return client;
    } catch (error) {
      await client.end().catch(() => {}); // it was not connected
      throw notConnected(error, this.#options.passwordSource);
    }
  }

  async #checkWritable(client: pg.Client): Promise<void> {
    const [row] = await this.#query(client, "select pg_is_in_recovery() as is_standby");
    if (row!.is_standby === true) throw new DatabaseError("57P03", "it is a standby");
  }
}

/** What is not an error of the server is one of the connection. */
function databaseError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const { code = "", message = String(error) } = error as Partial<Error & { code: string }>;
  const isConnectionLost = !(error instanceof pg.DatabaseError) || LOST_STATES.includes(code);
  return new DatabaseError(code, message, {
    isConnectionLost,
    isInDoubt: isConnectionLost && !NOT_CONNECTED.includes(code),
    cause: error,
  });
}

/** No connection could be made: nothing has run. A refusal by the server stays what it is. */
function notConnected(error: unknown, passwordSource: string | undefined): DatabaseError {
  const { code, message, isConnectionLost } = databaseError(error);
  // the server does not say where a password that it refuses came from
  const isRefused = code.startsWith("28") && passwordSource !== undefined;
  const said = isRefused ? `${message} (${passwordSource})` : message;
  return new DatabaseError(code, said, { isConnectionLost, cause: error });
}
