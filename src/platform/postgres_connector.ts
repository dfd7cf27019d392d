/**
 * Connecting to a PostgreSQL server: which of several hosts, how encrypted, as whom; and whether the other end of a connection is
 * still there.
 */
import pg from "pg";
import { DatabaseError } from "../postgres_queue/rows/database.ts";
import { connectionError, notConnected, TYPES } from "./postgres_errors.ts";
import type { PostgresHost, PostgresOptions } from "./postgres_options.ts";
import { type DriverTls, PREFERRED_TLS } from "./postgres_tls.ts";

/** How long a connection may take. */
const CONNECT_TIMEOUT_MS = 10_000;

/** How long it may take to ask about another one. */
const PROBE_TIMEOUT_MS = 5000;

/** What the driver says of a server without TLS, where there is no code. */
const NO_TLS = /does not support SSL/;

/** A setting that makes a session read-only: then a server that is read-only will do. */
const READ_ONLY_SETTING = "default_transaction_read_only";

const CONNECT_SQL = {
  isReadOnly: "select pg_is_in_recovery() as is_standby, " +
    "current_setting('transaction_read_only') = 'on' as is_read_only",
  state: "select state from pg_stat_activity where pid = $1",
} as const;

/** A client, and the host that it is connected to. */
interface Connected {
  readonly client: pg.Client;
  readonly host: PostgresHost;
}

/** Makes connections to one database. */
export class PostgresConnector {
  readonly #options: PostgresOptions;
  readonly #onLost: (client: pg.Client) => void;
  readonly #hostOf = new WeakMap<pg.Client, PostgresHost>();
  /** The one that was last found good stands first. */
  #hosts: readonly PostgresHost[];

  constructor(options: PostgresOptions, onLost: (client: pg.Client) => void) {
    this.#options = options;
    this.#onLost = onLost;
    this.#hosts = options.hosts;
  }

  /** Whether a server that takes no writes is left for another one. */
  get isChoosy(): boolean {
    const { hosts, target } = this.#options;
    return hosts.length > 1 && target !== "any";
  }

  /** Whether the session itself is to be read-only. */
  get isReadOnly(): boolean {
    return this.#options.settings?.[READ_ONLY_SETTING] === "on";
  }

  /** Connects to the first server that will do. @throws DatabaseError that says for each host why not. */
  async connect(): Promise<pg.Client> {
    const refusals: { readonly host: PostgresHost; readonly error: DatabaseError }[] = [];
    for (const host of this.#hosts) {
      try {
        const { client } = await this.#connectTo(host);
        this.#hosts = [host, ...this.#hosts.filter((other) => other !== host)];
        return client;
      } catch (error) {
        refusals.push({ host, error: connectionError(error) });
      }
    }
    throw refusalOf(refusals);
  }

  /** Whether the server still works on what it was asked over this connection; `true` where that cannot be known. */
  async isAtWork(client: pg.Client): Promise<boolean> {
    const host = this.#hostOf.get(client);
    const { processID } = client as unknown as { readonly processID: number | null };
    if (host === undefined) return true;
    try {
      const probe = await this.#connectTo(host, PROBE_TIMEOUT_MS);
      try {
        if (this.#options.isPrepared === false || !processID) return true; // a pooler's numbers are its own
        const { rows: [row] } = await probe.client.query(CONNECT_SQL.state, [processID]);
        return row?.state === "active";
      } finally {
        await probe.client.end();
      }
    } catch (error) {
      const { isConnectionLost } = connectionError(error);
      return !isConnectionLost; // it answers, if only to refuse: too many connections, say
    }
  }

  async #connectTo(host: PostgresHost, timeoutMaxMs = Infinity): Promise<Connected> {
    const { ssl = false } = this.#options;
    if (ssl !== "prefer") return await this.#connectWith(host, ssl, timeoutMaxMs);
    try {
      return await this.#connectWith(host, PREFERRED_TLS, timeoutMaxMs);
    } catch (error) {
      if (!(error instanceof Error && NO_TLS.test(error.message))) throw error;
      return await this.#connectWith(host, false, timeoutMaxMs);
    }
  }

  async #connectWith(
    host: PostgresHost,
    ssl: DriverTls,
    timeoutMaxMs: number,
  ): Promise<Connected> {
    const { database, user, applicationName = "holdfast" } = this.#options;
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS, settings = {} } = this.#options;
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
    const client = new pg.Client({
      host: host.host,
      port: host.port,
      database,
      user,
      password: host.password ?? "",
      ssl,
      options: options.length === 0 ? undefined : options.join(" "),
      application_name: applicationName,
      connectionTimeoutMillis: Math.min(connectTimeoutMs, timeoutMaxMs),
      keepAlive: true,
      pipeline: true,
      types: TYPES,
    } as pg.ClientConfig);
    client.on("error", () => this.#onLost(client)); // who used it hears of it by its statements
    client.on("end", () => this.#onLost(client));
    try {
      await client.connect();
      if (this.isChoosy) await this.#checkWritable(client);
      this.#hostOf.set(client, host);
      return { client, host };
    } catch (error) {
      await client.end().catch(() => {}); // it was not connected
      throw notConnected(error, host.passwordSource);
    }
  }

  async #checkWritable(client: pg.Client): Promise<void> {
    const { rows: [row] } = await client.query(CONNECT_SQL.isReadOnly);
    if (row.is_standby) throw standby("it is a standby, which takes no writes");
    if (row.is_read_only && !this.isReadOnly) throw standby("it is read-only now");
  }
}

/** Another server may take its place, or it may be promoted. */
function standby(message: string): DatabaseError {
  return new DatabaseError("STANDBY", message, { isConnectionLost: true });
}

/** Why none of the hosts will do, each with its reason. */
function refusalOf(
  refusals: readonly { readonly host: PostgresHost; readonly error: DatabaseError }[],
): DatabaseError {
  const [first] = refusals;
  if (refusals.length === 1) return first!.error;
  const codes = new Set(refusals.map(({ error }) => error.code));
  const code = codes.has("STANDBY") ? "STANDBY" : first!.error.code;
  const reasons = refusals.map(({ host, error }) => `${host.host}:${host.port}: ${error.message}`);
  return new DatabaseError(code, `none of the hosts will do (${reasons.join("; ")})`, {
    isConnectionLost: refusals.every(({ error }) => error.isConnectionLost),
    cause: first!.error,
  });
}
