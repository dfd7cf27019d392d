/**
 * SQLite files that are read where they are asked for.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import initSqlJs from "sql.js/dist/sql-wasm-inline.js";
import type { SqlDatabase, SqlEngine, SqlFile } from "../../src/ledger/sql_engine.ts";
import { type SqlJs, sqlJsEngine } from "../../src/ledger/sqljs_engine.ts";

const sqlJs = await (initSqlJs as unknown as () => Promise<SqlJs>)();
const ROWS = 3000;

Deno.test("a file that is not in memory is opened page by page, each read once", () => {
  const engine = sqlJsEngine(sqlJs);
  const file = new PagedFile(fileOf(engine));
  const database = engine.open(file);
  assertRows(database);
  assert(file.read < file.length * 1.1, `${file.read} of ${file.length} bytes were read`);
  assert(file.mostAtOnce <= 64 * 1024);
  database.all("UPDATE notes SET text = 'new' WHERE id = 1");
  assertEquals(database.all("SELECT text FROM notes WHERE id = 1"), [["new"]]);
  database.close();
});

Deno.test("a sql.js that copies a file in another way is given its bytes", () => {
  class Database extends (sqlJs.Database as unknown as new (bytes?: Uint8Array) => object) {
    constructor(file?: SqlFile) {
      super(file && Uint8Array.from(file as unknown as ArrayLike<number>));
    }
  }
  const engine = sqlJsEngine({ ...sqlJs, Database: Database as unknown as SqlJs["Database"] });
  const database = engine.open(new PagedFile(fileOf(engine)));
  assertRows(database);
  database.close();
});

Deno.test("a file that is not in memory and no SQLite file is refused", () => {
  const engine = sqlJsEngine(sqlJs);
  assertThrows(() => engine.open(new PagedFile(new Uint8Array(8192).fill(7))));
});

/** Bytes that only `subarray` gives. */
class PagedFile implements SqlFile {
  read = 0;
  mostAtOnce = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  subarray(from: number, to: number): Uint8Array {
    this.read += to - from;
    this.mostAtOnce = Math.max(this.mostAtOnce, to - from);
    return this.#bytes.subarray(from, to);
  }
}

function fileOf(engine: SqlEngine): Uint8Array {
  const database = engine.open();
  database.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); BEGIN");
  for (let id = 1; id <= ROWS; id++) {
    database.all("INSERT INTO notes VALUES (?, ?)", [id, "x".repeat(200)]);
  }
  database.run("COMMIT");
  const bytes = database.export();
  database.close();
  return bytes;
}

function assertRows(database: SqlDatabase): void {
  assertEquals(database.all("SELECT count(*), sum(length(text)) FROM notes"), [[ROWS, 200 * ROWS]]);
  assertEquals(database.all("PRAGMA integrity_check"), [["ok"]]);
}
