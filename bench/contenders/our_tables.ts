/**
 * Our tables in node:sqlite: native SQLite in this process with Holdfast's own tables and indexes, in WAL mode, one
 * transaction per operation, a row for each transition. Nobody would write that by hand (`plain_table.ts` is what people
 * write); it shows what the same rows cost in native SQL.
 *
 * Where its work differs. Its claim of several tasks is one transaction, each completion one of its own, because tasks end
 * one by one; a second caller waits until the first is done, so nothing is grouped. It checks the lease like Holdfast. It
 * neither notices other processes' work nor looks for tasks that have become due.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { type Contender, payloadOf, RESULT, TYPE } from "./contender.ts";
import { sqliteWork } from "./sqlite_work.ts";

const WORKER = "bench";
const LEASE_MS = 10_000;

const SQL = {
  insert: `INSERT INTO task_queue (run_id, type, priority, payload, compatibility, status, attempts,
      max_attempts, run_after_utc, created_at_utc, updated_at_utc, lease_token, is_ready, draw_key)
    VALUES (?, ?, 100, ?, '{}', 'queued', 0, 5, ?, ?, ?, 0, 1, ?) RETURNING *`,
  heads: `SELECT id FROM task_queue INDEXED BY ready_by_priority
    WHERE is_ready = 1 AND type = ? AND compatibility = '{}' ORDER BY priority, id LIMIT ?`,
  lease: `UPDATE task_queue SET status = 'leased', is_ready = 0, attempts = attempts + 1,
      lease_token = lease_token + 1, locked_by = ?, lease_until_utc = ?, reserved_at_utc = ?,
      processing_started_utc = ?, updated_at_utc = ?
    WHERE id = ? AND status = 'queued' RETURNING *`,
  complete: `UPDATE task_queue SET status = 'completed', result = ?, progress_percent = 100,
      error_message = NULL, lease_until_utc = NULL, finished_at_utc = ?, updated_at_utc = ?
    WHERE id = ? AND status = 'leased' AND lease_token = ? AND locked_by = ? RETURNING *`,
  note: `INSERT INTO task_logs (task_id, at_utc, level, message, details, duration_ms)
    VALUES (?, ?, 'info', ?, ?, ?)`,
} as const;

interface Row {
  readonly id: number;
  readonly lease_token: number;
}

/** Its name. */
export const OUR_TABLES_NAME = "our tables in node:sqlite, FULL";

/** Our tables at `path`. */
export function ourTables(path: string): Contender {
  const peer = new Peer(path);
  return {
    name: OUR_TABLES_NAME,
    survives: "power cut",
    enqueue: (n) => Promise.resolve(peer.enqueue(n)),
    enqueueBatch: (count) => Promise.resolve(peer.insertMany(count)),
    claimAndComplete: (limit) => {
      const rows = peer.claim(limit);
      for (const row of rows) peer.complete(row);
      return Promise.resolve(rows.length);
    },
    work: (concurrency) => Promise.resolve(sqliteWork(peer, concurrency)),
    syncs: () => Promise.resolve(null),
    close: () => Promise.resolve(peer.close()),
  };
}

class Peer {
  readonly #database: DatabaseSync;
  readonly #statements: Readonly<Record<keyof typeof SQL, StatementSync>>;

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536",
    );
    this.#database.exec(QUEUE_SCHEMA.migrations.join(";"));
    const prepared = Object.entries(SQL).map(([name, sql]) => [name, this.#database.prepare(sql)]);
    this.#statements = Object.fromEntries(prepared);
  }

  enqueue(n: number): void {
    this.#transaction(() => this.#insert(n));
  }

  insertMany(count: number): void {
    this.#transaction(() => {
      for (let n = 0; n < count; n++) this.#insert(n);
    });
  }

  claim(limit: number): Row[] {
    return this.#transaction(() => {
      const now = Date.now();
      const heads = this.#statements.heads.all(TYPE, limit) as unknown as Row[];
      return heads.map(({ id }) => {
        const until = now + LEASE_MS;
        const row = this.#statements.lease.get(WORKER, until, now, now, now, id) as unknown as Row;
        this.#note(row, "leased", `{"worker":"${WORKER}","attempt":1}`);
        return row;
      });
    });
  }

  complete({ id, lease_token }: Row): void {
    this.#transaction(() => {
      const now = Date.now();
      const result = JSON.stringify(RESULT);
      const { complete } = this.#statements;
      const row = complete.get(result, now, now, id, lease_token, WORKER) as unknown as Row;
      this.#note(row, "completed", null);
    });
  }

  close(): void {
    this.#database.close();
  }

  #insert(n: number): void {
    const now = Date.now();
    const payload = JSON.stringify(payloadOf(n));
    const id = crypto.randomUUID();
    const row = this.#statements.insert.get(id, TYPE, payload, now, now, now, Math.random());
    this.#note(row as unknown as Row, "enqueued", null);
  }

  #note({ id }: Row, what: string, details: string | null): void {
    this.#statements.note.run(id, Date.now(), what, details, 1);
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    const result = work();
    this.#database.exec("COMMIT");
    return result;
  }
}
