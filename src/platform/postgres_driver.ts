/**
 * The driver of PostgreSQL: the npm package `postgres`, behind the port that the queue's engine knows.
 */
import postgres from "postgres";
import {
  type Database,
  DatabaseError,
  type Isolation,
  type Parameter,
  type Row,
  type Statements,
  type StopListening,
} from "../postgres_queue/rows/database.ts";

/** How to reach a server. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`; several hosts are tried in turn. */
  readonly url: string;
  /** How many connections at most, beside the one that listens; default 4. */
  readonly connections?: number;
  /**
   * Whether statements may be prepared once for a connection; default true. Not with a pooler that gives each transaction
   * another connection.
   */
  readonly isPrepared?: boolean;
  /** What the server shows as this program's name; default `holdfast`. */
  readonly applicationName?: string;
}

/** Codes of the driver and the system for a connection that was lost, or could not be made. */
const LOST = [
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "57P01",
  "57P02",
  "57P03",
];

/** Those after which nothing can have run. */
const NOT_CONNECTED = ["CONNECT_TIMEOUT", "ECONNREFUSED", "57P03"];

/** How long a connection may take, in seconds. */
const CONNECT_TIMEOUT_S = 10;

/** A pool of connections to one database. */
export class PostgresDatabase implements Database {
  readonly location: string;
  readonly #sql: postgres.Sql;
  readonly #isPrepared: boolean;

  constructor(options: PostgresOptions) {
    const { url, connections = 4, isPrepared = true, applicationName = "holdfast" } = options;
    this.#isPrepared = isPrepared;
    this.#sql = postgres(url, {
      max: connections,
      prepare: isPrepared,
      connect_timeout: CONNECT_TIMEOUT_S,
      idle_timeout: 0,
      max_lifetime: null,
      fetch_types: true, // without it, the first `reserve` of the driver never ends
      onnotice: () => {},
      connection: { application_name: applicationName },
      types: {
        integer: {
          to: 20,
          from: [20],
          serialize: String,
          parse: Number,
        },
      },
    });
    const { host, port, database } = this.#sql.options;
    this.location = `${host.map((name, i) => `${name}:${port[i]}`).join(",")}/${database}`;
  }

  async query(text: string, parameters: readonly Parameter[] = []): Promise<Row[]> {
    return await this.#run(this.#sql, text, parameters);
  }

  async inOrder<T>(run: (statements: Statements) => Promise<T>): Promise<T> {
    const connection = await this.#reserve();
    try {
      return await run({
        query: (text, parameters = []) => this.#run(connection, text, parameters),
      });
    } finally {
      connection.release();
    }
  }

  async transaction<T>(
    run: (tx: Statements, serverMs: number) => Promise<T>,
    isolation: Isolation = "read committed",
  ): Promise<T> {
    const connection = await this.#reserve();
    try {
      const serverMs = await this.#begin(connection, isolation);
      const value = await this.#runIn(connection, (tx) => run(tx, serverMs));
      await this.#commit(connection);
      return value;
    } finally {
      connection.release();
    }
  }

  async listen(
    channel: string,
    { onMessage, onConnected }: {
      readonly onMessage: (text: string) => void;
      readonly onConnected: () => void;
    },
  ): Promise<StopListening> {
    try {
      const { unlisten } = await this.#sql.listen(channel, onMessage, onConnected);
      return async () => {
        await unlisten().catch(() => {}); // a lost connection listens no more
      };
    } catch (error) {
      throw databaseError(error);
    }
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 5 });
  }

  async #reserve(): Promise<postgres.ReservedSql> {
    try {
      return await this.#sql.reserve();
    } catch (error) {
      throw databaseError(error);
    }
  }

  async #begin(connection: postgres.ReservedSql, isolation: Isolation): Promise<number> {
    try {
      const results = await connection.unsafe(
        `begin isolation level ${isolation}; select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now`,
      );
      return Number((results as unknown as Row[][])[1]![0]!.now);
    } catch (error) {
      throw databaseError(error).undone();
    }
  }

  async #runIn<T>(
    connection: postgres.ReservedSql,
    run: (tx: Statements) => Promise<T>,
  ): Promise<T> {
    const underWay = new Set<Promise<unknown>>();
    const query = (text: string, parameters: readonly Parameter[] = []): Promise<Row[]> => {
      const answer = this.#run(connection, text, parameters);
      underWay.add(answer);
      answer.catch(() => {}).finally(() => underWay.delete(answer));
      return answer;
    };
    try {
      return await run({ query });
    } catch (error) {
      await Promise.allSettled(underWay);
      await connection.unsafe("rollback").catch(() => {}); // a lost connection has rolled back
      throw error instanceof DatabaseError ? error.undone() : error;
    }
  }

  async #commit(connection: postgres.ReservedSql): Promise<void> {
    try {
      await connection.unsafe("commit");
    } catch (error) {
      throw databaseError(error);
    }
  }

  async #run(
    sql: postgres.Sql | postgres.ReservedSql,
    text: string,
    parameters: readonly Parameter[],
  ): Promise<Row[]> {
    try {
      const options = { prepare: this.#isPrepared };
      const rows = await sql.unsafe(text, parameters.map(parameterOf), options);
      return rows as unknown as Row[];
    } catch (error) {
      throw databaseError(error);
    }
  }
}

/** An array goes as the text of an array, so that the driver need not ask the server about types. */
function parameterOf(value: Parameter): string | number | boolean | null {
  return Array.isArray(value) ? `{${value.map(elementOf).join(",")}}` : value as string;
}

function elementOf(value: string | number | boolean | null): string {
  if (typeof value !== "string") return String(value);
  return `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
}

function databaseError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error;
  const { code = "unknown", message = String(error) } = error as Partial<Error & { code: string }>;
  const isConnectionLost = LOST.includes(code);
  return new DatabaseError(code, message, {
    isConnectionLost,
    isInDoubt: isConnectionLost && !NOT_CONNECTED.includes(code),
    cause: error,
  });
}
