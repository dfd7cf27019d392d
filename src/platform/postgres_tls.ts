/**
 * Encryption of connections to a PostgreSQL server, as `sslmode` asks for it.
 */
import { messageOf, StorageError } from "../domain/errors.ts";

/** How a connection is encrypted, and whether the server must prove who it is; as for libpq. */
export type SslMode = typeof SSL_MODES[number];

/** Every mode that an address may name; libpq's `allow` is left out: it asks for TLS only where the server insists. */
export const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;

/** What the driver takes: how it treats certificates, or that there is no encryption. */
export type DriverTls = false | "prefer" | {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly checkServerIdentity?: () => undefined;
};

/** Encrypted, whoever the server is. */
export const PREFERRED_TLS: DriverTls = Object.freeze({ rejectUnauthorized: false });

/** How connections to this address are encrypted. @throws StorageError when the file of certificates cannot be read. */
export function tlsOf(sslMode: SslMode, sslRootCert: string | undefined): DriverTls {
  if (sslMode === "disable") return false;
  if (sslMode === "prefer") return "prefer";
  const ca = sslRootCert === undefined ? {} : { ca: readCertificates(sslRootCert) };
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
