/**
 * RemoteQueue: a queue that another machine holds, and what a worker here needs beside it.
 */
import type { Clock } from "../domain/clock.ts";
import type { CheckpointReport, StorageStats } from "../domain/storage_stats.ts";
import type { TaskQueue } from "../queue/task_queue.ts";
import type { LogStore } from "../worker/log_store.ts";

/** A queue behind a server. A batch or an import is as large as the server takes a body (`bodyMaxBytes`). */
export interface RemoteQueue extends TaskQueue {
  /** The logs of its tasks: for a worker's `logs`. A task can be added to that was leased here, until it is leased again. */
  readonly logs: LogStore;
  /** The server's time: for a worker's `clock`, so that a wrong clock on its machine does no harm. */
  readonly clock: Clock;
  /** Folds the journal of the server's queue into its snapshot. @throws StorageError also for a queue that keeps no files. */
  checkpoint(): Promise<CheckpointReport>;
  /** What the server's queue keeps in files and in memory; `null` when it keeps no files. */
  storage(): Promise<StorageStats | null>;
}
