/**
 * The numbers of a queue that keeps its own files: files and memory.
 */

/** The result of a checkpoint. */
export interface CheckpointReport {
  /** The sequence number that the snapshot includes. */
  readonly sequence: number;
  /** The size of the snapshot. */
  readonly snapshotBytes: number;
  /** Journal files that the snapshot made superfluous. */
  readonly removedSegments: number;
}

/** A queue's files and memory, and its work since this process opened it. */
export interface StorageStats extends MemoryUsage {
  /** The queue's path, or `memory`. */
  readonly location: string;
  /** The sequence number of the last record. */
  readonly sequence: number;
  /** Bytes in the journal since the last snapshot. */
  readonly journalBytes: number;
  /** The snapshot's size; 0 before the first. */
  readonly snapshotBytes: number;
  /** Torn tails that were cut, on opening or after another process died. */
  readonly tornTails: number;
  /** Records that this process appended. */
  readonly commits: number;
  /** fsyncs of the journal that this process asked for. */
  readonly syncs: number;
}

/** How full the database is. */
export interface MemoryUsage {
  /** Bytes of pages that hold something. */
  readonly memoryUsedBytes: number;
  /** How many they may become. */
  readonly memoryMaxBytes: number;
}
