/**
 * QueueMaintenance: what a queue that keeps its own files offers to look after them. A queue on a database has none.
 */
import type { CheckpointReport, StorageStats } from "../domain/storage_stats.ts";
import type { TaskQueue } from "./task_queue.ts";

/** A backup that was made and verified. */
export interface BackupReport {
  /** Where it is. */
  readonly path: string;
  /** Its size. */
  readonly bytes: number;
  /** The last record that it includes. */
  readonly sequence: number;
  /** How many tasks it holds. */
  readonly tasks: number;
}

/** The result of a check of the whole queue. */
export interface IntegrityReport {
  /** Whether nothing is wrong. */
  readonly ok: boolean;
  /** The problems, one sentence each. */
  readonly problems: readonly string[];
}

/** Looking after a queue's own files. Every method but `storageStats` rejects with `queue_closed` once the queue is closed. */
export interface QueueMaintenance {
  /** Folds the journal into the snapshot; other work goes on. @throws StorageError */
  checkpoint(): Promise<CheckpointReport>;
  /**
   * Writes everything so far into one new file, while other work goes on, and verifies it: `restoreBackup` brings it back.
   * A file that is there already is never overwritten. @throws StorageError
   */
  backup(path: string): Promise<BackupReport>;
  /** Reads the files anew, compares them with memory, and looks for rows that cannot be. Takes seconds at 100,000 tasks. */
  integrityCheck(): Promise<IntegrityReport>;
  /** The files and the memory in numbers. */
  storageStats(): StorageStats;
}

/** A queue that keeps its own files: what `openQueue` gives. */
export interface EmbeddedQueue extends TaskQueue, QueueMaintenance {}

/** The maintenance of a queue that keeps its own files; `null` for a queue on a database. */
export function maintenanceOf(queue: TaskQueue): QueueMaintenance | null {
  return "storageStats" in queue ? queue as EmbeddedQueue : null;
}
