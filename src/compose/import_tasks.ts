/**
 * Importing: the tasks of a file, of the Python system or of `exportTasks`, come into a queue.
 *
 * The whole file is read and checked before the queue is touched, and what is stored is stored in one transaction.
 */
import { invariant, StorageError } from "../domain/errors.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import type { SqlDatabase } from "../ledger/sql_engine.ts";
import { removeFile } from "../platform/backup_files.ts";
import { loadSqlJsEngine } from "../platform/sqljs_engine.ts";
import { isThere, readDatabaseFiles } from "../platform/transfer_files.ts";
import type { TaskRecord } from "../queue/records.ts";
import type { EmbeddedQueue } from "../queue/maintenance.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { clampTaskFile } from "../transfer/clamp.ts";
import {
  checkLength,
  checkNeighbours,
  damaged,
  NDJSON_NAME,
  notesOnFiles,
  readDatabase,
  textOf,
} from "../transfer/database_file.ts";
import {
  type ImportOptions,
  ImportRefusedError,
  type ImportReport,
  type ReadTaskFileOptions,
  reportOf,
} from "../transfer/import_report.ts";
import { readNdjson } from "../transfer/ndjson.ts";
import { partsOf, withoutProblems } from "../transfer/record_parts.ts";
import { isSqliteDatabase, withoutWalMode } from "../transfer/sqlite_files.ts";
import type { TaskFile, TransferProgress } from "../transfer/task_file.ts";
import { type Stored, verify } from "../transfer/verify_import.ts";
import { restoreBackup } from "./backups.ts";
import { openEmbeddedQueue } from "./open_embedded.ts";

const SILENT = (): void => {};

const READ_OPTIONS = optionNames<ReadTaskFileOptions>({ onProgress: true });

const IMPORT_OPTIONS = optionNames<ImportOptions>({
  dryRun: true,
  skipInvalid: true,
  renumber: true,
  onProgress: true,
  clamp: true,
});

/**
 * Reads a file of tasks: a database of the Python system (tables `task_queue`, `workers`, `task_logs`) or NDJSON. The file is
 * only read; it and its tasks are held in memory, about 0.4 GB for 50,000 ordinary ones. Rows that are not tasks are in
 * `problems`.
 *
 * @throws StorageError when it cannot be read, is damaged or of another kind, or rows of it stand in a write-ahead log or a
 * rollback journal that was not folded in.
 */
export async function readTaskFile(
  path: string,
  options: ReadTaskFileOptions = {},
): Promise<TaskFile> {
  checkOptions(options, READ_OPTIONS, "readTaskFile");
  const { onProgress = SILENT } = options;
  const files = await readDatabaseFiles(path);
  if (files.bytes.length === 0 && !NDJSON_NAME.test(path)) {
    throw new StorageError("import", path, "it is empty");
  }
  if (!isSqliteDatabase(files.bytes)) {
    return { path, format: "ndjson", ...readNdjson(textOf(files.bytes, path), onProgress) };
  }
  checkNeighbours(files, path);
  checkLength(files, path);
  const database = await openCopy(files.bytes, path);
  try {
    const read = readDatabase(database, path, onProgress);
    return { path, format: "original", ...read, notes: [...read.notes, ...notesOnFiles(files)] };
  } finally {
    database.close();
  }
}

/**
 * Brings the tasks, schedules, limits and pauses of a file into a queue, with their ids, attempts, keys and times: all of them in one
 * transaction, durable and compared with the file before it resolves, or none. Tasks in progress become queued. What is in
 * the queue already is not added again, so importing a file twice is harmless.
 *
 * @throws ImportRefusedError when a row is not a task (unless `skipInvalid`) or does not go together with what is in the queue;
 * a dry run reports them instead.
 * @throws StorageError as `readTaskFile`, or when the tasks could not be made durable.
 * @throws RangeError for more tasks than one transaction can hold, about 60 million characters; `importAsNewQueue` has no
 * such limit.
 */
