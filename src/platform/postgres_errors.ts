/**
 * What the driver of PostgreSQL throws and reads, in the terms of the engine's port.
 */
import pg from "pg";
import { DatabaseError } from "../postgres_queue/rows/database.ts";

/** The server ends connections with these, or cannot take one yet. */
const LOST_STATES: readonly string[] = ["57P01", "57P02", "57P03", "08006", "08003", "08000"];

/** After these nothing can have run. */
const NOT_CONNECTED: readonly string[] = ["57P03", "not_connected"];

/** A `bigint` is a number here: ids and instants are below 2^53. */
const BIGINT = 20;

/** How values of the server are read. */
export const TYPES = {
  getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
    return oid === BIGINT ? Number : pg.types.getTypeParser(oid, format as "text");
  },
};

/** What is not an error of the server is one of the connection. */
export function connectionError(error: unknown): DatabaseError {
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
export function notConnected(error: unknown, passwordSource: string | undefined): DatabaseError {
  const { code, message, isConnectionLost } = connectionError(error);
  // the server does not say where a password that it refuses came from
  const isRefused = code.startsWith("28") && passwordSource !== undefined;
  const said = isRefused ? `${message} (${passwordSource})` : message;
  return new DatabaseError(code, said, { isConnectionLost, cause: error });
}
