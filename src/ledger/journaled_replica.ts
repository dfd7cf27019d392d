/**
 * A journaled replica: a replica and the journal whose records it has applied, at one position.
 *
 * It follows what other processes append, and begins again from the newest snapshot where it cannot. What it finds to be
 * in doubt, or no longer at its path, it notes as the ledger's failure.
 */
import { asError, StorageError } from "../domain/errors.ts";
import type { Journal, ReadOutcome } from "../storage/journal.ts";
import type { SnapshotIdentity } from "../storage/footer.ts";
import type { JournalVisitor } from "../storage/journal_visitor.ts";
import { displaced, foreign } from "../storage/place.ts";
import { includedSequence, type SnapshotImage } from "../storage/snapshot.ts";
import { type BatchResult, type Operation, type Outcome, runBatch } from "./batch.ts";
import type { ChangeFeed } from "./change_feed.ts";
import type { LedgerHealth } from "./ledger_health.ts";
import { recover, type Recovered, type RecoverySource, replicaVisitor } from "./recovery.ts";
import { type Replica, TransactionLostError } from "./replica.ts";

/** How often a segment that is not at its path is read on before it counts as lost: a sealed one may be gone rightly. */
const LOOKS_MAX = 2;

/** What a journaled replica needs. */
export interface JournaledReplicaTools {
  readonly source: RecoverySource;
  readonly health: LedgerHealth;
  /** Notes what others have changed. */
  readonly feed: ChangeFeed;
}

/** One process's replica, at its journal's position. */
export class JournaledReplica {
  readonly #source: RecoverySource;
  readonly #health: LedgerHealth;
  readonly #feed: ChangeFeed;
  #recovered: Recovered;
  #tornTails = 0;
  #commits = 0;

  constructor(recovered: Recovered, { source, health, feed }: JournaledReplicaTools) {
    this.#recovered = recovered;
    this.#source = source;
    this.#health = health;
    this.#feed = feed;
  }

  /** What was read and written so far, in memory. Another one after `reload`. */
  get replica(): Replica {
    return this.#recovered.replica;
  }

  /** Where it is read from and written to. Another one after `reload`. */
  get journal(): Journal {
    return this.#recovered.journal;
  }

  /** The size of the last snapshot that was read or written here. */
  get snapshotBytes(): number {
    return this.#recovered.snapshotBytes;
  }

  /** Torn tails that were cut so far. */
  get tornTails(): number {
    return this.#tornTails;
  }

  /** Batches that were written here. */
  get commits(): number {
    return this.#commits;
  }

  /** Notes that a snapshot of this size was written. */
  noteSnapshot(snapshotBytes: number): void {
    this.#recovered = { ...this.#recovered, snapshotBytes };
  }

