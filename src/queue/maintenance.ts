/**
 * QueueMaintenance: what a queue that keeps its own files offers to look after them. A queue on a database has none.
 */

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

/** What a check of the whole queue came to. */
export interface IntegrityReport {
  /** Whether nothing is wrong. */
  readonly ok: boolean;
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[];
}
