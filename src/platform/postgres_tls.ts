/**
 * Encryption of connections to a PostgreSQL server, as `sslmode` asks for it.
 */
import { messageOf, StorageError } from "../domain/errors.ts";
import type { PostgresAddress } from "./postgres_address.ts";

/** What the driver takes: how it treats certificates, or that there is no encryption. */
export type DriverTls = false | "prefer" | {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly checkServerIdentity?: () => undefined;
};

/** How connections to this address are encrypted. @throws StorageError when the file of certificates cannot be read. */
export function tlsOf({ sslMode, sslRootCert }: PostgresAddress): DriverTls {
  if (sslMode === "disable") return false;
  if (sslMode === "prefer") return "prefer";
  const ca = sslRootCert === null ? {} : { ca: readCertificates(sslRootCert) };
  if (sslMode === "require") return { rejectUnauthorized: false, ...ca };
  const anyName = { checkServerIdentity: () => undefined };
  return { rejectUnauthorized: true, ...ca, ...(sslMode === "verify-ca" ? anyName : {}) };
}

function readCertificates(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new StorageError("read", path, messageOf(error), { cause: error });
  }
}
