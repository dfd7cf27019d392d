/**
 * A file of tasks as bytes: whether it is whole, and what kind it is.
 */
import { messageOf, StorageError } from "../domain/errors.ts";
import type { SqlDatabase } from "../ledger/sql_engine.ts";
import { readOriginal } from "./original_import.ts";
import { damageOf, detectSchema } from "./original_schema.ts";
import {
  bytesByHeader,
  type DatabaseFiles,
  isHotJournal,
  isInWalMode,
  pendingWalPages,
} from "./sqlite_files.ts";
import type { ReadTasks, TransferProgress } from "./task_file.ts";

/** An empty queue's lines are an empty file; of any other name it is nothing. */
export const NDJSON_NAME = /\.(ndjson|jsonl)$/i;

const WAL_ADVICE = "close every program that uses it, then fold them in with " +
  `python3 -c "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)')" FILE`;

const JOURNAL_ADVICE = "open it once with the program that it belongs to, or with " +
  `python3 -c "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM task_queue LIMIT 1')" FILE`;

/** @throws StorageError */
export function checkNeighbours({ bytes, wal, journal }: DatabaseFiles, path: string): void {
  if (wal !== undefined) {
    const pages = pendingWalPages(wal, bytes);
    if (pages === undefined) {
      const reason = `the write-ahead log beside it (${path}-wal) is damaged: ${WAL_ADVICE}`;
      throw new StorageError("import", path, reason);
    }
    if (pages > 0) {
      const reason =
        `${pages} changed pages stand only in the write-ahead log beside it (${path}-wal): ${WAL_ADVICE}`;
      throw new StorageError("import", path, reason);
    }
  }
  if (journal !== undefined && isHotJournal(journal)) {
    const reason =
      `a transaction was cut short, and the journal beside it (${path}-journal) undoes it: ${JOURNAL_ADVICE}`;
    throw new StorageError("import", path, reason);
  }
}

/** Whether rows were left behind in a log that was not copied cannot be seen in the file. */
export function notesOnFiles({ bytes, wal }: DatabaseFiles): string[] {
  if (wal !== undefined || !isInWalMode(bytes)) return [];
  return [
    "there is no write-ahead log (-wal) beside it: if the file was copied while the Python system ran, " +
    "copy the log too, or its newest tasks are missing",
  ];
}

/** @throws StorageError when the end of the database is missing. */
export function checkLength({ bytes }: DatabaseFiles, path: string): void {
  const expected = bytesByHeader(bytes);
  if (expected <= bytes.length) return;
  const reason =
    `it is damaged: its header speaks of ${expected} bytes, and it has ${bytes.length}`;
  throw new StorageError("import", path, reason);
}

/** The tasks of a database of the Python system. @throws StorageError when it is damaged or of another schema. */
export function readDatabase(
  database: SqlDatabase,
  path: string,
  onProgress: (progress: TransferProgress) => void,
): ReadTasks {
  const damage = damaged(path, () => damageOf(database));
  if (damage !== undefined) throw new StorageError("import", path, `it is damaged: ${damage}`);
  const schema = damaged(path, () => detectSchema(database));
  if (schema.problems.length > 0) {
    throw new StorageError("import", path, schema.problems.join("; "));
  }
  return damaged(path, () => readOriginal(database, schema, onProgress));
}

/** What SQLite refuses to read is damaged. A bug is not corruption. */
export function damaged<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw error;
    throw new StorageError("import", path, `it is damaged: ${messageOf(error)}`, { cause: error });
  }
}

/** @throws StorageError when it does not begin like NDJSON. */
export function textOf(bytes: Uint8Array, path: string): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (text === "" || /^\s*\{/.test(text)) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  const reason = "it is neither a SQLite database nor NDJSON (one JSON object a line, in UTF-8)";
  throw new StorageError("import", path, reason);
}
