/**
 * A queue whose work can be counted: fsyncs, journal bytes, SQL statements, locks. Nothing of it depends on the clock.
 *
 * Counted at the ports, by a storage and an engine that pass everything on, so the product runs as it is.
 */
import { Ledger } from "../../src/ledger/ledger.ts";
import type { SqlDatabase, SqlEngine, SqlRow, SqlValue } from "../../src/ledger/sql_engine.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import type { FileName, Lock, LockName, StorageFile } from "../../src/storage/storage.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { seededRandom } from "../support/queues.ts";

/** What is counted, in the order in which it is told. */
export const COUNTED = ["fsyncs", "journalBytes", "sqlStatements", "locks"] as const;

/** How much of each. */
export type Counts = Record<typeof COUNTED[number], number>;

/** A queue, its clock, and its counts so far. */
export interface CountedQueue {
  readonly queue: LedgerQueue;
  readonly ledger: Ledger;
  readonly clock: FakeClock;
  readonly counts: Counts;
  /** Every statement that was run, once. */
  readonly statements: ReadonlySet<string>;
}

/** Nothing yet. */
export function noCounts(): Counts {
  return { fsyncs: 0, journalBytes: 0, sqlStatements: 0, locks: 0 };
}

/** An empty queue in memory, with fixed time, chance and run ids. */
export async function openCountedQueue(): Promise<CountedQueue> {
  const counts = noCounts();
  const statements = new Set<string>();
  const clock = new FakeClock();
  const onBackgroundError = (error: Error): void => reportError(error);
  const ledger = await Ledger.open({
    storage: new CountingStorage(counts),
    engine: new CountingEngine(await loadSqlJsEngine(), { counts, statements }),
    schema: QUEUE_SCHEMA,
    newQueueId: () => "c0".repeat(16),
    clock,
    onBackgroundError,
  });
  let runs = 0;
  const queue = new LedgerQueue(ledger, {
    clock,
    random: seededRandom(1),
    newRunId: () => `00000000-0000-4000-8000-${String(++runs).padStart(12, "0")}`,
    onBackgroundError,
  });
  return { queue, ledger, clock, counts, statements };
}

/** A storage in memory that counts fsyncs, bytes written to the journal, and locks taken. */
class CountingStorage extends MemoryStorage {
  readonly #counts: Counts;

  constructor(counts: Counts) {
    super();
    this.#counts = counts;
  }

  override tryLock(name: LockName): Lock | undefined {
    const lock = super.tryLock(name);
    if (lock !== undefined) this.#counts.locks++;
    return lock;
  }

  override lock(name: LockName): Promise<Lock> {
    this.#counts.locks++;
    return super.lock(name);
  }

  override openFile(name: FileName): StorageFile | undefined {
    const file = super.openFile(name);
    return file && new CountingFile(file, this.#counts);
  }

  override createFile(name: FileName): StorageFile {
    return new CountingFile(super.createFile(name), this.#counts);
  }

  override syncFolder(): Promise<void> {
    this.#counts.fsyncs++;
    return super.syncFolder();
  }

  override syncFolderNow(): void {
    this.#counts.fsyncs++;
    super.syncFolderNow();
  }
}

class CountingFile implements StorageFile {
  readonly path: string;
  readonly #inner: StorageFile;
  readonly #counts: Counts;

  constructor(inner: StorageFile, counts: Counts) {
    this.path = inner.path;
    this.#inner = inner;
    this.#counts = counts;
  }

  size(): number {
    return this.#inner.size();
  }

  read(offset: number, into: Uint8Array): number {
    return this.#inner.read(offset, into);
  }

  write(offset: number, bytes: Uint8Array): void {
    if (this.path.includes("journal-")) this.#counts.journalBytes += bytes.length;
    this.#inner.write(offset, bytes);
  }

  truncate(size: number): void {
    this.#inner.truncate(size);
  }

  isInPlace(): boolean {
    return this.#inner.isInPlace();
  }

  sync(): Promise<void> {
    this.#counts.fsyncs++;
    return this.#inner.sync();
  }

  syncNow(): void {
    this.#counts.fsyncs++;
    this.#inner.syncNow();
  }

  close(): void {
    this.#inner.close();
  }
}

/** An engine that counts the statements of its databases. */
class CountingEngine implements SqlEngine {
  readonly #inner: SqlEngine;
  readonly #note: (sql: string) => void;

  constructor(
    inner: SqlEngine,
    { counts, statements }: { readonly counts: Counts; readonly statements: Set<string> },
  ) {
    this.#inner = inner;
    this.#note = (sql) => {
      counts.sqlStatements++;
      statements.add(sql);
    };
  }

  open(bytes?: Uint8Array): SqlDatabase {
    const database = this.#inner.open(bytes);
    return {
      run: (sql: string): void => {
        this.#note(sql);
        database.run(sql);
      },
      all: (sql: string, parameters?: readonly SqlValue[]): SqlRow[] => {
        this.#note(sql);
        return database.all(sql, parameters);
      },
      execute: (sql: string, parameters?: readonly SqlValue[]): number => {
        this.#note(sql);
        return database.execute(sql, parameters);
      },
      export: () => database.export(),
      close: () => database.close(),
    };
  }
}
