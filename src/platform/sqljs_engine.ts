/**
 * The sql.js of this platform: the build that holds its WASM itself, so that no file is read and no permission for a cache of
 * modules is needed.
 */
import type { SqlEngine } from "../ledger/sql_engine.ts";
import { type SqlJs, sqlJsEngine } from "../ledger/sqljs_engine.ts";

let loaded: Promise<SqlEngine> | undefined;

/** The engine; the WASM module, a MiB of text, is loaded once in a process that needs it. */
export async function loadSqlJsEngine(): Promise<SqlEngine> {
  return await (loaded ??= loadEngine());
}

async function loadEngine(): Promise<SqlEngine> {
  const { default: initSqlJs } = await import("sql.js/dist/sql-wasm-inline.js");
  return sqlJsEngine(await (initSqlJs as () => Promise<SqlJs>)());
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
