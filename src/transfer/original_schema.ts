/**
 * The database of the original system, in Python: its tables as it makes them, and how to tell whether a file is one.
 *
 * Its tables may have more columns than these; nobody may rely on them here.
 */
import type { SqlDatabase } from "../ledger/sql_engine.ts";

/** The statements by which the original makes its tables and indexes, so that it finds a file of ours as it left its own. */
export const ORIGINAL_SCHEMA = `
  CREATE TABLE task_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 100,
    payload TEXT NOT NULL,
    compatibility TEXT NOT NULL DEFAULT '{}',
    status TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL DEFAULT 5,
    run_after_utc DATETIME NOT NULL DEFAULT (datetime('now')),
    lease_until_utc DATETIME,
    reserved_at_utc DATETIME,
    processing_started_utc DATETIME,
    finished_at_utc DATETIME,
    locked_by TEXT,
    error_message TEXT,
    idempotency_key TEXT,
    created_at_utc DATETIME NOT NULL DEFAULT (datetime('now')),
    updated_at_utc DATETIME NOT NULL DEFAULT (datetime('now')),
    region TEXT GENERATED ALWAYS AS (json_extract(compatibility, '$.region')) VIRTUAL,
    format TEXT GENERATED ALWAYS AS (json_extract(payload, '$.format')) VIRTUAL
  );
  CREATE TABLE workers (
    worker_id TEXT PRIMARY KEY,
    capabilities TEXT NOT NULL,
    heartbeat_utc DATETIME NOT NULL DEFAULT (datetime('now'))
  );
  CREATE TABLE task_logs (
    log_id INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id INTEGER NOT NULL,
    at_utc DATETIME NOT NULL DEFAULT (datetime('now')),
    level TEXT NOT NULL,
    message TEXT,
    details TEXT,
    FOREIGN KEY (task_id) REFERENCES task_queue(id)
  );
  CREATE INDEX ix_task_status_prio_time ON task_queue (status, priority, run_after_utc, id);
  CREATE INDEX ix_task_type_status ON task_queue (type, status);
  CREATE INDEX ix_task_region ON task_queue (region);
  CREATE INDEX ix_task_format ON task_queue (format);
  CREATE UNIQUE INDEX uq_task_idempotency ON task_queue (idempotency_key)
    WHERE idempotency_key IS NOT NULL;
  CREATE INDEX ix_logs_task ON task_logs (task_id, at_utc)
`;

/** The columns of the original's `task_queue` that hold something of their own, in order. */
export const ORIGINAL_TASK_COLUMNS = [
  "id",
  "type",
  "priority",
  "payload",
  "compatibility",
  "status",
  "attempts",
  "max_attempts",
  "run_after_utc",
  "lease_until_utc",
  "reserved_at_utc",
  "processing_started_utc",
  "finished_at_utc",
  "locked_by",
  "error_message",
  "idempotency_key",
  "created_at_utc",
  "updated_at_utc",
] as const;

/** Columns that some versions have besides. */
export const OPTIONAL_TASK_COLUMNS = ["run_id", "result"] as const;

const COLUMNS_BY_TABLE: Readonly<Record<string, readonly string[]>> = Object.freeze({
  task_queue: ORIGINAL_TASK_COLUMNS,
  workers: ["worker_id", "capabilities", "heartbeat_utc"],
  task_logs: ["log_id", "task_id", "at_utc", "level", "message", "details"],
});

/** The table by which a queue of Holdfast's own is known. */
const OWN_TABLE = "holdfast_meta";

/** What a file's schema is like. */
export interface DetectedSchema {
  /** Why it is none of the original's; empty when it is one. */
  readonly problems: readonly string[];
  /** Which of the optional columns `task_queue` has. */
  readonly optional: readonly string[];
  /** Columns of `task_queue` that nobody knows. */
  readonly unknown: readonly string[];
}

/** Looks at the tables and columns of a database. */
export function detectSchema(database: SqlDatabase): DetectedSchema {
  const tables = names(database, "SELECT name FROM sqlite_schema WHERE type = 'table'");
  if (tables.includes(OWN_TABLE)) {
    const problem = "it is a queue of Holdfast's own: use `backup` and `restore`, or `export`";
    return { problems: [problem], optional: [], unknown: [] };
  }
  const problems = Object.entries(COLUMNS_BY_TABLE).flatMap(([table, columns]) => {
    if (!tables.includes(table)) return [`there is no table ${table}`];
    const found = columnsOf(database, table);
    return columns.filter((column) => !found.includes(column)).map((column) =>
      `table ${table} has no column ${column}`
    );
  });
  const found = columnsOf(database, "task_queue");
  const known: readonly string[] = [...ORIGINAL_TASK_COLUMNS, ...OPTIONAL_TASK_COLUMNS];
  return {
    problems,
    optional: OPTIONAL_TASK_COLUMNS.filter((column) => found.includes(column)),
    unknown: found.filter((column) => !known.includes(column)),
  };
}

/** What is damaged in a database, as SQLite says it; `undefined` when nothing is. */
export function damageOf(database: SqlDatabase): string | undefined {
  const [row] = database.all("PRAGMA integrity_check(1)");
  return row?.[0] === "ok" ? undefined : String(row?.[0]);
}

/** Without those that SQLite computes from others. */
function columnsOf(database: SqlDatabase, table: string): string[] {
  return names(database, `SELECT name FROM pragma_table_info('${table}')`);
}

function names(database: SqlDatabase, select: string): string[] {
  return database.all(select).map(([name]) => String(name));
}
