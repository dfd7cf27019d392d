/**
 * Importing: the tasks of a file, of the Python system or of `exportTasks`, come into a queue.
 *
 * The whole file is read and checked before the queue is touched, and what is stored is stored in one transaction.
 */
import { restoreBackup } from "./backups.ts";
import { invariant, messageOf, quotePath, StorageError } from "./domain/errors.ts";
import { TASK_STATUSES, type TaskStatus } from "./domain/task.ts";
import type { SqlDatabase } from "./ledger/sql_engine.ts";
import { openQueue } from "./open_queue.ts";
import { removeFile } from "./platform/backup_files.ts";
import { type DatabaseFiles, isThere, readDatabaseFiles } from "./platform/transfer_files.ts";
import { loadSqlJsEngine } from "./platform/sqljs_engine.ts";
import type { RecordImport, RecordImportOptions } from "./queue/import_records.ts";
import type { ScheduleRecord } from "./queue/schedule_record.ts";
import { isMadeUpRunId, type TaskRecord } from "./queue/task_record.ts";
import type { TaskQueue } from "./queue/task_queue.ts";
import { prepareWebhook } from "./queue/webhooks.ts";
import { clampTaskFile } from "./transfer/clamp.ts";
import { readNdjson } from "./transfer/ndjson.ts";
import { readOriginal } from "./transfer/original_import.ts";
import { damageOf, detectSchema } from "./transfer/original_schema.ts";
import {
  bytesByHeader,
  isHotJournal,
  isInWalMode,
  isSqliteDatabase,
  pendingWalPages,
  withoutWalMode,
} from "./transfer/sqlite_files.ts";
import type {
  ReadTasks,
  TaskFile,
  TransferProblem,
  TransferProgress,
} from "./transfer/task_file.ts";

/** How to read a file of tasks. */
export interface ReadTaskFileOptions {
  /** Is told how far it is; default nobody. */
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** How to import. */
export interface ImportOptions extends RecordImportOptions, ReadTaskFileOptions {
  /**
   * Bring priorities, attempts and instants that are out of range to the nearest value that is allowed, and take blanks from
   * around names, with a note of each; default false: such a task is a problem.
   */
  readonly clamp?: boolean;
}

/** What an import came to, or would come to. */
export interface ImportReport {
  /** The file. */
  readonly path: string;
  /** Whether it is a database of the Python system or NDJSON. */
  readonly format: TaskFile["format"];
  /** Whether the tasks are stored, durably and verified; `false` after a dry run. */
  readonly stored: boolean;
  /** How many rows or lines the file has. */
  readonly found: number;
  /** How many tasks are new in this queue. */
  readonly added: number;
  /** How many were here already, and were left as they are. */
  readonly present: number;
  /** How many were here and are gone (pruned), and were not added again. */
  readonly gone: number;
  /** How many of the file's tasks were leased or in progress there, and are queued now. */
  readonly returned: number;
  /** The file's tasks that could be read, by the status that they have here. */
  readonly byStatus: Readonly<Record<TaskStatus, number>>;
  /** The same for each type. */
  readonly byType: Readonly<Record<string, Readonly<Record<TaskStatus, number>>>>;
  /** What cannot be imported, and why. */
  readonly problems: readonly TransferProblem[];
  /** What does not go together with the tasks that are in the queue. */
  readonly conflicts: readonly TransferProblem[];
  /** What the file has and is not carried over, one sentence each. */
  readonly notes: readonly string[];
  /** How many schedules the file has, and how many of them are new in this queue, or were here already. */
  readonly schedules: { readonly found: number; readonly added: number; readonly present: number };
}

/** What was stored. */
type Stored = Pick<RecordImport, "additions" | "storedIds" | "schedules">;

/** The file's tasks cannot be imported as they are; nothing was stored. */
export class ImportRefusedError extends Error {
  /** `ImportRefusedError`. */
  override readonly name = "ImportRefusedError";
  /** What was found, with every problem and conflict. */
  readonly report: ImportReport;

