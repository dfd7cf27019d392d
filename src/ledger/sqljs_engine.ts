/**
 * SqlEngine on sql.js: SQLite compiled to WASM. sql.js itself is passed in, so that this file runs wherever WASM does.
 *
 * sql.js keeps a database in a file of a simulated file system, so each commit copies its pages out of WASM memory through
 * JavaScript. A replica is opened as `:memory:` instead, where it is committed in place. sql.js has no types of its own;
 * the structural interfaces below name the few parts that are used.
 *
 * WASM memory never shrinks, and sql.js has one for all databases of a process. What a database frees, it uses again; what it
 * exports leaves out free pages when most are.
 */
import type { SqlDatabase, SqlEngine, SqlFile, SqlRow, SqlValue } from "./sql_engine.ts";

/** What sql.js exports: the function that loads it. */
export type SqlJsLoader = (options: never) => Promise<unknown>;

/** What is used of sql.js, once it is loaded. SQLite's C functions return 0 for done, 101 for a backup at its end. */
export interface SqlJs {
  Database: new (file?: SqlFile) => SqlJsDatabase;
  stringToNewUTF8(text: string): Pointer;
  _free(pointer: Pointer): void;
  _sqlite3_backup_init(to: Pointer, toName: Pointer, from: Pointer, fromName: Pointer): Pointer;
  _sqlite3_backup_step(backup: Pointer, pages: number): number;
  _sqlite3_backup_finish(backup: Pointer): number;
}

/** An address in WASM memory. */
type Pointer = number;

interface SqlJsDatabase {
  /** The connection; 0 when it is closed. */
  db: Pointer;
  handleError(code: number): void;
  exec(sql: string): unknown;
  prepare(sql: string): SqlJsStatement;
  getRowsModified(): number;
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

/** With more free pages than others, and so many, an export is made compact: that takes longer for each page that is not. */
const COMPACT_MIN_PAGES = 256;

/** Where a compact copy stands in the simulated file system while it is made. */
const COMPACT_FILE = "compact";

const ALL_PAGES = -1;
const BACKUP_DONE = 101;

/**
 * SQLite from the `sql.js` of npm, where nothing can be read from disk: `initSqlJs` is what the package exports, and `wasm` its
 * `dist/sql-wasm.wasm`, as bytes or as the module that a bundler or a worker's runtime has made of them.
 */
export async function loadSqlEngine(
  initSqlJs: SqlJsLoader,
  wasm: WebAssembly.Module | BufferSource,
): Promise<SqlEngine> {
  const module = wasm instanceof WebAssembly.Module ? wasm : await WebAssembly.compile(wasm);
  const load = initSqlJs as (options: object) => Promise<SqlJs>;
  const instantiateWasm = (
    imports: WebAssembly.Imports,
    receive: (instance: WebAssembly.Instance) => void,
  ): WebAssembly.Exports => {
    const instance = new WebAssembly.Instance(module, imports);
    receive(instance);
    return instance.exports;
  };
  return sqlJsEngine(await load({ instantiateWasm }));
}

/** The engine on a loaded sql.js. */
export function sqlJsEngine(sqlJs: SqlJs): SqlEngine {
  const MemoryDatabase = databaseNamed(":memory:", sqlJs);
  const CompactFile = databaseNamed(COMPACT_FILE, sqlJs);
  const openCompact = (): SqlJsDatabase => new CompactFile();
  return {
    open: (file) => {
      const database = new MemoryDatabase();
      try {
        if (file !== undefined) copyInto(database, file, sqlJs);
        return new SqlJsReplica(database, openCompact);
      } catch (error) {
        database.close();
        throw error;
      }
    },
  };
}

/** sql.js opens what it has put into `filename`, a random name: here that is always `name`. */
function databaseNamed(name: string, { Database }: SqlJs): new () => SqlJsDatabase {
  class NamedDatabase extends Database {
    get filename(): string {
      return name;
    }

    set filename(_random: string) {}

    /** sql.js closes the database and then deletes its file, which `:memory:` has none of. */
    override close(): void {
      try {
        super.close();
      } catch (error) {
        if ((error as { readonly name?: unknown }).name !== "ErrnoError") throw error;
        this.db = 0;
      }
    }
  }
  return NamedDatabase;
}

/**
 * A file that the simulated file system takes as it is. It makes a file's content with `slice`, which copies bytes, and reads it
 * with `subarray`, so what is read elsewhere need not be in memory. SQLite only reads here.
 */
class UncopiedFile implements SqlFile {
  /** Whether it was taken; a sql.js that copies otherwise gets bytes. */
  isTaken = false;
  readonly #file: SqlFile;

  constructor(file: SqlFile) {
    this.#file = file;
  }

  get length(): number {
    return this.#file.length;
  }

  subarray(from: number, to: number): Uint8Array {
    return this.#file.subarray(from, to);
  }

  slice(): this {
    this.isTaken = true;
    return this;
  }
}

/** Opens a SQLite file where it is. */
function openFile(file: SqlFile, { Database }: SqlJs): SqlJsDatabase {
  if (file instanceof Uint8Array) return new Database(file);
  const uncopied = new UncopiedFile(file);
  const database = new Database(uncopied);
  if (uncopied.isTaken || file.length === 0) return database;
  database.close();
  return new Database(file.subarray(0, file.length));
}

/** Fills an empty database with the content of a SQLite file. @throws Error when `content` is none. */
function copyInto(database: SqlJsDatabase, content: SqlFile, sqlJs: SqlJs): void {
  const file = openFile(content, sqlJs);
  const main = sqlJs.stringToNewUTF8("main");
  try {
    const source = new SqlJsReplica(file, () => file);
    source.run("PRAGMA cache_size = 16"); // each page is read once; a cache would stay in WASM memory for ever
    const [[pageBytes]] = source.all("PRAGMA page_size") as [[number]];
    database.exec(`PRAGMA page_size = ${pageBytes}`);
    const backup = sqlJs._sqlite3_backup_init(database.db, main, file.db, main);
    const stepped = sqlJs._sqlite3_backup_step(backup, ALL_PAGES);
    const finished = sqlJs._sqlite3_backup_finish(backup);
    database.handleError(finished);
    if (stepped !== BACKUP_DONE) throw new Error(`SQLite cannot copy the file: error ${stepped}`);
  } finally {
    sqlJs._free(main);
    file.close();
  }
}

class SqlJsReplica implements SqlDatabase {
  readonly #database: SqlJsDatabase;
  readonly #openCompact: () => SqlJsDatabase;
  readonly #statements = new Map<string, SqlJsStatement>();

  constructor(database: SqlJsDatabase, openCompact: () => SqlJsDatabase) {
    this.#database = database;
    this.#openCompact = openCompact;
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

  execute(sql: string, parameters: readonly SqlValue[] = []): number {
    const statement = this.#statement(sql);
    try {
      statement.bind(parameters);
      statement.step();
    } finally {
      statement.reset();
    }
    return this.#database.getRowsModified();
  }

  export(): Uint8Array {
    const [[pages]] = this.all("PRAGMA page_count") as [[number]];
    const [[free]] = this.all("PRAGMA freelist_count") as [[number]];
    const isMostlyFree = free >= COMPACT_MIN_PAGES && free > pages - free;
    return isMostlyFree ? this.#exportCompact() : this.#database.export();
  }

  /** The copy grows in JavaScript's memory; the database stays as it is. */
  #exportCompact(): Uint8Array {
    const file = this.#openCompact();
    try {
      this.#database.exec(`VACUUM INTO '${COMPACT_FILE}'`);
      return file.export();
    } finally {
      file.close();
    }
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
