/**
 * Opening a queue that keeps its own files: where the ports meet the platform.
 */
import { newQueueId } from "../domain/queue_id.ts";
import { writeBackup } from "./backups.ts";
import { checkOptions } from "../domain/options.ts";
import { checkPath } from "../domain/check_path.ts";
import { systemClock } from "../domain/clock.ts";
import { checkInteger, checkOneOf } from "../domain/check.ts";
import { DURABILITIES, type Durability } from "../domain/durability.ts";
import { Ledger } from "../ledger/ledger.ts";
import { MEMORY_LIMITS } from "../domain/memory_limits.ts";
import { DenoStorage } from "../platform/deno_storage.ts";
import { FileLogStore, moveLogs } from "../platform/file_log_store.ts";
import { loadSqlJsEngine } from "../platform/sqljs_engine.ts";
import { LedgerQueue } from "../ledger_queue/ledger_queue.ts";
import { logBackgroundError } from "../ledger_queue/queue_log.ts";
import type { EmbeddedQueue } from "../queue/maintenance.ts";
import { QUEUE_SCHEMA } from "../ledger_queue/rows/schema.ts";
import { MemoryStorage } from "../storage/memory_storage.ts";
import type { Storage } from "../storage/storage.ts";
import { warningOnce } from "./background_warning.ts";
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
  const clock = options.clock ?? systemClock;
  const onBackgroundError = options.onBackgroundError ?? warningOnce(clock);
  const ledger = await Ledger.open({
    storage: storageOf(options),
    engine: await loadSqlJsEngine(),
    schema: QUEUE_SCHEMA,
    newQueueId,
    clock,
    isReadOnly: options.readOnly,
    durability: checkDurability(options.durability),
    memoryMaxBytes: checkMemory(options.memoryMaxBytes),
    lockWaitMaxMs: checkLockWait(options.lockWaitMaxMs),
    onBackgroundError,
    onListenerError: (error) => logBackgroundError(options.path ?? "memory", error),
  });
  const { path, retryPolicy, payloadMaxBytes, retention, health, onClosed } = options;
  try {
    if (path !== undefined && ledger.stats().sequence === 0) await putStrangeLogsAside(path);
    const random = options.random ?? Math.random;
    return new LedgerQueue(ledger, {
      clock,
      random,
      isReadOnly: options.readOnly,
      retryPolicy,
      payloadMaxBytes,
      retention,
      health,
      onBackgroundError,
      writeBackup: (target, content) => writeBackup(target, content, path),
      onPruned: path === undefined ? undefined : (ids) => new FileLogStore(path).remove(ids),
      onClosed,
    });
  } catch (error) {
    await ledger.close();
    throw error;
  }
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

function checkDurability(durability: string | undefined): Durability | undefined {
  return durability === undefined ? undefined : checkOneOf(durability, DURABILITIES, "durability");
}

function checkLockWait(lockWaitMaxMs: number | undefined): number | undefined {
  if (lockWaitMaxMs === undefined) return undefined;
  return checkInteger(lockWaitMaxMs, "lockWaitMaxMs", 1000, 3_600_000);
}

function checkMemory(memoryMaxBytes: number | undefined): number {
  const { memoryMaxBytesMin, memoryMaxBytesMax } = MEMORY_LIMITS;
  const bytes = memoryMaxBytes ?? memoryMaxBytesMax;
  return checkInteger(bytes, "memoryMaxBytes", memoryMaxBytesMin, memoryMaxBytesMax);
}
