/**
 * A queue of parts that are passed in: it names no platform, so it is the same queue in files, in memory and at the edge.
 */
import { checkInteger, checkOneOf } from "../domain/check.ts";
import { type Clock, systemClock } from "../domain/clock.ts";
import { DURABILITIES, type Durability } from "../domain/durability.ts";
import { MEMORY_LIMITS } from "../domain/memory_limits.ts";
import { checkOptions, optionNames } from "../domain/options.ts";
import { newQueueId } from "../domain/queue_id.ts";
import type { Random } from "../domain/random.ts";
import type { Folding } from "../ledger/fold.ts";
import { Ledger } from "../ledger/ledger.ts";
import type { SqlEngine } from "../ledger/sql_engine.ts";
import { LedgerQueue, type LedgerQueueOptions } from "../ledger_queue/ledger_queue.ts";
import { logBackgroundError } from "../ledger_queue/queue_log.ts";
import { QUEUE_SCHEMA } from "../ledger_queue/rows/schema.ts";
import type { EmbeddedQueue } from "../queue/maintenance.ts";
import { QUEUE_SETTINGS, type QueueSettings } from "../queue/queue_settings.ts";
import { MemoryStorage } from "../storage/memory_storage.ts";
import type { Storage } from "../storage/storage.ts";
import { checkLogsRoom } from "../queue_policy/logs_room.ts";
import { warningOnce } from "./background_warning.ts";

/** What a queue is made of where there are no files, and how it behaves. */
export interface QueueParts extends QueueSettings {
  /** SQLite, as `loadSqlEngine` gives it. */
  readonly engine: SqlEngine;
  /** Where the queue's files are; default a new `MemoryStorage`, which ends with its process. */
  readonly storage?: Storage;
  /** Default the system's. */
  readonly clock?: Clock;
  /** Default `Math.random`. */
  readonly random?: Random;
  /**
   * Is told when work in the background failed (a checkpoint, a rescue); the queue goes on where it can. Default: a line by
   * `console.error`, the same one once a minute.
   */
  readonly onBackgroundError?: (error: Error) => void;
  /** Called when the queue is closed. Default: none. */
  readonly onClosed?: () => void;
}

const PART_NAMES = optionNames<QueueParts>({
  ...QUEUE_SETTINGS,
  engine: true,
  storage: true,
  clock: true,
  random: true,
  onBackgroundError: true,
  onClosed: true,
});

/**
 * Opens a queue of these parts, or makes it, and recovers what a crash left: the queue that `openQueue` opens, where there is no
 * file system. Its `backup` is refused.
 *
 * @throws TypeError, RangeError for a wrong setting. @throws CorruptionError when a file is damaged; nothing is overwritten then.
 * @throws StorageError when the storage cannot be read or written.
 */
export async function openQueueWith(parts: QueueParts): Promise<EmbeddedQueue> {
  checkOptions(parts, PART_NAMES, "openQueueWith");
  return await composeQueue(parts);
}

/** The parts that a platform with files has besides. */
export interface PlatformParts
  extends
    QueueParts,
    Pick<LedgerQueueOptions, "isReadOnly" | "writeBackup" | "onPruned" | "trimLogs"> {
  /** The queue's path, for messages; default what the storage says. */
  readonly location?: string;
  /** Where large files are folded; default in this thread. */
  readonly folding?: Folding;
  /** Called, and waited for, when no change was ever made to the queue. Default: none. */
  readonly onFirstOpened?: () => Promise<void> | undefined;
}

/** Opens a queue of parts whose names have been checked. */
export async function composeQueue(parts: PlatformParts): Promise<EmbeddedQueue> {
  const { engine, storage = new MemoryStorage(), clock = systemClock, isReadOnly } = parts;
  const onBackgroundError = parts.onBackgroundError ?? warningOnce(clock);
  const ledger = await Ledger.open({
    storage,
    engine,
    schema: QUEUE_SCHEMA,
    newQueueId,
    clock,
    isReadOnly,
    durability: checkDurability(parts.durability),
    memoryMaxBytes: checkMemory(parts.memoryMaxBytes),
    lockWaitMaxMs: checkLockWait(parts.lockWaitMaxMs),
    folding: parts.folding,
    onBackgroundError,
    onListenerError: (error) => logBackgroundError(parts.location ?? storage.location, error),
  });
  try {
    if (ledger.stats().sequence === 0) await parts.onFirstOpened?.();
    return new LedgerQueue(ledger, { ...queueOptionsOf(parts), clock, onBackgroundError });
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

function queueOptionsOf(
  { random = Math.random, isReadOnly, retryPolicy, payloadMaxBytes, ...parts }: PlatformParts,
): Omit<LedgerQueueOptions, "clock" | "onBackgroundError"> {
  const { retention, health, writeBackup, onPruned, trimLogs, onClosed } = parts;
  checkLogsRoom(parts.logsMaxBytes);
  return {
    random,
    isReadOnly,
    retryPolicy,
    payloadMaxBytes,
    retention,
    health,
    writeBackup,
    onPruned,
    trimLogs,
    onClosed,
  };
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
