/**
 * The sql.js of this platform: the build that holds its WASM itself, so that no file is read and no permission for a cache of
 * modules is needed.
 */
import initSqlJs from "sql.js/dist/sql-wasm-inline.js";
import type { SqlEngine } from "../ledger/sql_engine.ts";
import { type SqlJs, sqlJsEngine } from "../ledger/sqljs_engine.ts";

let loaded: Promise<SqlEngine> | undefined;

/** The engine; the WASM module is loaded once in a process. */
export async function loadSqlJsEngine(): Promise<SqlEngine> {
  loaded ??= (initSqlJs as () => Promise<SqlJs>)().then(sqlJsEngine);
  return await loaded;
}

/** The version of SQLite that the engine is. */
export async function sqliteVersion(): Promise<string> {
  const database = (await loadSqlJsEngine()).open();
  try {
    return String(database.all("select sqlite_version()")[0]![0]);
  } finally {
    database.close();
  }
}
