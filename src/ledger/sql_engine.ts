/**
 * SqlEngine: the port for the SQLite that holds a replica. Synchronous, because a transaction body is.
 */

/** What a column may hold. Integers are exact up to 2^53. */
export type SqlValue = number | string | null;

/** A row, by position. */
export type SqlRow = readonly SqlValue[];

/** A SQLite database in memory. */
export interface SqlDatabase {
  /** Runs statements that have no parameters and give no rows. */
  run(sql: string): void;
  /** Runs one statement and gives its rows. The statement is kept for the next time. */
  all(sql: string, parameters?: readonly SqlValue[]): SqlRow[];
  /** Runs one INSERT, UPDATE or DELETE that gives no rows; says how many rows it changed. */
  execute(sql: string, parameters?: readonly SqlValue[]): number;
  /** The database as the bytes of an ordinary SQLite file. Only between transactions. */
  export(): Uint8Array;
  /** Lets go of it. */
  close(): void;
}

/** The bytes of a SQLite file, in memory or read where they are asked for. */
export interface SqlFile {
  /** How many there are. */
  readonly length: number;
  /** Some of them, good until the next call. */
  subarray(from: number, to: number): Uint8Array;
}

/** Makes databases. */
export interface SqlEngine {
  /** A database with the content of `file`, or an empty one. @throws Error when it is no SQLite file. */
  open(file?: SqlFile): SqlDatabase;
}
