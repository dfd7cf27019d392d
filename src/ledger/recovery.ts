/**
 * Recovery: from files to a replica. Newest snapshot, then every later record.
 *
 * Reading needs no lock. A checkpoint elsewhere may replace the snapshot and delete segments meanwhile; then the reader
 * starts again, and must find a newer snapshot: segments are deleted only after that is in place.
 */
import type { Durability } from "../domain/durability.ts";
import { CorruptionError, StorageError } from "../domain/errors.ts";
import { Journal, type ReadOutcome } from "../storage/journal.ts";
import type { JournalVisitor } from "../storage/journal_visitor.ts";
import type { SegmentHeader } from "../storage/segment.ts";
import { openSnapshot } from "../storage/snapshot.ts";
import type { Storage } from "../storage/storage.ts";
import type { Change } from "./change.ts";
import { Replica } from "./replica.ts";
import type { Schema } from "./schema.ts";
import type { SqlEngine } from "./sql_engine.ts";

/** What recovery needs. */
export interface RecoverySource {
  readonly storage: Storage;
  readonly engine: SqlEngine;
  readonly schema: Schema;
  /** Makes the id that a new queue gets: sixteen random bytes in hexadecimal. */
  readonly newQueueId: () => string;
  /** How large the database may become, in bytes; default what the engine takes. */
  readonly memoryMaxBytes?: number;
  /** What an acknowledged record survives; default `full`. */
  readonly durability?: Durability;
}

/** A replica and the journal position that it stands for. */
export interface Recovered {
  readonly replica: Replica;
  readonly journal: Journal;
  readonly snapshotBytes: number;
}

/**
 * The queue as its files say, up to the last whole record, or to `upTo`, which ends a sealed segment.
 *
 * @throws CorruptionError, StorageError
 */
export async function recover(source: RecoverySource, upTo?: number): Promise<Recovered> {
  let lastSequence = -1;
  for (;;) {
    const attempt = await tryRecover(source, upTo);
    if (attempt.outcome === "recovered") return attempt.recovered;
    if (attempt.outcome === "changed") continue;
    if (attempt.snapshotSequence <= lastSequence) {
      throw new CorruptionError(
        source.storage.location,
        0,
        "journal segments that follow the snapshot are missing",
      );
    }
    lastSequence = attempt.snapshotSequence;
  }
}

/** Applies a journal's records to a replica; `onChanges` is called with each. */
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

/**
 * What became of one reading of snapshot and journal:
 * - `recovered`: the queue as they say.
 * - `changed`: another process changed them meanwhile.
 * - `missing`: segments that follow the snapshot are not there; perhaps a newer snapshot includes them.
 */
type Attempt =
  | { readonly outcome: "recovered"; readonly recovered: Recovered }
  | { readonly outcome: "changed" }
  | { readonly outcome: "missing"; readonly snapshotSequence: number };

async function tryRecover(source: RecoverySource, upTo?: number): Promise<Attempt> {
  const { storage, schema } = source;
  const { replica, snapshotBytes } = await openReplica(source);
  let journal: Journal | undefined;
  let outcome: ReadOutcome = "superseded";
  try {
    const identity = replica.identity;
    const sequence = identity?.sequence ?? 0;
    journal = Journal.open(storage, {
      sequence,
      identity: {
        queueId: identity?.queueId ?? source.newQueueId(),
        schemaVersion: schema.migrations.length,
      },
      hasSnapshot: identity !== undefined,
      upTo,
      keepsRoom: storage.prefersRoom === true && source.durability !== "relaxed",
    });
    outcome = journal?.read(replicaVisitor(replica, source, () => {})) ?? "superseded";
    if (outcome === "changed") return { outcome };
    if (journal === undefined || outcome === "superseded") {
      return { outcome: "missing", snapshotSequence: sequence };
    }
    return { outcome: "recovered", recovered: { replica, journal, snapshotBytes } };
  } finally {
    if (outcome !== "current") {
      replica.close();
      journal?.close();
    }
  }
}

/** The rows of the snapshot, which has been read to its end and checked. @throws CorruptionError, StorageError */
async function openReplica(
  source: RecoverySource,
): Promise<Pick<Recovered, "replica" | "snapshotBytes">> {
  const { location: path } = source.storage;
  const snapshot = await openSnapshot(source.storage);
  let replica: Replica | undefined;
  try {
    replica = Replica.open({ ...source, path }, snapshot);
    snapshot?.check();
    return { replica, snapshotBytes: snapshot?.bytes.length ?? 0 };
  } catch (error) {
    replica?.close();
    snapshot?.check(); // a checksum that does not match says more than what SQLite made of the pages
    throw error;
  } finally {
    snapshot?.close();
  }
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
