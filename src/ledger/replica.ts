/**
 * The replica: the whole ledger in a SQLite database in memory.
 *
 * It changes in one way only: a row is added, changed or removed by its key. A transaction of this process notes each as an
 * image, another process does what the images say. So both leave the same rows.
 */
import { CorruptionError, invariant, messageOf, StorageError } from "../domain/errors.ts";
import type { SnapshotIdentity } from "../storage/footer.ts";
import type { SnapshotContent, SnapshotImage } from "../storage/snapshot.ts";
import { type Change, decodeChanges, encodeChanges } from "./change.ts";
import { MEMORY_LIMITS } from "../domain/memory_limits.ts";
import { MemoryBudget, type MemoryMark } from "./memory_budget.ts";
import type { MemoryUsage } from "../domain/storage_stats.ts";
import { checkLength, type RowTable, rowTable, updateFor } from "./row_table.ts";
import type { Schema } from "./schema.ts";
import { checkMeta, readIdentity, writeIdentity } from "./snapshot_meta.ts";
import { type Move, Tallies, type Tally } from "./tallies.ts";
import type { SqlDatabase, SqlEngine, SqlRow, SqlValue } from "./sql_engine.ts";

/** Values by column. */
export type Values = Readonly<Record<string, SqlValue>>;

/** Reads the replica. */
export interface Reader {
  /** The rows of a SELECT. */
  read(sql: string, parameters?: readonly SqlValue[]): SqlRow[];
  /** What `make` makes of a table, kept until a row of the table changes; always with the same `make` for a table. */
  remember<T>(table: string, make: (reader: Reader) => T): T;
  /** What `make` makes of a table, which follows each change of it (made anew within an operation); always with the same `make` for a table. */
  tally<T extends Tally>(table: string, make: (reader: Reader) => T): T;
}

/** Reads and changes the replica within one operation. */
export interface Transaction extends Reader {
  /** Adds a row and gives it. A column that is not named is NULL; an integer key that is not named is the next number. */
  insert(table: string, values: Values): SqlRow;
  /** Changes some columns of a row, given as it is in the replica, with all its columns; gives it as it is now. */
  update(table: string, row: SqlRow, values: Values): SqlRow;
  /** Removes the row with this key. */
  remove(table: string, key: SqlRow): void;
}

/** What an operation came to. */
export interface Attempt<T> {
  readonly result: T;
  readonly changes: readonly Change[];
  /** The changes in JSON, separated by commas; empty when there are none. */
  readonly images: string;
}

/** The whole transaction is gone, so the replica's state is unknown: the ledger must be opened again. */
export class TransactionLostError extends StorageError {
  override readonly name = "TransactionLostError";

  constructor(path: string, cause: unknown) {
    super("use", path, `open it again, its memory is in doubt (${messageOf(cause)})`, { cause });
  }
}

/** Where a replica is, and in what. */
export interface ReplicaPlace {
  readonly engine: SqlEngine;
  readonly schema: Schema;
  /** How errors call it. */
  readonly path: string;
  /** How large its database may become, in bytes; default what the engine takes. */
  readonly memoryMaxBytes?: number;
}

/** A ledger's rows. */
export class Replica {
  readonly #database: SqlDatabase;
  readonly #schema: Schema;
  readonly #path: string;
  readonly #memory: MemoryBudget;
  readonly #tables = new Map<string, RowTable>();
  /** The next number of a table, where it is known. */
  readonly #nextNumbers = new Map<string, number>();
  /** What was made of tables as they are now. */
  readonly #remembered = new Map<string, unknown>();
  readonly #tallies = new Tallies();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });

  /** A replica with the snapshot's rows, or an empty one. @throws CorruptionError, StorageError */
  static open(place: ReplicaPlace, snapshot: SnapshotContent | undefined): Replica {
    const { path } = place;
    let database: SqlDatabase | undefined;
    try {
      database = place.engine.open(snapshot?.bytes);
      const replica = new Replica(database, place);
      checkMeta(database, snapshot, path);
      replica.#checkVersion();
      return replica;
    } catch (error) {
      database?.close();
      if (error instanceof StorageError) throw error;
      throw new CorruptionError(path, 0, "it is not a SQLite database", { cause: error });
    }
  }

  private constructor(database: SqlDatabase, { schema, path, memoryMaxBytes }: ReplicaPlace) {
    this.#database = database;
    this.#schema = schema;
    this.#path = path;
    const maxBytes = memoryMaxBytes ?? MEMORY_LIMITS.memoryMaxBytesMax;
    this.#memory = new MemoryBudget(database, { path, maxBytes });
  }

