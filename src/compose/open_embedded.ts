/**
 * Opening a queue that keeps its own files: where the ports meet the platform.
 */
import { writeBackup } from "./backups.ts";
import { checkOptions } from "../domain/options.ts";
import { checkPath } from "../domain/check_path.ts";
import { QUEUE_SCHEMA } from "../ledger_queue/rows/schema.ts";
import { DenoStorage } from "../platform/deno_storage.ts";
import { FileLogStore, moveLogs } from "../platform/file_log_store.ts";
import { threadFolding } from "../platform/fold_thread.ts";
import { trimLogs } from "../platform/trim_logs.ts";
import { loadSqlJsEngine } from "../platform/sqljs_engine.ts";
import type { EmbeddedQueue } from "../queue/maintenance.ts";
import { MemoryStorage } from "../storage/memory_storage.ts";
import type { Storage } from "../storage/storage.ts";
import { checkLogsRoom } from "../queue_policy/logs_room.ts";
import { composeQueue } from "./compose_queue.ts";
import { QUEUE_OPTIONS, type QueueOptions } from "./queue_options.ts";

/**
 * Opens the queue at a path, in memory or in any other storage, or makes it; recovers what a crash left. It has what looks after
 * its files: `checkpoint`, `backup`, `integrityCheck`, `storageStats`.
 *
 * @throws TypeError for the address of a database. @throws CorruptionError when a file is damaged; nothing is overwritten then.
 * @throws StorageError when it cannot be read or written, or another program's database is there.
 */
export async function openEmbeddedQueue(where: string | QueueOptions): Promise<EmbeddedQueue> {
  const options = typeof where === "string" ? { path: where } : where;
  checkOptions(options, QUEUE_OPTIONS, "openEmbeddedQueue");
  const { path, readOnly, memoryMaxBytes } = options;
  const storage = storageOf(options);
  const maxBytes = checkLogsRoom(options.logsMaxBytes);
  return await composeQueue({
    ...options,
    engine: await loadSqlJsEngine(),
    storage,
    folding: storage instanceof DenoStorage
      ? threadFolding(storage, { schema: QUEUE_SCHEMA, memoryMaxBytes })
      : undefined,
    isReadOnly: readOnly,
    location: path,
    onFirstOpened: () => path === undefined ? undefined : putStrangeLogsAside(path),
    writeBackup: (target, content) => writeBackup(target, content, path),
    ...(path === undefined ? {} : {
      onPruned: (ids) => new FileLogStore(path).remove(ids),
      trimLogs: (endedAt) => trimLogs(path, { maxBytes, endedAt }),
    }),
  });
}

/** A queue that never had a task has no logs: those that are there are of a queue that was here before. */
async function putStrangeLogsAside(path: string): Promise<void> {
  const label = `replaced-${new Date().toISOString().replaceAll(/[-:]/g, "")}`;
  await moveLogs(path, { into: null, label });
}

function storageOf({ path, mustExist, readOnly, memory, storage }: QueueOptions): Storage {
  const given = [path, memory || undefined, storage].filter((place) => place !== undefined);
  if (given.length !== 1) {
    throw new TypeError(
      `Cannot open a queue at ${given.length} places: exactly one of path, memory and storage is needed`,
    );
  }
  if (storage !== undefined) return storage;
  if (path === undefined) return new MemoryStorage();
  return new DenoStorage(checkPath(path, "path of a queue"), { mustExist, isReadOnly: readOnly });
}