  /** The file of `report` was refused. */
  constructor(report: ImportReport) {
    super(refusalOf(report));
    this.report = report;
  }
}

/** How many characters of payload and result a transaction takes at most, and what the other fields may add. */
const PART_LENGTH = 8 * 1024 * 1024;
const FIELDS_LENGTH = 1000;

/** How many reasons an error's message tells. */
const REASONS_TOLD = 3;

/** An empty queue's lines are an empty file; of any other name it is nothing. */
const NDJSON_NAME = /\.(ndjson|jsonl)$/i;

const WAL_ADVICE = "close every program that uses it, then fold them in with " +
  `python3 -c "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)')" FILE`;

const JOURNAL_ADVICE = "open it once with the program that it belongs to, or with " +
  `python3 -c "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM task_queue LIMIT 1')" FILE`;

const SILENT = (): void => {};

/**
 * Reads a file of tasks: a database of the Python system (tables `task_queue`, `workers`, `task_logs`) or NDJSON. The file is
 * only read; it and its tasks are held in memory, about 0.4 GB for 50,000 ordinary ones. Rows that are no tasks are in
 * `problems`.
 *
 * @throws StorageError when it cannot be read, is damaged or of another kind, or rows of it stand in a write-ahead log or a
 * rollback journal that was not folded in.
 */
export async function readTaskFile(
  path: string,
  { onProgress = SILENT }: ReadTaskFileOptions = {},
): Promise<TaskFile> {
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
 * Brings the tasks and schedules of a file into a queue, with their ids, attempts, keys and times: all of them in one
 * transaction, durable and compared with the file before it resolves, or none. Tasks in progress become queued. What is in
 * the queue already is not added again, so importing a file twice is harmless.
 *
 * @throws ImportRefusedError when a row is no task (unless `skipInvalid`) or does not go together with what is in the queue;
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
  const { onProgress = SILENT, dryRun = false, skipInvalid = false } = options;
  const file = await taskFileOf(from, options);
  const total = file.records.length;
  const isUnreadable = file.problems.length > 0 && !skipInvalid;
  onProgress({ phase: "store", done: 0, total });
  const outcome = await queue.importRecords(file.records, {
    ...options,
    schedules: file.schedules,
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
  const { onProgress = SILENT } = options;
  if (await isThere(path)) throw new StorageError("import into", path, "it is there already");
  const file = await taskFileOf(from, options);
  const backup = `${path}.${crypto.randomUUID()}.importing`;
  try {
    const { report, stored } = await buildBackup(backup, file, options);
    if (stored === undefined) return report;
    if (await isThere(path)) throw new StorageError("import into", path, "it is there already");
    await restoreBackup(backup, path);
    await using made = new ScopedQueue(await openQueue({ path, mustExist: true }));
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
  await using scratch = new ScopedQueue(await openQueue({ memory: true }));
  const report = await importTasks(scratch.queue, file, { ...options, clamp: false, dryRun: true });
  if (options.dryRun) return { report };
  const isRefused = report.problems.length > 0 && !options.skipInvalid;
  if (isRefused || report.conflicts.length > 0) throw new ImportRefusedError(report);
  const records = withoutProblems(file, report);
  const storedIds = await storeInParts(scratch.queue, records, options.onProgress ?? SILENT);
  const { stored, schedules } = await scratch.queue.importRecords([], {
    schedules: file.schedules,
    skipInvalid: true,
  });
  invariant(stored, "schedules that were checked are refused");
  await scratch.queue.backup(backup);
  return { report, stored: { additions: storedIds, storedIds, schedules } };
}

/** A queue that is closed when its scope ends. */
class ScopedQueue implements AsyncDisposable {
  readonly queue: TaskQueue;

  constructor(queue: TaskQueue) {
    this.queue = queue;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.queue.close();
  }
}

function withoutProblems(file: TaskFile, { problems }: ImportReport): readonly TaskRecord[] {
  const wrong = new Set(problems.map(({ id }) => id));
  return file.records.filter(({ id }) => !wrong.has(id)).sort((a, b) => a.id - b.id);
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

/** Parts that a transaction can hold, however large their tasks are. Nobody waits for a task of a later part. */
function* partsOf(records: readonly TaskRecord[]): Generator<readonly TaskRecord[]> {
  let part: TaskRecord[] = [];
  let [length, lastParent] = [0, 0];
  for (const record of records) {
    part.push(record);
    length += record.payloadText.length + (record.resultText?.length ?? 0) + FIELDS_LENGTH;
    for (const { taskId } of record.parents) lastParent = Math.max(lastParent, taskId);
    if (length < PART_LENGTH || record.id < lastParent) continue;
    yield part;
    [part, length] = [[], 0];
  }
  if (part.length > 0) yield part;
}

/** @throws StorageError */
function checkNeighbours({ bytes, wal, journal }: DatabaseFiles, path: string): void {
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
function notesOnFiles({ bytes, wal }: DatabaseFiles): string[] {
  if (wal !== undefined || !isInWalMode(bytes)) return [];
  return [
    "there is no write-ahead log (-wal) beside it: if the file was copied while the Python system ran, " +
    "copy the log too, or its newest tasks are missing",
  ];
}

/** @throws StorageError when the end of the database is missing. */
function checkLength({ bytes }: DatabaseFiles, path: string): void {
  const expected = bytesByHeader(bytes);
  if (expected <= bytes.length) return;
  const reason =
    `it is damaged: its header speaks of ${expected} bytes, and it has ${bytes.length}`;
  throw new StorageError("import", path, reason);
}

async function openCopy(bytes: Uint8Array, path: string): Promise<SqlDatabase> {
  const engine = await loadSqlJsEngine();
  return damaged(path, () => engine.open(withoutWalMode(bytes)));
}

function readDatabase(
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

/** What SQLite refuses to read is damaged. A mistake of ours is no damage. */
function damaged<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw error;
    throw new StorageError("import", path, `it is damaged: ${messageOf(error)}`, { cause: error });
  }
}

/** @throws StorageError when it does not begin like NDJSON. */
function textOf(bytes: Uint8Array, path: string): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (text === "" || /^\s*\{/.test(text)) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  const reason = "it is neither a SQLite database nor NDJSON (one JSON object a line, in UTF-8)";
  throw new StorageError("import", path, reason);
}

function reportOf(file: TaskFile, outcome: RecordImport): ImportReport {
  const { path, format, found, returned, notes } = file;
  const refused = new Set(outcome.problems.map(({ id }) => id));
  return {
    path,
    format,
    stored: outcome.stored,
    found,
    added: outcome.additions.length,
    present: outcome.present.length,
    gone: outcome.gone.length,
    returned,
    ...countsOf(file.records.filter(({ id }) => !refused.has(id))),
    problems: [...file.problems, ...outcome.problems],
    conflicts: outcome.conflicts,
    notes,
    schedules: {
      found: file.schedules.length,
      added: outcome.schedules.additions.length,
      present: outcome.schedules.present.length,
    },
  };
}

function countsOf(records: readonly TaskRecord[]): Pick<ImportReport, "byStatus" | "byType"> {
  const byStatus = noTasks();
  const byType = new Map<string, Record<TaskStatus, number>>();
  for (const { type, status } of records) {
    const ofType = byType.get(type) ?? noTasks();
    byType.set(type, ofType);
    ofType[status]++;
    byStatus[status]++;
  }
  return { byStatus, byType: Object.fromEntries(byType) };
}

function noTasks(): Record<TaskStatus, number> {
  return Object.fromEntries(TASK_STATUSES.map((status) => [status, 0])) as Record<
    TaskStatus,
    number
  >;
}

/** Reads the queue back. Others may have begun to work on the tasks, so what never changes is compared. @throws StorageError */
async function verify(
  queue: TaskQueue,
  file: TaskFile,
  { additions, storedIds, schedules }: Stored,
  onProgress: (progress: TransferProgress) => void,
): Promise<void> {
  const total = additions.length;
  onProgress({ phase: "verify", done: 0, total });
  const sources = new Map(file.records.map((record) => [record.id, record]));
  const here = await queue.exportAll();
  const stored = new Map(here.tasks.map((record) => [record.id, record]));
  const wrong = additions.filter((id, i) => {
    return !isSame(sources.get(id)!, stored.get(storedIds[i]!));
  });
  if (wrong.length > 0) {
    const reason = `${wrong.length} of ${total} tasks are not in the queue as they are in the file`;
    throw new StorageError("verify", file.path, `${reason}, the first of them is ${wrong[0]}`);
  }
  const known = new Map(here.schedules.map((record) => [record.id, record]));
  const added = new Set(schedules.additions);
  const lost = file.schedules.filter((source) =>
    added.has(source.id) && !isSameSchedule(source, known.get(source.id))
  );
  if (lost.length > 0) {
    const reason = `${lost.length} schedules are not in the queue as they are in the file`;
    throw new StorageError("verify", file.path, `${reason}, the first of them is ${lost[0]!.id}`);
  }
  onProgress({ phase: "verify", done: total, total });
}

/** It may have fired meanwhile. */
function isSameSchedule(source: ScheduleRecord, stored: ScheduleRecord | undefined): boolean {
  return stored !== undefined && stored.type === source.type &&
    stored.payloadText === source.payloadText && stored.everyMs === source.everyMs &&
    stored.priority === source.priority && stored.firings >= source.firings &&
    stored.createdAt.getTime() === source.createdAt.getTime();
}

function isSame(source: TaskRecord, stored: TaskRecord | undefined): boolean {
  return stored !== undefined && stored.type === source.type &&
    stored.payloadText === source.payloadText && isSameRunId(source, stored) &&
    stored.idempotencyKey === source.idempotencyKey && stored.priority === source.priority &&
    stored.maxAttempts === source.maxAttempts && isSameWebhook(source, stored) &&
    stored.createdAt.getTime() === source.createdAt.getTime();
}

/** A run id that was made up may have been made up anew. */
function isSameRunId(source: TaskRecord, stored: TaskRecord): boolean {
  return stored.runId === source.runId ||
    (isMadeUpRunId(source) && isMadeUpRunId({ id: source.id, runId: stored.runId }));
}

function isSameWebhook({ webhook }: TaskRecord, stored: TaskRecord): boolean {
  const [wanted, found] = [webhook, stored.webhook].map((each) => each && prepareWebhook(each));
  return wanted?.url === found?.url && wanted?.events === found?.events;
}

function refusalOf({ path, problems, conflicts }: ImportReport): string {
  const reasons = [...problems, ...conflicts];
  const told = reasons.slice(0, REASONS_TOLD).map(({ id, reason }) =>
    id === null ? reason : `task ${id}: ${reason}`
  );
  const rest = reasons.length - told.length;
  const more = rest > 0 ? `; and ${rest} more` : "";
  return `Cannot import ${quotePath(path)}: ${told.join("; ")}${more}`;
}