  /** How full the database is. */
  get memory(): MemoryUsage {
    return this.#memory.usage();
  }

  /** The version of the tables as they are now. */
  get version(): number {
    return Number(this.#database.all("PRAGMA user_version")[0]?.[0]);
  }

  /** The identity that the snapshot gave; `undefined` in a new replica. */
  get identity(): SnapshotIdentity | undefined {
    return readIdentity(this.#database);
  }

  /** Brings the tables to `version`. */
  migrate(version: number): void {
    for (let from = this.version; from < version; from++) {
      const migration = this.#schema.migrations[from];
      invariant(migration !== undefined, `no migration from schema version ${from}`);
      this.#database.run(`BEGIN; ${migration}; PRAGMA user_version = ${from + 1}; COMMIT`);
      this.#tables.clear();
      this.#forget();
      this.#tallies.forget();
    }
  }

  read(sql: string, parameters?: readonly SqlValue[]): SqlRow[] {
    return this.#database.all(sql, parameters);
  }

  remember<T>(table: string, make: (reader: Reader) => T): T {
    if (!this.#remembered.has(table)) this.#remembered.set(table, make(this));
    return this.#remembered.get(table) as T;
  }

  tally<T extends Tally>(table: string, make: (reader: Reader) => T): T {
    return this.#tallies.keep(table, () => make(this));
  }

  /** Begins a transaction, ended by `commit` or `rollback`. */
  begin(): void {
    this.#database.all("BEGIN");
  }

  commit(): void {
    this.#database.all("COMMIT");
  }

  rollback(): void {
    this.#forget();
    this.#tallies.forget();
    this.#database.all("ROLLBACK");
  }

  /**
   * Runs `operation` within the transaction; if it throws, what it did is undone. Returns its changes, also as a part of
   * the record to come.
   *
   * @throws QueueFullError when it changes something and leaves the database above `upTo`.
   */
  attempt<T>(operation: (transaction: Transaction) => T, upTo?: MemoryMark): Attempt<T> {
    const changes: Change[] = [];
    const moves: Move[] = [];
    this.#database.all("SAVEPOINT operation");
    try {
      const result = operation(this.#transaction(changes, moves));
      const images = encodeChanges(changes);
      this.#memory.note(images.length);
      if (upTo !== undefined && changes.length > 0) this.#memory.check(upTo);
      this.#database.all("RELEASE operation");
      this.#tallies.tell(moves);
      return { result, changes, images };
    } catch (error) {
      this.#undoOperation(error);
      throw error;
    }
  }

  /** What was known of the rows may be wrong. */
  #forget(): void {
    this.#nextNumbers.clear();
    this.#remembered.clear();
  }

  /** SQLite itself ends a transaction when memory runs out; then there is no savepoint to go back to. */
  #undoOperation(cause: unknown): void {
    this.#forget();
    try {
      this.#database.all("ROLLBACK TO operation");
      this.#database.all("RELEASE operation");
    } catch {
      throw new TransactionLostError(this.#path, cause);
    }
  }

  /**
   * Applies a record; returns what it changed.
   *
   * @throws Error when the record is not one of this ledger's, or does not follow the ones before.
   * @throws TransactionLostError when memory runs out.
   */
  apply(payload: Uint8Array): Change[] {
    const moves: Move[] = [];
    const changes = this.#applyEach(payload, (change) => this.#follow(change, moves));
    this.#tallies.tell(moves);
    return changes;
  }

  /** Applies a record that may follow lost ones: its rows are as it says, whatever they were. @throws Error */
  salvage(payload: Uint8Array): Change[] {
    return this.#applyEach(payload, (change) => this.#force(change));
  }

  #applyEach(payload: Uint8Array, perform: (change: Change) => void): Change[] {
    const changes = decodeChanges(this.#decoder.decode(payload)).map((change) =>
      this.#whole(change)
    );
    this.begin();
    try {
      for (const change of changes) perform(change);
      this.commit();
    } catch (error) {
      this.#undoRecord(error);
      throw error;
    }
    this.#memory.note(payload.length);
    return changes;
  }

  /** A change with the nulls at the end of its row, which no record has. */
  #whole(change: Change): Change {
    if (change.row === null) return change;
    const { columns } = this.#table(change.table);
    const missing = Math.max(0, columns.length - change.row.length);
    return { ...change, row: [...change.row, ...Array<null>(missing).fill(null)] };
  }

  #undoRecord(cause: unknown): void {
    try {
      this.rollback();
    } catch {
      throw new TransactionLostError(this.#path, cause);
    }
  }

  /** The replica as a SQLite file that holds this identity. */
  export(identity: SnapshotIdentity): SnapshotImage {
    writeIdentity(this.#database, identity);
    return { ...identity, bytes: this.#database.export() };
  }

  close(): void {
    this.#database.close();
  }

  #checkVersion(): void {
    const newest = this.#schema.migrations.length;
    if (this.version <= newest) return;
    const reason =
      `its schema version is ${this.version}, this version of Holdfast knows up to ${newest}`;
    throw new StorageError("open", this.#path, reason);
  }

  #transaction(changes: Change[], moves: Move[]): Transaction {
    const note = <C extends Change>(change: C, before?: SqlRow): C => {
      this.#follow(change, moves, before);
      changes.push(change);
      return change;
    };
    return {
      read: (sql, parameters) => this.#database.all(sql, parameters),
      remember: (table, make) => this.remember(table, make),
      // what is made within an operation may be undone with it, so it is not kept
      tally: (_table, make) => make(this),
      insert: (table, values) => {
        return note({ table, row: this.#newRow(table, values) }).row;
      },
      update: (table, row, values) => {
        const changed = Object.keys(values).map((column) => this.#positionOf(table, column));
        const next = [...row];
        for (const [i, value] of Object.values(values).entries()) next[changed[i]!] = value;
        return note({ table, row: next, changed }, row).row;
      },
      remove: (table, key) => {
        note({ table, row: null, key });
      },
    };
  }

  /** Does what a change says; `moves` is what the tallies have to be told when it is there for good. */
  #follow(change: Change, moves: Move[], before?: SqlRow): void {
    const database = this.#database;
    const move = this.#tallies.moveOf(change, this.#table(change.table), { database, before });
    this.#perform(change);
    if (move !== undefined) moves.push(move);
  }

  /** Does what a change says. @throws Error when the rows are not those that it was made for. */
  #perform(change: Change): void {
    const table = this.#table(change.table);
    this.#remembered.delete(change.table);
    if (change.row === null) {
      this.#expectOne(table.remove, change.key);
      return;
    }
    checkLength(change.row, table);
    if (change.changed === undefined) {
      this.#database.execute(table.insert, change.row);
      this.#noteNumber(change.table, change.row[table.key[0]!]!);
      return;
    }
    const { sql, parameters } = updateFor(table, change.changed);
    this.#expectOne(sql, parameters.map((position) => change.row[position]!));
  }

  /** Makes the row be as a change says. */
  #force(change: Change): void {
    const table = this.#table(change.table);
    const key = change.row === null ? change.key : table.key.map((place) => change.row[place]!);
    this.#remembered.delete(change.table);
    this.#database.execute(table.remove, key);
    if (change.row !== null) this.#perform({ table: change.table, row: change.row });
  }

  #expectOne(sql: string, parameters: readonly SqlValue[]): void {
    const changed = this.#database.execute(sql, parameters);
    if (changed !== 1) throw new Error(`it changes ${changed} rows, not one: ${sql}`);
  }

  #newRow(name: string, values: Values): SqlRow {
    const { columns, key } = this.#table(name);
    for (const column in values) this.#positionOf(name, column);
    const row = columns.map((column) => values[column] ?? null);
    row[key[0]!] ??= this.#nextNumber(name);
    return row;
  }

  /** One more than AUTOINCREMENT has given out so far. */
  #nextNumber(name: string): number {
    const known = this.#nextNumbers.get(name);
    if (known !== undefined) return known;
    const rows = this.#database.all("SELECT seq FROM sqlite_sequence WHERE name = ?", [name]);
    const next = Number(rows[0]?.[0] ?? 0) + 1;
    this.#nextNumbers.set(name, next);
    return next;
  }

  #noteNumber(name: string, number: SqlValue): void {
    const next = this.#nextNumbers.get(name);
    if (next !== undefined) this.#nextNumbers.set(name, Math.max(next, Number(number) + 1));
  }

  #positionOf(name: string, column: string): number {
    const position = this.#table(name).positions.get(column);
    invariant(position !== undefined, `table ${name} has no column ${column}`);
    return position;
  }

  #table(name: string): RowTable {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const definition = this.#schema.tables.find((table) => table.name === name);
    if (definition === undefined) throw new Error(`there is no table ${JSON.stringify(name)}`);
    const rows = this.#database.all(`SELECT name FROM pragma_table_info('${name}')`);
    const table = rowTable(definition, rows.map(([column]) => String(column)));
    this.#tables.set(name, table);
    return table;
  }
}
