/**
 * Addresses of PostgreSQL: `postgres://user:password@host:port,host:port/database?schema=jobs`, as libpq reads them, and
 * what the queue adds. An error names the part that is wrong; no message holds a password, nor a part of one.
 */
import { checkInteger } from "../domain/check.ts";
import { quotePath } from "../domain/errors.ts";
import type { PostgresHost, PostgresOptions } from "./postgres_options.ts";
import { findPassword } from "./postgres_password.ts";
import { SSL_MODES, tlsOf } from "./postgres_tls.ts";

/** Which of several servers will do: a queue is written, so none that is only read. */
const TARGETS = ["any", "read-write", "primary"] as const;

/** What an address, and the environment where it says nothing, name: what the driver needs, and the queue's schema. */
export interface PostgresAddress extends PostgresOptions {
  /** The schema that holds the queue's tables; default `holdfast`. */
  readonly schema: string;
}

/** Reads an environment variable. */
export type ReadVariable = (name: string) => string | undefined;

/** The parameters that an address may have. */
const PARAMETERS = [
  "schema",
  "sslmode",
  "sslrootcert",
  "target_session_attrs",
  "connections",
  "pooled",
  "connect_timeout",
  "application_name",
  "host",
  "port",
] as const;

/** The channel of notifications has 63 bytes and the schema's name in it. */
const SCHEMA_MAX_BYTES = 54;

const DEFAULT_PORT = 5432;

/** The parts of an address, and how to say that one is wrong. */
interface Parts {
  readonly address: string;
  readonly authority: string;
  readonly userinfo: string | undefined;
  readonly path: string;
  readonly query: string;
}

/**
 * What the address names. The password is the address's, else that of `PGPASSWORD`, else of the file of `PGPASSFILE`.
 *
 * @throws TypeError, RangeError that name the part that is wrong; StorageError when `sslrootcert` cannot be read.
 */
export function parsePostgresAddress(
  address: string,
  variable: ReadVariable = (name) => Deno.env.get(name) || undefined,
): PostgresAddress {
  const parts = splitAddress(address);
  const parameters = parametersOf(parts);
  const given = (name: typeof PARAMETERS[number]): string | undefined => parameters.get(name);
  const hosts = hostsOf(parts, { host: given("host"), port: given("port") }, variable);
  const { user, password: own } = credentialsOf(parts, variable);
  const database = decoded(parts, parts.path, "the database") || variable("PGDATABASE") || user;
  const target = oneOf(parts, "target_session_attrs", given("target_session_attrs"), TARGETS);
  const sslMode = oneOf(parts, "sslmode", given("sslmode"), SSL_MODES) ?? "prefer";
  const isSocket = hosts.some(({ host }) => host.startsWith("/"));
  const timeoutS = integer(parts, "connect_timeout", given("connect_timeout"), [1, 600]);
  return {
    hosts: hosts.map((place) => {
      const { password, source } = findPassword(own, { user, database, ...place }, variable);
      return { ...place, password: password ?? undefined, passwordSource: source };
    }),
    database,
    user,
    schema: checkSchema(parts, given("schema") ?? "holdfast"),
    ssl: isSocket ? false : tlsOf(sslMode, given("sslrootcert")),
    target: target === "any" ? "any" : "read-write",
    connections: integer(parts, "connections", given("connections"), [1, 100]),
    isPrepared: oneOf(parts, "pooled", given("pooled"), ["true", "false"]) !== "true",
    connectTimeoutMs: timeoutS === undefined ? undefined : timeoutS * 1000,
    applicationName: given("application_name") || undefined,
  };
}

function credentialsOf(
  parts: Parts,
  variable: ReadVariable,
): { readonly user: string; readonly password: string | undefined } {
  const [given, password] = (parts.userinfo ?? "").split(/:(.*)/s).map((part, i) =>
    decoded(parts, part, i === 0 ? "the user" : "the password")
  );
  const user = given || variable("PGUSER") || variable("USER") || variable("USERNAME");
  if (user === undefined) throw wrong(parts, "it names no user, and PGUSER is not set");
  return { user, password };
}

