/**
 * Backups: whole queues in single files. They are written once, verified, and restored as a queue of its own.
 *
 * A restored queue gets a new queue id, so that no process and no journal of the queue that stood there before can be taken
 * for it.
 */
import { CorruptionError, messageOf, StorageError } from "../domain/errors.ts";
import { checkInteger } from "../domain/check.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { newQueueId } from "../domain/queue_id.ts";
import { Replica } from "../ledger/replica.ts";
import { integrityProblems } from "../ledger/verify.ts";
import {
  keepCopies,
  listFiles,
  readWholeFile,
  removeFile,
  writeNewFile,
} from "../platform/backup_files.ts";
import { DenoStorage } from "../platform/deno_storage.ts";
import { moveLogs } from "../platform/file_log_store.ts";
import { loadSqlJsEngine } from "../platform/sqljs_engine.ts";
import type { BackupReport } from "../queue/maintenance.ts";
import { QUEUE_SCHEMA } from "../ledger_queue/rows/schema.ts";
import { decodeFooter, FOOTER_BYTES } from "../storage/footer.ts";
import { displaced } from "../storage/place.ts";
import { listSegments, segmentName } from "../storage/segment.ts";
import {
  checkSnapshot,
  chunksWithFooter,
  type SnapshotImage,
  writeSnapshot,
} from "../storage/snapshot.ts";

/** A backup file in a folder. */
export interface BackupFile {
  /** Where it is. */
  readonly path: string;
  /** Its size. */
  readonly bytes: number;
  /** When it was last written. */
  readonly modifiedAt: Date;
}

/** How to restore. */
export interface RestoreOptions {
  /**
   * Restore although the queue may be open somewhere: a process that has it open notices, writes no more and says so; what it has
   * written so far is in the copies that are kept. Default false.
   */
  readonly force?: boolean;
}

const RESTORE_OPTIONS = optionNames<RestoreOptions>({ force: true });

/** The result of a restore. */
export interface RestoreReport {
  /** The queue's path. */
  readonly path: string;
  /** How many tasks it holds now. */
  readonly tasks: number;
  /** The folder with copies of the files that stood there before, and their logs; `null` when there were none. */
  readonly keptIn: string | null;
}

/**
 * Writes a backup of the queue at `queuePath` into a new file and reads it back: both files have the same access rights.
 *
 * @throws StorageError, CorruptionError; nothing is left then.
 */
export async function writeBackup(
  path: string,
  content: SnapshotImage,
  queuePath?: string,
): Promise<BackupReport> {
  await writeNewFile(path, chunksWithFooter(content, "backup"), queuePath);
  try {
    const { replica, bytes } = await openBackup(path);
    const tasks = countTasks(replica);
    replica.close();
    return { path, bytes, sequence: content.sequence, tasks };
  } catch (error) {
    await Promise.allSettled([removeFile(path)]);
    throw error;
  }
}

/**
 * Puts the queue that a backup holds at `path`. The files of a queue that is there are copied into a folder beside it first, and its
 * logs moved there.
 *
 * @throws CorruptionError when the backup is damaged; nothing is changed then.
 * @throws StorageError when the queue is open, here or in another process, unless forced.
 */
export async function restoreBackup(
  backup: string,
  path: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  checkOptions(options, RESTORE_OPTIONS, "restoreBackup");
  const { replica } = await openBackup(backup);
  const tasks = countTasks(replica);
  const queueId = newQueueId();
  const content = replica.export({ queueId, sequence: replica.identity!.sequence });
  replica.close();
  const storage = new DenoStorage(path, { presence: options.force ? "unseen" : "exclusive" });
  try {
    await storage.open();
    const keptIn = await replaceQueue(storage, content);
    return { path: storage.location, tasks, keptIn };
  } finally {
    storage.close();
  }
}

/** The backups in a folder, the last written first. Only their last bytes are looked at. @throws StorageError */
export async function listBackups(folder: string): Promise<BackupFile[]> {
  const files = await listFiles(folder, FOOTER_BYTES);
  return files
    .filter(({ tail }) => decodeFooter(tail)?.isBackup)
    .sort((a, b) => b.modifiedAt.getTime() - a.modifiedAt.getTime() || (a.path < b.path ? 1 : -1))
    .map(({ path, bytes, modifiedAt }) => ({ path, bytes, modifiedAt }));
}

/**
 * Deletes all but the last `keep` backups in a folder (1 or more); gives the paths of those deleted. Give each queue a folder
 * of its own: backups are not told apart by queue.
 *
 * @throws RangeError, StorageError
 */
export async function cleanupBackups(folder: string, keep: number): Promise<string[]> {
  checkInteger(keep, "keep", 1, Number.MAX_SAFE_INTEGER);
  const superfluous = (await listBackups(folder)).slice(keep).map(({ path }) => path);
  for (const path of superfluous) await removeFile(path);
  return superfluous;
}

/** The new snapshot stands, with a queue id that no old segment has, before an old segment is removed. */
async function replaceQueue(storage: DenoStorage, content: SnapshotImage): Promise<string | null> {
  const checkpointLock = await storage.lock("checkpoint");
  const commitLock = await storage.lock("commit");
  try {
    const old = storage.list().filter((name) => (storage.fileSize(name) ?? 0) > 0);
    const label = keptLabel();
    const copies = old.length === 0 ? null : await keepCopies(storage.location, old, label);
    const keptIn = await keepLogs(storage.location, copies, label);
    const check = (): void => checkLocks(storage);
    await writeSnapshot(storage, content, { check });
    for (const first of listSegments(storage)) await storage.remove(segmentName(first), check);
    await storage.syncFolder();
    return keptIn;
  } finally {
    commitLock.release();
    checkpointLock.release();
  }
}

/** Another folder, or another's lock files, may have come in the place of those that this process has locked. */
function checkLocks(storage: DenoStorage): void {
  for (const name of ["checkpoint", "commit"] as const) {
    if (!storage.isLockInPlace(name)) throw displaced(storage.location);
  }
}

/** What handlers said of the old tasks is not said of those that are restored under their ids. Gives what is kept. */
async function keepLogs(
  location: string,
  copies: string | null,
  label: string,
): Promise<string | null> {
  const movedTo = await moveLogs(location, { into: copies, label });
  return copies ?? movedTo;
}

function keptLabel(): string {
  return `replaced-${new Date().toISOString().replaceAll(/[-:]/g, "")}`;
}

/** The rows of a backup whose checksum and pages are whole. */
async function openBackup(
  path: string,
): Promise<{ readonly replica: Replica; readonly bytes: number }> {
  const file = await readWholeFile(path);
  const snapshot = checkSnapshot(file, path);
  const place = { engine: await loadSqlJsEngine(), schema: QUEUE_SCHEMA, path };
  const replica = Replica.open(place, snapshot);
  try {
    const problem = replica.identity === undefined
      ? "it does not say which queue it is of"
      : integrityProblems(replica)[0];
    if (problem !== undefined) throw new CorruptionError(path, 0, problem);
    return { replica, bytes: file.length };
  } catch (error) {
    replica.close();
    if (error instanceof StorageError) throw error;
    throw new CorruptionError(path, 0, messageOf(error), { cause: error });
  }
}

function countTasks(replica: Replica): number {
  return Number(replica.read("SELECT count(*) FROM task_queue")[0]![0]);
}
