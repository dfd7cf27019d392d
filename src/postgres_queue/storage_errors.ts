/**
 * What a database refused, in the words of the queue: what failed there, why, and the way out.
 */
import { StorageError } from "../domain/errors.ts";
import { DatabaseError } from "./rows/database.ts";

/** The way out, by the SQLSTATE or the system's code; the first part of a SQLSTATE stands for its class. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  "28": "check the user, the password and the server's pg_hba.conf",
  "3D000": "make the database first, or correct its name",
  "25006":
    "the server is read-only, such as a replica: give the address of the primary, or several hosts",
  "42501": "the owner of the schema grants what is missing; docs/postgres.md lists it",
  "3F000": "the queue's schema is gone: holdfast migrate makes it",
  "42P01": "the queue's tables are gone, or of another version: holdfast migrate makes them",
  "42703": "the queue's tables are of another version: holdfast migrate brings them to this one",
  "53300":
    "too many connections: raise the server's max_connections, take less by connections= in the address, or put a pooler between",
  "53100": "the server's disk is full",
  "53200": "the server is out of memory",
  "57014":
    "the server ended the statement: raise statement_timeout for this user (alter role … set statement_timeout)",
  "55P03": "another transaction holds a lock for longer than lock_timeout",
  "57P03": "the server starts, or stops: try again soon",
  STANDBY:
    "promote a standby, or start the primary; what is open waits for that up to 30 seconds and goes on by itself",
  ECONNREFUSED: "no server listens there: check host and port, and that it runs",
  EPERM: "this program may not ask for that host: start it with --allow-net, or compiled",
  ENOTFOUND: "no such host is known: check its name",
  EAI_AGAIN: "the host's name could not be looked up: check it, and the network",
  ECONNRESET:
    "the server ended the connection; if it speaks no TLS, sslmode=prefer or disable in the address",
  CONNECT_TIMEOUT: "no server answered in time: check host, port and firewall",
};

/** `thrown` as a StorageError if it came from the database; else as it is. */
export function storageErrorOf(thrown: unknown, location: string): unknown {
  if (!(thrown instanceof DatabaseError)) return thrown;
  const { code, message, isInDoubt } = thrown;
  if (isInDoubt) {
    const reason =
      `the connection was lost before the server answered, so whether it was done is unknown (${code})`;
    return new StorageError("commit to", location, reason, { cause: thrown });
  }
  const known = code === "" ? "" : ` (${code})`;
  const wayOut = wayOutOf(code, message);
  const reason = `${message}${known}${wayOut === undefined ? "" : `; ${wayOut}`}`;
  const operation = isUnreachable(thrown) ? "reach" : "work on";
  return new StorageError(operation, location, reason, { cause: thrown });
}

function wayOutOf(code: string, message: string): string | undefined {
  if (/does not support SSL/.test(message)) {
    return "turn TLS on there, or give sslmode=prefer or disable in the address";
  }
  return WAYS_OUT[code] ?? WAYS_OUT[code.slice(0, 2)];
}

/** Codes of the system are words, SQLSTATEs of failed connections begin with 08, 28, 3D, 53 and 57P. */
function isUnreachable({ code, isConnectionLost }: DatabaseError): boolean {
  return isConnectionLost || /^(E[A-Z_]+|08|28|3D|533|57P)/.test(code);
}
