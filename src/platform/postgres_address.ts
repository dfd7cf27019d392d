/**
 * Addresses of PostgreSQL: `postgres://user:password@host:port,host2:port/database?schema=…`.
 */
import type { PostgresHost, PostgresOptions } from "./postgres_driver.ts";

const PORT = 5432;

/** What an address says of the server. */
export function parsePostgresAddress(address: string): PostgresOptions {
  const [, scheme, credentials = "", hosts = "", database = ""] =
    /^(postgres(?:ql)?):\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?.*)?$/.exec(address) ?? [];
  if (scheme === undefined) {
    throw new TypeError("Cannot use the address: postgres://host/database is needed");
  }
  const [user = "", password] = credentials.split(":").map(decodeURIComponent);
  return {
    hosts: hosts.split(",").map(hostOf),
    database: decodeURIComponent(database) || user || "postgres",
    user: user || "postgres",
    password,
  };
}

function hostOf(text: string): PostgresHost {
  const [, host = "localhost", port] = /^(.*?)(?::(\d+))?$/.exec(text) ?? [];
  return { host: host || "localhost", port: port === undefined ? PORT : Number(port) };
}
