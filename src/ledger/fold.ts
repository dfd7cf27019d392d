/**
 * Folding: a snapshot made from the older snapshot and the sealed segments, so that the live database goes on.
 *
 * It applies every record once more, which takes longer than to export the replica, but where a second thread does it
 * nobody waits.
 */
import { StorageError } from "../domain/errors.ts";
import type { SnapshotIdentity } from "../storage/footer.ts";
import type { SnapshotImage } from "../storage/snapshot.ts";
import type { Storage } from "../storage/storage.ts";
import { recover, type RecoverySource } from "./recovery.ts";

/** A place beside this thread where files are folded. */
export interface Folding {
  /** Up to this size of the database, in bytes, it is exported instead: that holds the thread up for a moment only. */
  readonly minBytes: number;
  /** Makes it ready, unless it is: called where it is of no matter that this thread is held up. Default: it always is. */
  prepare?(): void;
  /** Does what `foldFiles` does. @throws Error when it cannot be done there, or once `signal` is aborted. */
  fold(upTo: SnapshotIdentity, signal: AbortSignal): Promise<SnapshotImage>;
  /** Lets go of the place; nothing is being folded there, and nothing will be. */
  close?(): Promise<void>;
}

/** Makes the place ready where a queue is large that is about to be read, which takes longer. */
export function prepareFolding(folding: Folding | undefined, storage: Storage): void {
  if (folding === undefined) return;
  const snapshotBytes = storage.fileSize("snapshot") ?? 0;
  if (snapshotBytes >= folding.minBytes) folding.prepare?.();
}

/**
 * The snapshot of this queue that includes the records up to this one, the last of a sealed segment. The caller holds the
 * checkpoint lock, so that nothing it reads is removed.
 *
 * @throws CorruptionError, StorageError, also when the files are another queue's or end elsewhere.
 */
export async function foldFiles(
  source: RecoverySource,
  upTo: SnapshotIdentity,
): Promise<SnapshotImage> {
  const newQueueId = (): string => upTo.queueId; // before its first record a queue has no id in its files
  const { replica, journal } = await recover({ ...source, newQueueId }, upTo.sequence);
  try {
    const { sequence, identity: { queueId } } = journal;
    if (sequence !== upTo.sequence || queueId !== upTo.queueId) {
      const reason = `they are queue ${queueId} up to record ${sequence}, ` +
        `not ${upTo.queueId} up to ${upTo.sequence}`;
      throw new StorageError("fold", source.storage.location, reason);
    }
    replica.migrate(source.schema.migrations.length);
    return replica.export(upTo);
  } finally {
    journal.close();
    replica.close();
  }
}