export async function importTasks(
  queue: TaskQueue,
  from: string | TaskFile,
  options: ImportOptions = {},
): Promise<ImportReport> {
  checkOptions(options, IMPORT_OPTIONS, "importTasks");
  const { onProgress = SILENT, dryRun = false, skipInvalid = false, renumber } = options;
  const file = await taskFileOf(from, options);
  const total = file.records.length;
  const isUnreadable = file.problems.length > 0 && !skipInvalid;
  onProgress({ phase: "store", done: 0, total });
  const outcome = await queue.importRecords(file.records, {
    ...{ skipInvalid, renumber },
    schedules: file.schedules,
    limits: file.limits,
    dryRun: dryRun || isUnreadable,
  });
  onProgress({ phase: "store", done: total, total });
  const report = reportOf(file, outcome);
  if (!outcome.stored && !dryRun) throw new ImportRefusedError(report);
  if (outcome.stored) await verify(queue, file, outcome, onProgress);
  return report;
}

/**
 * Makes the queue at `path`, where there is none yet, with the tasks of a file in it, and checks it. It is built in memory and
 * appears at once, so there is no limit but memory, and a process that dies meanwhile leaves no queue.
 *
 * @throws ImportRefusedError as `importTasks`; nothing is made then, nor by a dry run.
 * @throws StorageError when there is something at `path`, or it could not be written.
 */
export async function importAsNewQueue(
  path: string,
  from: string | TaskFile,
  options: ImportOptions = {},
): Promise<ImportReport> {
  checkOptions(options, IMPORT_OPTIONS, "importAsNewQueue");
  const { onProgress = SILENT } = options;
  if (await isThere(path)) throw new StorageError("import into", path, "it is there already");
  const file = await taskFileOf(from, options);
  const backup = `${path}.${crypto.randomUUID()}.importing`;
  try {
    const { report, stored } = await buildBackup(backup, file, options);
    if (stored === undefined) return report;
    if (await isThere(path)) throw new StorageError("import into", path, "it is there already");
    await restoreBackup(backup, path);
    await using made = new ScopedQueue(await openEmbeddedQueue({ path, mustExist: true }));
    await verify(made.queue, file, stored, onProgress);
    return { ...report, stored: true };
  } finally {
    await Promise.allSettled([removeFile(backup)]);
  }
}

async function taskFileOf(
  from: string | TaskFile,
  { onProgress, clamp = false }: ImportOptions,
): Promise<TaskFile> {
  const file = typeof from === "string" ? await readTaskFile(from, { onProgress }) : from;
  return clamp ? clampTaskFile(file) : file;
}

/** Plans the import into an empty queue and, unless this is a dry run, writes that queue into the file at `backup`. */
async function buildBackup(
  backup: string,
  file: TaskFile,
  options: ImportOptions,
): Promise<{ readonly report: ImportReport; readonly stored?: Stored }> {
  await using scratch = new ScopedQueue(await openEmbeddedQueue({ memory: true }));
  const report = await importTasks(scratch.queue, file, { ...options, clamp: false, dryRun: true });
  if (options.dryRun) return { report };
  const isRefused = report.problems.length > 0 && !options.skipInvalid;
  if (isRefused || report.conflicts.length > 0) throw new ImportRefusedError(report);
  const records = withoutProblems(file, report);
  const storedIds = await storeInParts(scratch.queue, records, options.onProgress ?? SILENT);
  const { stored, schedules } = await scratch.queue.importRecords([], {
    schedules: file.schedules,
    limits: file.limits,
    skipInvalid: true,
  });
  invariant(stored, "schedules that were checked are refused");
  await scratch.queue.backup(backup);
  return { report, stored: { additions: storedIds, storedIds, schedules } };
}

/** A queue that is closed when its scope ends. */
class ScopedQueue implements AsyncDisposable {
  readonly queue: EmbeddedQueue;

  constructor(queue: EmbeddedQueue) {
    this.queue = queue;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.queue.close();
  }
}

/** Nobody sees the scratch queue, so what goes in in parts appears as a whole. */
async function storeInParts(
  queue: TaskQueue,
  records: readonly TaskRecord[],
  onProgress: (progress: TransferProgress) => void,
): Promise<readonly number[]> {
  const ids: number[] = [];
  for (const part of partsOf(records)) {
    const { stored, storedIds } = await queue.importRecords(part);
    invariant(stored, "records that were checked are refused");
    for (const id of storedIds) ids.push(id);
    onProgress({ phase: "store", done: ids.length, total: records.length });
  }
  return ids;
}

async function openCopy(bytes: Uint8Array, path: string): Promise<SqlDatabase> {
  const engine = await loadSqlJsEngine();
  return damaged(path, () => engine.open(withoutWalMode(bytes)));
}
