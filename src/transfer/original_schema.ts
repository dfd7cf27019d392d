/**
 * The database of the original system, in Python: its tables as it makes them, and how to tell whether a file is one.
 *
 * Its tables may have more columns than these; nothing may rely on them here.
 */
import type { SqlDatabase } from "../ledger/sql_engine.ts";

/** The original's tables, indexes and views, by the names that its programs use, so that it finds a file of ours as its own. */
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
  CREATE INDEX ix_logs_task ON task_logs (task_id, at_utc);
  CREATE VIEW v_queue_status_summary (status, task_count, avg_attempts, oldest_task, newest_task) AS
    SELECT status, count(*), round(avg(attempts), 2), min(created_at_utc), max(created_at_utc)
    FROM task_queue GROUP BY status;
  CREATE VIEW v_queue_type_summary (type, status, task_count, avg_priority) AS
    SELECT type, status, count(*), round(avg(priority), 2) FROM task_queue GROUP BY type, status;
  CREATE VIEW v_worker_status (worker_id, capabilities, heartbeat_utc, active_tasks, seconds_since_heartbeat) AS
    SELECT worker_id, capabilities, heartbeat_utc,
      (SELECT count(*) FROM task_queue WHERE locked_by = worker_id AND status = 'processing'),
      round(86400 * (julianday('now') - julianday(heartbeat_utc)))
    FROM workers;
  CREATE VIEW v_task_performance (type, status, task_count, avg_processing_seconds, avg_attempts) AS
    SELECT type, status, count(*),
      round(86400 * avg(julianday(finished_at_utc) - julianday(processing_started_utc)), 2), round(avg(attempts), 2)
    FROM task_queue WHERE finished_at_utc IS NOT NULL GROUP BY type, status;
  CREATE VIEW v_recent_failures (id, type, status, attempts, error_message, finished_at_utc) AS
    SELECT id, type, status, attempts, error_message, finished_at_utc FROM task_queue
    WHERE status IN ('failed', 'dead_letter') ORDER BY finished_at_utc DESC LIMIT 100
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

/** The columns that SQLite computes from JSON, as far as they are not stored. */
const COMPUTED_COLUMNS = "SELECT name FROM pragma_table_xinfo('task_queue') WHERE hidden = 2";

/** The indexes of `task_queue` over such columns. */
const COMPUTED_INDEXES = `
  SELECT DISTINCT il.name FROM pragma_index_list('task_queue') AS il, pragma_index_xinfo(il.name) AS ix
  WHERE ix.name IN (${COMPUTED_COLUMNS})`;

/** The table by which a queue of Holdfast's own is known. */
const OWN_TABLE = "holdfast_meta";

/** What a file's schema is like. */
export interface DetectedSchema {
  /** Why it is not a database of the original's; empty when it is one. */
  readonly problems: readonly string[];
  /** Which of the optional columns `task_queue` has. */
  readonly optional: readonly string[];
  /** Columns of `task_queue` that are not known. */
  readonly unknown: readonly string[];
  /** Whether there is a table `task_logs`; only `task_queue` is needed. */
  readonly hasLogs: boolean;
}

/** Looks at the tables and columns of a database. */
export function detectSchema(database: SqlDatabase): DetectedSchema {
  const tables = names(database, "SELECT name FROM sqlite_schema WHERE type = 'table'");
  if (tables.includes(OWN_TABLE)) {
    const problem = "it is a queue of Holdfast's own: use `backup` and `restore`, or `export`";
    return { problems: [problem], optional: [], unknown: [], hasLogs: false };
  }
  const found = columnsOf(database, "task_queue");
  const known: readonly string[] = [...ORIGINAL_TASK_COLUMNS, ...OPTIONAL_TASK_COLUMNS];
  const missing = ORIGINAL_TASK_COLUMNS.filter((column) => !found.includes(column));
  return {
    problems: tables.includes("task_queue")
      ? missing.map((column) => `table task_queue has no column ${column}`)
      : ["there is no table task_queue"],
    hasLogs: tables.includes("task_logs"),
    optional: OPTIONAL_TASK_COLUMNS.filter((column) => found.includes(column)),
    unknown: found.filter((column) => !known.includes(column)),
  };
}

/**
 * What is damaged in a database, as SQLite says it; `undefined` when nothing is. The computed columns of this copy are dropped
 * first: checking them computes them, which fails for JSON that is nested deeper than SQLite reads.
 */
export function damageOf(database: SqlDatabase): string | undefined {
  for (const index of names(database, COMPUTED_INDEXES)) {
    database.run(`DROP INDEX ${quoted(index)}`);
  }
  for (const column of names(database, COMPUTED_COLUMNS)) {
    database.run(`ALTER TABLE task_queue DROP COLUMN ${quoted(column)}`);
  }
  const [row] = database.all("PRAGMA integrity_check(1)");
  return row?.[0] === "ok" ? undefined : String(row?.[0]);
}

/** Without those that SQLite computes from others. */
function columnsOf(database: SqlDatabase, table: string): string[] {
  return names(database, `SELECT name FROM pragma_table_info('${table}')`);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function names(database: SqlDatabase, select: string): string[] {
  return database.all(select).map(([name]) => String(name));
}
