/**
 * The replica: the whole ledger in a SQLite database in memory.
 *
 * It changes in two ways only: by a transaction of this process, whose changed rows are noted as images, and by applying
 * the images of another's. Both leave the same rows.
 */
import { CorruptionError, invariant, messageOf, StorageError } from "../domain/errors.ts";
import type { SnapshotContent } from "../storage/snapshot.ts";
import type { Schema, TableDefinition } from "./schema.ts";
import type { SqlDatabase, SqlEngine, SqlRow, SqlValue } from "./sql_engine.ts";

/** What happened to a row: its new content, or `null` and the key that it had. */
export interface Change {
  readonly table: string;
  readonly row: SqlRow | null;
  /** Given for a deleted row. */
  readonly key?: SqlRow;
}

/** A change as the journal writes it: `[table, row]`, or `[table, null, key]`. */
type Image = readonly [table: string, row: SqlRow | null, key?: SqlRow];

/** Reads the replica. */
export interface Reader {
  /** The rows of a SELECT. */
  read(sql: string, parameters?: readonly SqlValue[]): SqlRow[];
}

/** Reads and changes the replica within one operation. Its statements must say which rows they changed. */
export interface Transaction extends Reader {
  /** Runs an INSERT or UPDATE that ends with `RETURNING *`; gives the rows as they are now. */
  change(table: string, sql: string, parameters?: readonly SqlValue[]): SqlRow[];
  /** Runs a DELETE that ends with RETURNING and the table's key; gives the keys. */
  remove(table: string, sql: string, parameters?: readonly SqlValue[]): SqlRow[];
}

/** What an operation came to. */
export interface Attempt<T> {
  readonly result: T;
  readonly changes: readonly Change[];
  /** The changes in JSON, separated by commas; empty when there are none. */
  readonly images: string;
}

/** The longest record that one operation may make; with UTF-8's three bytes a character it stays below a frame's limit. */
const OPERATION_MAX_LENGTH = 64 * 1024 * 1024;

/** The whole transaction is gone, so the replica's state is unknown: the ledger must be opened again. */
export class TransactionLostError extends Error {
  override readonly name = "TransactionLostError";
}

/** What a snapshot says of itself. */
export interface SnapshotIdentity {
  readonly queueId: string;
  /** The last record that it includes. */
  readonly sequence: number;
}

interface ApplyStatements {
  readonly upsert: string;
  readonly remove: string;
  readonly columns: number;
}

const META_TABLE =
  "CREATE TABLE IF NOT EXISTS holdfast_meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID";

/** A ledger's rows. */
export class Replica {
  readonly #database: SqlDatabase;
  readonly #schema: Schema;
  readonly #statements = new Map<string, ApplyStatements>();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });

  /** A replica with the snapshot's rows, or an empty one. @throws CorruptionError, StorageError */
  static open(
    engine: SqlEngine,
    schema: Schema,
    snapshot: SnapshotContent | undefined,
    path: string,
  ): Replica {
    let database: SqlDatabase | undefined;
    try {
      database = engine.open(snapshot?.bytes);
      const replica = new Replica(database, schema);
      replica.#checkSnapshot(snapshot, path);
      return replica;
    } catch (error) {
      database?.close();
      if (error instanceof StorageError) throw error;
      throw new CorruptionError(path, 0, "it is not a SQLite database", { cause: error });
    }
  }

  private constructor(database: SqlDatabase, schema: Schema) {
    this.#database = database;
    this.#schema = schema;
  }

