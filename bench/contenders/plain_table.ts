/**
 * The plain table: the queue that people write themselves on node:sqlite, in one process. One index for what is ready, one
 * unique key, prepared statements, WAL mode, one transaction per operation.
 *
 * Where its work differs: it has no transitions, no dependencies, schedules or limits, and checks nothing. A completion names
 * the worker and the attempt, so a lost lease is noticed. A claim of several tasks is one statement, each completion one of
 * its own, because tasks end one by one. Every fsync blocks the event loop.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Contender, type Mix, PLAIN, RESULT, TYPE } from "./contender.ts";
import { sqliteWork, survives, type Synchronous } from "./sqlite_work.ts";

const SCHEMA = `
  CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    payload TEXT NOT NULL,
    priority INTEGER NOT NULL,
    status TEXT NOT NULL,
    run_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    lease_until INTEGER,
    result TEXT,
    created_at INTEGER NOT NULL,
    finished_at INTEGER
  );
  CREATE INDEX ready ON tasks (type, priority, id) WHERE status = 'queued'`;

const SQL = {
  insert: `INSERT INTO tasks (key, type, payload, priority, status, run_at, created_at)
    VALUES (?, ?, ?, 100, 'queued', ?, ?)`,
  claim: `UPDATE tasks SET status = 'running', attempts = attempts + 1, worker = ?, lease_until = ?
    WHERE id IN (SELECT id FROM tasks WHERE status = 'queued' AND type = ? AND run_at <= ?
      ORDER BY priority, id LIMIT ?)
    RETURNING id, payload, attempts`,
  complete: `UPDATE tasks SET status = 'done', result = ?, finished_at = ?
    WHERE id = ? AND status = 'running' AND worker = ? AND attempts = ?`,
} as const;

const WORKER = "bench";
const LEASE_MS = 10_000;

interface Row {
  readonly id: number;
  readonly attempts: number;
}

/** Its name. */
export function plainTableName(synchronous: Synchronous): string {
  return `plain table in node:sqlite, ${synchronous}`;
}

/** A plain table at `path`, with payloads of `mix`. */
export function plainTable(
  path: string,
  synchronous: Synchronous,
  { taskOf }: Pick<Mix, "taskOf"> = PLAIN,
): Contender {
  const table = new PlainTable(path, synchronous, taskOf);
  return {
    name: plainTableName(synchronous),
    survives: survives(synchronous),
    enqueue: (n) => Promise.resolve(table.insert(n)),
    enqueueBatch: (count) => Promise.resolve(table.insertMany(count)),
    claimAndComplete: (limit) => {
      const rows = table.claim(limit);
      for (const row of rows) table.complete(row);
      return Promise.resolve(rows.length);
    },
    work: (concurrency) => Promise.resolve(sqliteWork(table, concurrency)),
    syncs: () => Promise.resolve(null),
    close: () => Promise.resolve(table.close()),
  };
}

class PlainTable {
  readonly #database: DatabaseSync;
  readonly #statements: Readonly<Record<keyof typeof SQL, StatementSync>>;

  readonly #taskOf: Mix["taskOf"];

  constructor(path: string, synchronous: Synchronous, taskOf: Mix["taskOf"]) {
    this.#taskOf = taskOf;
    this.#database = new DatabaseSync(path);
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
    this.#database.exec(SCHEMA);
    const prepared = Object.entries(SQL).map(([name, sql]) => [name, this.#database.prepare(sql)]);
    this.#statements = Object.fromEntries(prepared);
  }

  insert(n: number): void {
    const now = Date.now();
    const payload = JSON.stringify(this.#taskOf(n).payload);
    this.#statements.insert.run(crypto.randomUUID(), TYPE, payload, now, now);
  }

  insertMany(count: number): void {
    this.#database.exec("BEGIN IMMEDIATE");
    for (let n = 0; n < count; n++) this.insert(n);
    this.#database.exec("COMMIT");
  }

  claim(limit: number): Row[] {
    const now = Date.now();
    const rows = this.#statements.claim.all(WORKER, now + LEASE_MS, TYPE, now, limit);
    return rows as unknown as Row[];
  }

  complete({ id, attempts }: Row): void {
    const result = JSON.stringify(RESULT);
    const { changes } = this.#statements.complete.run(result, Date.now(), id, WORKER, attempts);
    if (Number(changes) !== 1) throw new Error(`The lease of task ${id} was lost`);
  }

  close(): void {
    this.#database.close();
  }
}
