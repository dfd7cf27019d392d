/**
 * Opening a queue: the one place where a path, or an address, decides which engine keeps it.
 *
 * What only a database needs is loaded when there is one, so that a queue in files pays nothing for it.
 */
import { isDatabaseAddress } from "../domain/queue_address.ts";
import { checkOptions } from "../domain/options.ts";
import { FileLogStore } from "../platform/file_log_store.ts";
import { queueKey } from "../platform/queue_path.ts";
import type { Storage } from "../storage/storage.ts";
import type { EmbeddedQueue } from "../queue/maintenance.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import { resolveLogLimits } from "../worker/log_limits.ts";
import type { LogLimits, LogStore } from "../worker/log_store.ts";
import { PostgresLogStore } from "../postgres_queue/log_store.ts";
import { systemClock } from "../domain/clock.ts";
import { warningOnce } from "./background_warning.ts";
import { openEmbeddedQueue } from "./open_embedded.ts";
import { QUEUE_OPTIONS, type QueueOptions } from "./queue_options.ts";

/** Opens a queue in memory, or in any other storage: it has what looks after its own files. @throws CorruptionError, StorageError */
export function openQueue(
  where: QueueOptions & ({ readonly memory: true } | { readonly storage: Storage }),
): Promise<EmbeddedQueue>;
/**
 * Opens the queue at a path or at the address of a PostgreSQL database, or makes it; recovers what a crash left. `maintenanceOf`
 * gives what looks after a queue's own files, if it has any; `openEmbeddedQueue` always does.
 *
 * @throws CorruptionError when a file is damaged; nothing is overwritten then.
 * @throws StorageError when it cannot be read or written, or another program's database is there; for a database also when it
 * needs a migration that this user may not do: the message has the command.
 * @throws TypeError for an address that is wrong.
 */
export function openQueue(where: string | QueueOptions): Promise<TaskQueue>;
export async function openQueue(where: string | QueueOptions): Promise<TaskQueue> {
  const options = typeof where === "string" ? { path: where } : where;
  checkOptions(options, QUEUE_OPTIONS, "openQueue");
  if (!isOnDatabase(options)) return await openEmbeddedQueue(options);
  const { openPostgresQueue } = await import("./open_postgres.ts");
  return await openPostgresQueue(options);
}

function isOnDatabase(options: QueueOptions): options is QueueOptions & { readonly path: string } {
  const { path, memory, storage } = options;
  return typeof path === "string" && isDatabaseAddress(path) && !memory && storage === undefined;
}

const shared = new Map<string, Promise<TaskQueue>>();

/**
 * The queue at a path or an address, one in this process: opened by the first caller, the same object for all later ones, opened
 * anew once it was closed. Closing it closes it for all.
 *
 * @throws CorruptionError, StorageError, TypeError as `openQueue` does; the next call tries again.
 */
export function getOrCreateQueue(path: string): Promise<TaskQueue> {
  const key = isDatabaseAddress(path) ? path : queueKey(path);
  const opened = shared.get(key) ?? openQueue({ path, onClosed: () => shared.delete(key) });
  shared.set(key, opened);
  opened.catch(() => shared.delete(key));
  return opened;
}

/**
 * The logs of the queue at a path or an address: what its handlers said, one log per task. For a database they are in its schema:
 * lines are on their way when `append` returns, and `close` waits until they are there.
 *
 * @throws RangeError when a limit is out of its range; TypeError for an address that is wrong, when the logs are first used.
 */
export function openLogStore(path: string, limits: Partial<LogLimits> = {}): LogStore {
  if (!isDatabaseAddress(path)) return new FileLogStore(path, limits);
  return new PostgresLogStore({
    limits: resolveLogLimits(limits),
    clock: systemClock,
    onError: warningOnce(systemClock),
    open: async () => (await import("./open_postgres.ts")).openPostgresLogs(path),
  });
}
