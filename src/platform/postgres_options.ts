/**
 * How to reach a PostgreSQL database.
 */
import type { DriverTls } from "./postgres_tls.ts";

/** Where a server listens. */
export interface PostgresHost {
  readonly host: string;
  readonly port: number;
  /** Default none. */
  readonly password?: string;
  /** Where the password was looked for: what a refusal of it says; default nothing. */
  readonly passwordSource?: string;
}

/** How to reach a server. */
export interface PostgresOptions {
  /** The servers that are tried in turn; the first that takes writes is used. */
  readonly hosts: readonly PostgresHost[];
  readonly database: string;
  readonly user: string;
  /** How TLS is spoken, as node:tls takes it, or `prefer`: where the server speaks it; default not at all. */
  readonly ssl?: DriverTls;
  /** Which of several servers is taken: any, or one that takes writes; default the latter. */
  readonly target?: "any" | "read-write";
  /** How long a connection may take, in milliseconds; default 10,000. */
  readonly connectTimeoutMs?: number;
  /** After how long without an answer it is asked whether the server still works on it, in milliseconds; default 5000. */
  readonly silenceMaxMs?: number;
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
