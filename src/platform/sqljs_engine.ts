/**
 * SqlEngine on sql.js: SQLite compiled to WASM.
 *
 * sql.js has no types of its own; the structural interfaces below name the few parts that are used.
 */
import initSqlJs from "sql.js";
import type { SqlDatabase, SqlEngine, SqlRow, SqlValue } from "../ledger/sql_engine.ts";

interface SqlJs {
  Database: new (bytes?: Uint8Array) => SqlJsDatabase;
}

interface SqlJsDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqlJsStatement;
  export(): Uint8Array;
  close(): void;
}

interface SqlJsStatement {
  bind(parameters: readonly SqlValue[]): boolean;
  step(): boolean;
  get(): SqlValue[];
  reset(): void;
}

/** A replica needs rollback and speed; durability is the journal's. */
const PRAGMAS = `
  PRAGMA journal_mode = MEMORY;
  PRAGMA synchronous = OFF;
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA temp_store = MEMORY;
  PRAGMA cache_size = -65536;
`;

let loaded: Promise<SqlJs> | undefined;

/** The engine; the WASM module is loaded once in a process. */
export async function loadSqlJsEngine(): Promise<SqlEngine> {
  loaded ??= (initSqlJs as () => Promise<SqlJs>)();
  const sqlJs = await loaded;
  return { open: (bytes) => new SqlJsReplica(new sqlJs.Database(bytes)) };
}

class SqlJsReplica implements SqlDatabase {
  readonly #database: SqlJsDatabase;
  readonly #statements = new Map<string, SqlJsStatement>();

  constructor(database: SqlJsDatabase) {
    this.#database = database;
    database.exec(PRAGMAS);
  }

  run(sql: string): void {
    this.#database.exec(sql);
  }

  all(sql: string, parameters: readonly SqlValue[] = []): SqlRow[] {
    const statement = this.#statement(sql);
    const rows: SqlRow[] = [];
    try {
      statement.bind(parameters);
      while (statement.step()) rows.push(statement.get());
    } finally {
      statement.reset();
    }
    return rows;
  }

  /** sql.js frees every statement, closes the database and opens it again, with its pragmas as they were at first. */
  export(): Uint8Array {
    this.#statements.clear();
    const bytes = this.#database.export();
    this.#database.exec(PRAGMAS);
    return bytes;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #statement(sql: string): SqlJsStatement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
