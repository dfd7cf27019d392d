/**
 * node:sqlite, native SQLite in this process: Holdfast's own tables and indexes in WAL mode, one transaction per operation.
 *
 * Where its work differs. It writes a transition row only in the variant `with transitions`: Holdfast always does. Its
 * claim of several tasks is one transaction, each completion one of its own, because tasks end one by one; a second caller
 * waits until the first is done, so nothing is grouped. It checks the lease like Holdfast. It neither notices other
 * processes' work nor looks for tasks that have become due.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { type Contender, payloadOf, RESULT, TYPE, type Working } from "./contender.ts";

/** How the peer works. */
export interface NodeSqliteOptions {
  readonly synchronous: "FULL" | "NORMAL";
  /** Whether each transition is noted in `task_logs`, in the same transaction. */
  readonly hasTransitions: boolean;
}

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
export function nodeSqliteName({ synchronous, hasTransitions }: NodeSqliteOptions): string {
  return `node:sqlite, ${synchronous}${hasTransitions ? ", with transitions" : ""}`;
}

/** node:sqlite at `path`. */
export function nodeSqlite(path: string, options: NodeSqliteOptions): Contender {
  const peer = new Peer(path, options);
  return {
    name: nodeSqliteName(options),
    survives: options.synchronous === "FULL" ? "power cut" : "killed process",
    enqueue: (n) => Promise.resolve(peer.enqueue(n)),
    enqueueBatch: (count) => Promise.resolve(peer.enqueueBatch(count)),
    claimAndComplete: (limit) => Promise.resolve(peer.claimAndComplete(limit)),
    work: (concurrency) => Promise.resolve(peer.work(concurrency)),
    syncs: () => Promise.resolve(null),
    close: () => Promise.resolve(peer.close()),
  };
}

class Peer {
  readonly #database: DatabaseSync;
  readonly #statements: Readonly<Record<keyof typeof SQL, StatementSync>>;
  readonly #hasTransitions: boolean;

  constructor(path: string, { synchronous, hasTransitions }: NodeSqliteOptions) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA cache_size = -65536`,
    );
    this.#database.exec(QUEUE_SCHEMA.migrations.join(";"));
    const prepared = Object.entries(SQL).map(([name, sql]) => [name, this.#database.prepare(sql)]);
    this.#statements = Object.fromEntries(prepared);
    this.#hasTransitions = hasTransitions;
  }

  enqueue(n: number): void {
    if (this.#hasTransitions) this.#transaction(() => this.#insert(n));
    else this.#insert(n);
  }

  enqueueBatch(count: number): void {
    this.#transaction(() => {
      for (let n = 0; n < count; n++) this.#insert(n);
    });
  }

  claimAndComplete(limit: number): number {
    const rows = this.#claim(limit);
    for (const row of rows) this.#complete(row);
    return rows.length;
  }

  work(concurrency: number): Working {
    const handler = (): Promise<unknown> => Promise.resolve(RESULT);
    return {
      live: async (count) => {
        this.enqueueBatch(count);
        for (let done = 0; done < count;) {
          const rows = this.#claim(concurrency);
          await Promise.all(rows.map(async (row) => {
            await handler();
            this.#complete(row);
          }));
          done += rows.length;
        }
      },
      stop: () => Promise.resolve(),
    };
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

  #claim(limit: number): Row[] {
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

  #complete({ id, lease_token }: Row): void {
    const complete = (): void => {
      const now = Date.now();
      const result = JSON.stringify(RESULT);
      const { complete } = this.#statements;
      const row = complete.get(result, now, now, id, lease_token, WORKER) as unknown as Row;
      this.#note(row, "completed", null);
    };
    if (this.#hasTransitions) this.#transaction(complete);
    else complete();
  }

  #note({ id }: Row, what: string, details: string | null): void {
    if (this.#hasTransitions) this.#statements.note.run(id, Date.now(), what, details, 1);
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    const result = work();
    this.#database.exec("COMMIT");
    return result;
  }
}
