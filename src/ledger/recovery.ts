/**
 * Recovery: from files to a replica. Newest snapshot, then every later record.
 *
 * Reading needs no lock. A checkpoint elsewhere may replace the snapshot and delete segments meanwhile; then the reader
 * starts again from the newer snapshot, and the last time it holds the checkpoint lock, so that this ends.
 */
import { CorruptionError, StorageError } from "../domain/errors.ts";
import { Journal, type JournalVisitor } from "../storage/journal.ts";
import type { SegmentHeader } from "../storage/segment.ts";
import { readSnapshot } from "../storage/snapshot.ts";
import type { Storage } from "../storage/storage.ts";
import { type Change, Replica } from "./replica.ts";
import type { Schema } from "./schema.ts";
import type { SqlEngine } from "./sql_engine.ts";

/** How often a reader is overtaken by checkpoints before it makes them wait. */
const FREE_ATTEMPTS = 3;

/** What recovery needs. */
export interface RecoverySource {
  readonly storage: Storage;
  readonly engine: SqlEngine;
  readonly schema: Schema;
  /** Makes the id that a new queue gets: sixteen random bytes in hexadecimal. */
  readonly newQueueId: () => string;
}

/** A replica and the journal position that it stands for. */
export interface Recovered {
  readonly replica: Replica;
  readonly journal: Journal;
  readonly snapshotBytes: number;
}

/** The queue as its files say, up to the last whole record. @throws CorruptionError, StorageError */
export async function recover(source: RecoverySource): Promise<Recovered> {
  for (let attempt = 0; attempt < FREE_ATTEMPTS; attempt++) {
    const recovered = await tryRecover(source);
    if (recovered !== undefined) return recovered;
  }
  const lock = await source.storage.lock("checkpoint");
  try {
    const recovered = await tryRecover(source);
    if (recovered !== undefined) return recovered;
    throw new CorruptionError(
      source.storage.location,
      0,
      "journal segments between the snapshot and the oldest one are missing",
    );
  } finally {
    lock.release();
  }
}

/** What applies a journal's records to a replica; `onChanges` is told of each. */
export function replicaVisitor(
  replica: Replica,
  source: RecoverySource,
  onChanges: (changes: Change[]) => void,
): JournalVisitor {
  return {
    segment: (header) => adoptSegment(replica, source, header),
    record: (payload) => onChanges(replica.apply(payload)),
  };
}

async function tryRecover(source: RecoverySource): Promise<Recovered | undefined> {
  const { storage, engine, schema } = source;
  const snapshot = await readSnapshot(storage);
  const replica = Replica.open(engine, schema, snapshot, storage.location);
  let journal: Journal | undefined;
  try {
    const identity = replica.identity;
    journal = Journal.open(storage, {
      sequence: identity?.sequence ?? 0,
      identity: {
        queueId: identity?.queueId ?? source.newQueueId(),
        schemaVersion: schema.migrations.length,
      },
      hasSnapshot: identity !== undefined,
    });
    if (journal?.read(replicaVisitor(replica, source, () => {})) === "current") {
      return { replica, journal, snapshotBytes: snapshot?.bytes.length ?? 0 };
    }
  } catch (error) {
    replica.close();
    journal?.close();
    throw error;
  }
  replica.close();
  journal?.close();
  return undefined;
}

function adoptSegment(
  replica: Replica,
  { storage, schema }: RecoverySource,
  header: SegmentHeader,
): void {
  const newest = schema.migrations.length;
  if (header.schemaVersion > newest) {
    const found =
      `a newer Holdfast moved it to schema version ${header.schemaVersion}, this one knows up to ${newest}`;
    throw new StorageError("open", storage.location, found);
  }
  replica.migrate(header.schemaVersion);
}
