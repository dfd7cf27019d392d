/**
 * Opening a queue: where the ports meet the platform.
 */
import { newQueueId } from "../domain/queue_id.ts";
import { writeBackup } from "./backups.ts";
import { checkPath } from "../domain/check_path.ts";
import { type Clock, systemClock } from "../domain/clock.ts";
import type { Random } from "../domain/random.ts";
import { checkInteger, checkOneOf } from "../domain/check.ts";
import { DURABILITIES, type Durability } from "../domain/durability.ts";
import { Ledger } from "../ledger/ledger.ts";
import { MEMORY_LIMITS } from "../domain/memory_limits.ts";
import { DenoStorage } from "../platform/deno_storage.ts";
import { withoutRepeats } from "../domain/without_repeats.ts";
import { warnOnStandardError } from "../platform/environment.ts";
import { queueKey } from "../platform/queue_path.ts";
import { FileLogStore, moveLogs } from "../platform/file_log_store.ts";
import { loadSqlJsEngine } from "../platform/sqljs_engine.ts";
import { LedgerQueue } from "../ledger_queue/ledger_queue.ts";
import { logBackgroundError } from "../ledger_queue/queue_log.ts";
import type { QueueSettings } from "../queue/queue_settings.ts";
import type { EmbeddedQueue } from "../queue/maintenance.ts";
import { QUEUE_SCHEMA } from "../ledger_queue/rows/schema.ts";
import { MemoryStorage } from "../storage/memory_storage.ts";
import type { Storage } from "../storage/storage.ts";
import type { LogLimits, LogStore } from "../worker/log_store.ts";

/** Where a queue is, and how it behaves. Exactly one of `path`, `memory` and `storage` is needed. */
export interface QueueOptions extends QueueSettings {
  /** The path of its snapshot; the other files stand beside it. Missing folders are made. Default none. */
  readonly path?: string;
  /** Whether to refuse a path at which there is no queue yet, instead of making one; default false. */
  readonly mustExist?: boolean;
  /**
   * Whether to read only: the queue must be there, nothing is made, locked or changed, and what would change it is refused
   * with a StorageError. It needs no permission to write, and works on a full disk. Default false.
   */
  readonly readOnly?: boolean;
  /** `true` keeps everything in memory, for tests and for the edge; default false. */
  readonly memory?: boolean;
  /** Any other place; default none. */
  readonly storage?: Storage;
  /** Default the system's. */
  readonly clock?: Clock;
  /** Default `Math.random`. */
  readonly random?: Random;
  /**
   * Is told when work in the background failed (a checkpoint, a rescue, following other processes); the queue goes on
   * where it can. Default: a line on the standard error, the same one once a minute.
   */
  readonly onBackgroundError?: (error: Error) => void;
  /** Called when the queue is closed. Default: none. */
  readonly onClosed?: () => void;
}

/**
 * Opens the queue at a path, or makes it; recovers what a crash left.
 *
 * @throws CorruptionError when a file is damaged; nothing is overwritten then.
 * @throws StorageError when it cannot be read or written, or another program's database is there.
 */
export async function openQueue(where: string | QueueOptions): Promise<EmbeddedQueue> {
  const options = typeof where === "string" ? { path: where } : where;
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

const shared = new Map<string, Promise<EmbeddedQueue>>();

/**
 * The queue at a path, one in this process: opened by the first caller, the same object for all later ones, opened anew
 * once it was closed. Closing it closes it for all.
 *
 * @throws CorruptionError, StorageError as `openQueue` does; the next call tries again.
 */
export function getOrCreateQueue(path: string): Promise<EmbeddedQueue> {
  const key = queueKey(path);
  const opened = shared.get(key) ?? openQueue({ path, onClosed: () => shared.delete(key) });
  shared.set(key, opened);
  opened.catch(() => shared.delete(key));
  return opened;
}

/** The logs of the queue at `path`: what its handlers said, one log per task. @throws RangeError when a limit is out of its range. */
export function openLogStore(path: string, limits: Partial<LogLimits> = {}): LogStore {
  return new FileLogStore(path, limits);
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

function warningOnce(clock: Clock): (error: Error) => void {
  const warn = withoutRepeats(warnOnStandardError, clock);
  return ({ message }) => warn(message);
}

function checkMemory(memoryMaxBytes: number | undefined): number {
  const { memoryMaxBytesMin, memoryMaxBytesMax } = MEMORY_LIMITS;
  const bytes = memoryMaxBytes ?? memoryMaxBytesMax;
  return checkInteger(bytes, "memoryMaxBytes", memoryMaxBytesMin, memoryMaxBytesMax);
}
