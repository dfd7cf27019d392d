/**
 * The contenders: Holdfast, and node:sqlite with the same columns and indexes, one statement per transaction.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { CLAIM_SQL } from "../src/queue/claim.ts";
import { QUEUE_SCHEMA } from "../src/queue/schema.ts";
import { openQueue } from "../src/mod.ts";

/** One way to keep tasks, reduced to what is measured. */
export interface Contender {
  readonly name: string;
  /** What an acknowledged operation survives. */
  readonly durability: string;
  enqueue(n: number): Promise<void>;
  enqueueBatch(count: number): Promise<void>;
  /** Claims up to `limit` tasks and completes them; how many there were. */
  claimAndComplete(limit: number): Promise<number>;
  /** fsyncs so far, where they can be counted. */
  syncs(): Promise<number | null>;
  close(): Promise<void>;
}

const TYPE = "bench";

function payloadOf(n: number): { readonly to: string; readonly n: number } {
  return { to: "somebody@example.org", n };
}

/** Holdfast at `path`. */
export async function holdfast(path: string, durability: "full" | "relaxed"): Promise<Contender> {
  const queue = await openQueue({ path, durability });
  return {
    name: `Holdfast, ${durability}`,
    durability: durability === "full" ? "power cut" : "killed process",
    enqueue: async (n) => {
      await queue.enqueue({ type: TYPE, payload: payloadOf(n) });
    },
    enqueueBatch: async (count) => {
      await queue.enqueueBatch(
        Array.from({ length: count }, (_, n) => ({ type: TYPE, payload: payloadOf(n) })),
      );
    },
    claimAndComplete: async (limit) => {
      const tasks = await queue.claim({ workerId: "bench", types: [TYPE], limit });
      await Promise.all(tasks.map((task) => queue.complete(task, { ok: true })));
      return tasks.length;
    },
    syncs: async () => (await queue.stats()).storage?.syncs ?? null,
    close: () => queue.close(),
  };
}

/** node:sqlite at `path`: WAL, with the given `synchronous`. */
export function nodeSqlite(path: string, synchronous: "FULL" | "NORMAL"): Contender {
  const database = new DatabaseSync(path);
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; PRAGMA cache_size = -65536`,
  );
  database.exec(QUEUE_SCHEMA.migrations.join(";"));
  const statements = prepare(database);
  return {
    name: `node:sqlite, WAL, ${synchronous}`,
    durability: synchronous === "FULL" ? "power cut" : "killed process",
    enqueue: (n) => Promise.resolve(insert(statements.insert, n)),
    enqueueBatch: (count) => {
      database.exec("BEGIN IMMEDIATE");
      for (let n = 0; n < count; n++) insert(statements.insert, n);
      database.exec("COMMIT");
      return Promise.resolve();
    },
    claimAndComplete: (limit) => {
      const claimed = claim(statements, limit);
      for (const { id } of claimed) {
        statements.complete.get('{"ok":true}', Date.now(), Date.now(), id);
      }
      return Promise.resolve(claimed.length);
    },
    syncs: () => Promise.resolve(null),
    close: () => Promise.resolve(database.close()),
  };
}

type Statements = Readonly<Record<"insert" | "head" | "lease" | "complete", StatementSync>>;

function prepare(database: DatabaseSync): Statements {
  return {
    insert: database.prepare(
      `INSERT INTO task_queue (run_id, type, priority, payload, compatibility, status, attempts,
        max_attempts, run_after_utc, created_at_utc, updated_at_utc, lease_token, is_ready, draw_key)
      VALUES (?, ?, 100, ?, '{}', 'queued', 0, 5, ?, ?, ?, 0, 1, ?) RETURNING *`,
    ),
    head: database.prepare(CLAIM_SQL.heads.priority),
    lease: database.prepare(CLAIM_SQL.lease),
    complete: database.prepare(
      `UPDATE task_queue SET status = 'completed', result = ?, progress_percent = 100,
        error_message = NULL, lease_until_utc = NULL, finished_at_utc = ?, updated_at_utc = ?
      WHERE id = ? RETURNING *`,
    ),
  };
}

function insert(statement: StatementSync, n: number): void {
  const now = Date.now();
  statement.get(
    crypto.randomUUID(),
    TYPE,
    JSON.stringify(payloadOf(n)),
    now,
    now,
    now,
    Math.random(),
  );
}

function claim({ head, lease }: Statements, limit: number): { readonly id: number }[] {
  const now = Date.now();
  const rows = head.all(TYPE, "{}", limit) as { id: number }[];
  for (const { id } of rows) lease.get("bench", now + 10_000, now, now, now, id, now);
  return rows;
}