  /** The version of the tables as they are now. */
  get version(): number {
    return Number(this.#database.all("PRAGMA user_version")[0]?.[0]);
  }

  /** Who the snapshot said it was; `undefined` in a new replica. */
  get identity(): SnapshotIdentity | undefined {
    const meta = new Map(
      this.#database.all("SELECT key, value FROM holdfast_meta").map((
        [key, value],
      ) => [key, value]),
    );
    if (meta.size === 0) return undefined;
    return { queueId: String(meta.get("queue_id")), sequence: Number(meta.get("sequence")) };
  }

  /** Brings the tables to `version`. */
  migrate(version: number): void {
    for (let from = this.version; from < version; from++) {
      const migration = this.#schema.migrations[from];
      invariant(migration !== undefined, `no migration from schema version ${from}`);
      this.#database.run(`BEGIN; ${migration}; PRAGMA user_version = ${from + 1}; COMMIT`);
      this.#statements.clear();
    }
  }

  read(sql: string, parameters?: readonly SqlValue[]): SqlRow[] {
    return this.#database.all(sql, parameters);
  }

  /** Begins a transaction, ended by `commit` or `rollback`. */
  begin(): void {
    this.#database.all("BEGIN");
  }

  commit(): void {
    this.#database.all("COMMIT");
  }

  rollback(): void {
    this.#database.all("ROLLBACK");
  }

  /**
   * Runs `operation` within the transaction; if it throws, what it did is undone. Returns its changes, also as a part of
   * the record to come.
   */
  attempt<T>(operation: (transaction: Transaction) => T): Attempt<T> {
    const changes: Change[] = [];
    this.#database.all("SAVEPOINT operation");
    try {
      const result = operation(this.#transaction(changes));
      const images = encodeChanges(changes);
      this.#database.all("RELEASE operation");
      return { result, changes, images };
    } catch (error) {
      this.#undoOperation(error);
      throw error;
    }
  }

  /** SQLite itself ends a transaction when memory runs out; then there is no savepoint to go back to. */
  #undoOperation(cause: unknown): void {
    try {
      this.#database.all("ROLLBACK TO operation");
      this.#database.all("RELEASE operation");
    } catch {
      throw new TransactionLostError(messageOf(cause), { cause });
    }
  }

  /**
   * Applies a record; returns what it changed.
   *
   * @throws Error when the record is not one of this ledger's.
   */
  apply(payload: Uint8Array): Change[] {
    const images = JSON.parse(this.#decoder.decode(payload)) as Image[];
    const changes = images.map(([table, row, key]) => ({ table, row, key }));
    this.begin();
    try {
      for (const change of changes) this.#applyChange(change);
      this.commit();
    } catch (error) {
      this.rollback();
      throw error;
    }
    return changes;
  }

  /** The replica as the bytes of a SQLite file that says who it is. */
  export(identity: SnapshotIdentity): Uint8Array {
    const put = "INSERT OR REPLACE INTO holdfast_meta (key, value) VALUES (?, ?)";
    this.#database.all(put, ["queue_id", identity.queueId]);
    this.#database.all(put, ["sequence", identity.sequence]);
    return this.#database.export();
  }

  close(): void {
    this.#database.close();
  }

  #checkSnapshot(snapshot: SnapshotContent | undefined, path: string): void {
    const tables = this.#database.all("SELECT name FROM sqlite_schema WHERE type = 'table'").map((
      [name],
    ) => name);
    if (snapshot !== undefined && !tables.includes("holdfast_meta")) {
      throw new StorageError("open", path, "it is a SQLite database of another program");
    }
    if (snapshot?.isVerified === false) {
      const reason =
        "the snapshot's checksum is missing: it was cut, or another program changed it";
      throw new CorruptionError(path, snapshot.bytes.length, reason);
    }
    this.#database.run(META_TABLE);
    const identity = this.identity;
    if (identity !== undefined && !isIdentity(identity)) {
      throw new CorruptionError(
        path,
        0,
        "it does not say whose it is and which records it includes",
      );
    }
    const newest = this.#schema.migrations.length;
    if (this.version > newest) {
      throw new StorageError(
        "open",
        path,
        `its schema version is ${this.version}, this version of Holdfast knows up to ${newest}`,
      );
    }
  }

  #transaction(changes: Change[]): Transaction {
    const database = this.#database;
    return {
      read: (sql, parameters) => database.all(sql, parameters),
      change: (table, sql, parameters) => {
        const rows = database.all(sql, parameters);
        for (const row of rows) changes.push({ table, row });
        return rows;
      },
      remove: (table, sql, parameters) => {
        const keys = database.all(sql, parameters);
        for (const key of keys) changes.push({ table, row: null, key });
        return keys;
      },
    };
  }

  #applyChange(change: Change): void {
    const statements = this.#statementsFor(change.table);
    if (change.row === null) {
      this.#database.all(statements.remove, change.key);
      return;
    }
    if (change.row.length !== statements.columns) {
      throw new Error(
        `a row of ${change.table} has ${change.row.length} columns, ${statements.columns} are known`,
      );
    }
    this.#database.all(statements.upsert, change.row);
  }

  #statementsFor(table: string): ApplyStatements {
    const known = this.#statements.get(table);
    if (known !== undefined) return known;
    const definition = this.#schema.tables.find(({ name }) => name === table);
    if (definition === undefined) throw new Error(`there is no table ${JSON.stringify(table)}`);
    const columns = this.#database.all(`SELECT name FROM pragma_table_info('${table}')`).map((
      [name],
    ) => String(name));
    const statements = applyStatements(definition, columns);
    this.#statements.set(table, statements);
    return statements;
  }
}

function isIdentity({ queueId, sequence }: SnapshotIdentity): boolean {
  return /^[0-9a-f]{32}$/.test(queueId) && Number.isSafeInteger(sequence) && sequence >= 0;
}

/** The changes as JSON, without the brackets around a record. @throws RangeError */
function encodeChanges(changes: readonly Change[]): string {
  const images = changes.map(({ table, row, key }) =>
    JSON.stringify(row === null ? [table, null, key] : [table, row])
  );
  const length = images.reduce((sum, image) => sum + image.length + 1, 0);
  if (length > OPERATION_MAX_LENGTH) {
    throw new RangeError(
      `Cannot commit ${length} characters in one operation: at most ${OPERATION_MAX_LENGTH} are allowed`,
    );
  }
  return images.join(",");
}

function applyStatements(
  { name, key }: TableDefinition,
  columns: readonly string[],
): ApplyStatements {
  const assignments = columns.filter((column) => !key.includes(column)).map((column) =>
    `${column} = excluded.${column}`
  );
  return {
    columns: columns.length,
    upsert: `INSERT INTO ${name} (${columns.join(", ")}) VALUES (${
      columns.map(() => "?").join(", ")
    })
      ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${assignments.join(", ")}`,
    remove: `DELETE FROM ${name} WHERE ${key.map((column) => `${column} = ?`).join(" AND ")}`,
  };
}