  /** Applies what others have appended. Needs no lock and does not wait. */
  follow(): ReadOutcome {
    try {
      return this.journal.mayHaveMore ? this.journal.read(this.#visitor()) : "current";
    } catch (error) {
      this.#health.note(error);
      throw error;
    }
  }

  /**
   * Follows the others, and makes sure that there is something to follow: files that are moved, deleted or replaced never
   * change again. A segment may be gone rightly once it is sealed, so it is read to its end first.
   */
  followInPlace(): ReadOutcome {
    let outcome = this.follow();
    for (let looks = 0; outcome === "current" && !this.journal.isInPlace; looks++) {
      if (looks === LOOKS_MAX) this.#health.fail(displaced(this.#source.storage.location));
      this.#health.check();
      outcome = this.follow();
    }
    return outcome;
  }

  /**
   * Says whether the replica stands at the journal's end, ready for an append; else it must be read anew. The caller holds
   * the commit lock.
   */
  prepareAppend(): boolean {
    if (this.#health.guardNow(() => this.journal.isReadyForAppend())) return true;
    if (this.follow() !== "current") return false;
    const prepared = this.#health.guardNow(() => this.journal.prepareAppend(this.#visitor()));
    if (prepared.isReady && prepared.cutBytes > 0) this.#tornTails++;
    return prepared.isReady;
  }

  /**
   * One transaction: the operations of `batch` run, their record is appended. What no longer fits into one record is taken
   * out of `batch` and given to `putBack`. Returns how to tell each caller. The caller has prepared an append.
   */
  commit(batch: Operation[], putBack: (rest: Operation[]) => void): readonly Outcome[] {
    this.replica.begin();
    const { outcomes, changes } = this.#runAndAppend(batch, putBack);
    this.#commitReplica();
    this.#feed.note(changes);
    return outcomes;
  }

  /** Begins a new segment. The caller holds the commit lock and has prepared an append. */
  rotate(): void {
    this.journal.rotate(this.#visitor());
  }

  /** Makes the end whole and the schema the newest. The caller has prepared an append. */
  bringUpToDate(): void {
    this.journal.checkEnd();
    if (this.replica.version < this.#newestVersion) this.rotate();
  }

  /** Takes the files as they are. @throws CorruptionError; StorageError when only a writer could bring them up to date. */
  takeAsItIs(): void {
    this.checkUnlocked();
    const { version } = this.replica;
    if (version > 0 && version < this.#newestVersion) {
      const reason = `its schema version is ${version}, reading it needs ${this.#newestVersion}`;
      throw new StorageError("upgrade", this.#source.storage.location, reason);
    }
    this.replica.migrate(this.#newestVersion);
  }

  /** Starts again from the newest snapshot, which must be of the same queue unless `mayBeAnother`. */
  async reload({ mayBeAnother }: { readonly mayBeAnother: boolean }): Promise<void> {
    const recovered = await this.#health.guard(() => this.#recover(mayBeAnother));
    this.close();
    this.#recovered = recovered;
    this.#feed.tellReset();
  }

  /**
   * Without the lock: what looks like damage is damage when nothing more can be read, as others may write meanwhile.
   *
   * @throws CorruptionError
   */
  checkUnlocked(): void {
    for (;;) {
      const { sequence } = this.journal;
      try {
        return this.journal.checkUnlocked();
      } catch (error) {
        if (this.follow() !== "current") return; // the next reader begins again from the new snapshot
        if (this.journal.sequence === sequence) throw error;
      }
    }
  }

  /**
   * What was written is in the queue only if the file is where the queue is. Since the lock was released, others may have
   * sealed the segment, made a snapshot that includes it, and removed it.
   */
  checkWritten(): void {
    if (this.#health.guardNow(() => this.journal.isWrittenInPlace)) return;
    if (this.followInPlace() === "current") return;
    const { storage } = this.#source;
    if (!this.#health.guardNow(() => storage.isLockInPlace("commit"))) this.checkPlace();
  }

  /** What was written is in the queue only if the file is where the queue is. */
  checkPlace(): void {
    this.#health.guardNow(() => this.journal.checkPlace());
  }

  /**
   * Whether the snapshot was removed, or an older one put in its place: what was between that and the journal is in the
   * memory of processes only. @throws StorageError when another queue's stands there.
   */
  isSnapshotLost(): boolean {
    if (this.#health.hasFailed) return false;
    return this.#health.guardNow(() => {
      const sequence = includedSequence(this.#source.storage, this.journal.identity.queueId);
      return sequence !== undefined && this.journal.isCutOffFrom(sequence);
    });
  }

  /** On closing: whether the snapshot is lost and the rest of the queue is there. */
  isSnapshotLostForGood(): boolean {
    return this.journal.hasPredecessors && this.journal.isInPlace && this.isSnapshotLost();
  }

  /** No await may stand between the release of the lock and this, so that it includes nothing that is not durable. */
  export(): SnapshotImage {
    return this.replica.export(this.position);
  }

  /** Whose it is, and the last record that it includes. */
  get position(): SnapshotIdentity {
    const { sequence, identity: { queueId } } = this.journal;
    return { queueId, sequence };
  }

  /** Closes both. */
  close(): void {
    this.journal.close();
    this.replica.close();
  }

  get #newestVersion(): number {
    return this.#source.schema.migrations.length;
  }

  /** When the append fails, memory is as it was before, like the journal. */
  #runAndAppend(batch: Operation[], putBack: (rest: Operation[]) => void): BatchResult {
    try {
      const result = runBatch(this.replica, batch);
      putBack(batch.splice(result.outcomes.length));
      if (result.record !== null) this.#append(result.record);
      return result;
    } catch (error) {
      if (error instanceof TransactionLostError) this.#health.fail(error);
      else this.replica.rollback();
      throw error;
    }
  }

  #append(record: Uint8Array): void {
    this.#health.guardNow(() => this.journal.append(record));
    this.#commits++;
  }

  /** The record is written: a replica that cannot follow is of no use any more. */
  #commitReplica(): void {
    try {
      this.replica.commit();
    } catch (error) {
      this.#health.fail(asError(error));
      throw error;
    }
  }

  #visitor(): JournalVisitor {
    return replicaVisitor(this.replica, this.#source, (changes) => this.#feed.note(changes));
  }

  async #recover(mayBeAnother: boolean): Promise<Recovered> {
    const recovered = await recover(this.#source);
    const { queueId } = this.journal.identity;
    const found = recovered.journal.identity.queueId;
    if (found === queueId || mayBeAnother) return recovered;
    recovered.journal.close();
    recovered.replica.close();
    throw foreign(this.#source.storage.location, `a file of queue ${found}`, queueId);
  }
}