/** An `@` behind the authority says that a password was not encoded: a part of it must not be taken for a host. */
function splitAddress(address: string): Parts {
  const [, authority = "", path = "", query = ""] =
    /^[^:]+:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?/.exec(address) ?? [];
  const at = authority.lastIndexOf("@");
  const parts = { address, authority: authority.slice(at + 1), path, query };
  const userinfo = at < 0 ? undefined : authority.slice(0, at);
  const rest = address.slice(address.indexOf("://") + 3 + authority.length);
  if (rest.includes("@")) {
    throw new TypeError(
      "Cannot use the address of a database: behind the host, or in the user or the password, a character has to be " +
        "percent-encoded: / as %2F, # as %23, ? as %3F, @ as %40",
    );
  }
  if (userinfo === undefined && /^[^,]*:[^,]*:/.test(parts.authority.replace(/\[.*?\]/g, ""))) {
    throw new TypeError("Cannot use the address of a database: the host is missing behind an @");
  }
  return { ...parts, userinfo };
}

function parametersOf(parts: Parts): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(parts.query)) {
    if (!(PARAMETERS as readonly string[]).includes(name)) {
      if (/pass/i.test(name)) {
        throw wrong(parts, "a password is no parameter: set PGPASSWORD, or PGPASSFILE");
      }
      throw wrong(
        parts,
        `there is no parameter ${JSON.stringify(name)}; ${PARAMETERS.join(", ")} are allowed`,
      );
    }
    if (parameters.has(name)) throw wrong(parts, `parameter ${name} is there twice`);
    parameters.set(name, value);
  }
  return parameters;
}

function hostsOf(
  parts: Parts,
  parameter: { readonly host: string | undefined; readonly port: string | undefined },
  variable: ReadVariable,
): readonly PostgresHost[] {
  if (parameter.host !== undefined && parts.authority !== "") {
    throw wrong(parts, "it names a host twice, also by the parameter host");
  }
  const list = parameter.host ?? (parts.authority || variable("PGHOST") || "localhost");
  const defaultPort = parameter.port ?? variable("PGPORT") ?? String(DEFAULT_PORT);
  return list.split(",").map((entry) => {
    const text = decoded(parts, entry, "the host");
    if (text.startsWith("/")) return { host: text, port: portOf(parts, defaultPort) };
    const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*))(?::(.*))?$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    if (!host || /[\s@\\]/.test(host)) {
      throw wrong(parts, `host ${JSON.stringify(text)} is not a name or an IP address`);
    }
    return { host, port: portOf(parts, port ?? defaultPort) };
  });
}

function portOf(parts: Parts, text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw wrong(parts, `port ${JSON.stringify(text)} is not a number from 1 to 65535`);
}

function checkSchema(parts: Parts, schema: string): string {
  const bytes = new TextEncoder().encode(schema).length;
  if (bytes < 1 || bytes > SCHEMA_MAX_BYTES) {
    throw wrong(parts, `schema has ${bytes} bytes, 1 to ${SCHEMA_MAX_BYTES} are allowed`);
  }
  if (/^pg_|^information_schema$/.test(schema) || schema.includes("\0")) {
    throw wrong(parts, `schema ${JSON.stringify(schema)} is PostgreSQL's own name`);
  }
  return schema;
}

function oneOf<T extends string>(
  parts: Parts,
  name: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((each) => each === value);
  if (found !== undefined) return found;
  throw wrong(parts, `${name} is ${JSON.stringify(value)}, ${allowed.join(", ")} are allowed`);
}

function integer(
  parts: Parts,
  name: string,
  value: string | undefined,
  [min, max]: readonly [number, number],
): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value)) {
    throw wrong(parts, `${name} is ${JSON.stringify(value)}, an integer is needed`);
  }
  return checkInteger(Number(value), `${name} of the address`, min, max);
}

function decoded(parts: Parts, text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(parts, `${what} has a % that begins no percent-encoded character`);
  }
}

function wrong({ address }: Parts, why: string): TypeError {
  return new TypeError(`Cannot use ${quotePath(address)} as the address of a queue: ${why}`);
}
