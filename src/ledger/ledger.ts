/**
 * The ledger: one history of rows, shared by processes, that survives them.
 *
 * Each process holds a replica and reads from it. A write becomes part of a batch: under the commit lock the replica
 * catches up with the journal, the batch's operations run in one transaction, their row images are appended; then the
 * lock is released, one fsync makes the batch durable, and every caller is answered. Nothing is answered before.
 *
 * Everything that awaits runs in one loop (`#drain`), one thing after the other; between two awaits the replica always
 * stands at the journal's position.
 */
import type { CancelTimer, Clock } from "../domain/clock.ts";
import type { Durability } from "../domain/durability.ts";
import { CorruptionError, messageOf, QueueError, StorageError } from "../domain/errors.ts";
import type { CheckpointReport, StorageStats } from "../domain/storage_stats.ts";
import type { Journal, ReadOutcome } from "../storage/journal.ts";
import { displaced, foreign, isMisplaced } from "../storage/place.ts";
import { includedSequence, type SnapshotImage } from "../storage/snapshot.ts";
import type { Lock } from "../storage/storage.ts";
import { BATCH_MAX, type BatchResult, type Operation, type Outcome, runBatch } from "./batch.ts";
import { ChangeFeed, type LedgerChanges } from "./change_feed.ts";
import { Checkpointer, type ExportedReplica } from "./checkpointer.ts";
import { SyncManner } from "./fsync_mode.ts";
import { Lookout } from "./lookout.ts";
import type { MemoryMark } from "./memory_budget.ts";
import { recover, type Recovered, type RecoverySource, replicaVisitor } from "./recovery.ts";
import { type Reader, type Replica, type Transaction, TransactionLostError } from "./replica.ts";
import { verifyReplica } from "./verify.ts";

/** The ledger's times and sizes. */
export const LEDGER_DEFAULTS = Object.freeze({
  durability: "full" as Durability,
  /** With relaxed durability, the longest time between a write and its fsync, in milliseconds. */
  relaxedSyncMs: 50,
  /** A checkpoint is made when the journal is larger than this and than the snapshot. */
  checkpointMinBytes: 4 * 1024 * 1024,
  /** On closing it is made already when the journal is larger than this and than a quarter of the snapshot. */
  closeCheckpointMinBytes: 64 * 1024,
});

/** How a ledger is opened. */
export interface LedgerOptions extends RecoverySource {
  readonly clock: Clock;
  /** Whether it is read only: no lock is taken and nothing is changed, so no permission to write is needed. Default false. */
  readonly isReadOnly?: boolean;
  /** Default `full`. */
  readonly durability?: Durability;
  /** How long a write may wait for the commit lock before it is refused; default without a bound. */
  readonly lockWaitMaxMs?: number;
  /** Called when background work fails (a checkpoint, following others); what it throws is dropped. */
  readonly onBackgroundError: (error: Error) => void;
}

/** What a write may do. */
export interface WriteOptions {
  /** What it must leave the database in memory below; default anything, for what makes room or follows. */
  readonly upTo?: MemoryMark;
}

/** A whole ledger as a file, and whose it is. */
export type LedgerExport = SnapshotImage;

/**
 * How many turns of the microtask queue a commit waits for more operations: what a caller does at once when it is answered, or what
 * a worker claims when a handler has ended, then joins it. No time passes.
 */
const GATHER_TURNS = 8;

/** The commit lock is held for microseconds: a process that holds it for so long stands still, or is not one of Holdfast's. */
const LOCK_NOTICE_MS = 5000;

/** How often a segment that is not at its path is read on before it counts as lost: a sealed one may be gone rightly. */
const LOOKS_MAX = 2;

/** How often the presence of the snapshot is checked. */
const SNAPSHOT_LOOK_MS = 1000;

/** A durable, shared set of rows. */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #durability: Durability;
  readonly #waiting: Operation[] = [];
  readonly #syncManner = new SyncManner();
  readonly #jobs: (() => Promise<void>)[] = [];
  readonly #feed = new ChangeFeed((error) => this.#report(error));
  readonly #checkpointer: Checkpointer;
  #replica: Replica;
  #journal: Journal;
  #snapshotBytes: number;
  #isCommitting = false;
  #draining: Promise<void> | undefined;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;
  #isReloadWanted = false;
  #snapshotSeenAtMs = -Infinity;
  #lookout: Lookout | undefined;
  #cancelSync: CancelTimer | undefined;
  #isWaitingForLock = false;
  /** Whether it has been waited for longer than a write may. */
  #isLockOverdue = false;
  #waitingSinceMs = 0;
  /** The sync that was begun while the loop waited for the lock. */
  #syncMeanwhile: Promise<void> | undefined;
  #lastReported = "";
  #tornTails = 0;
  #commits = 0;
  #syncs = 0;

  /** Opens the ledger at its storage, recovering what a crash left. @throws CorruptionError, StorageError */
  static async open(options: LedgerOptions): Promise<Ledger> {
    try {
      await options.storage.open();
      const ledger = new Ledger(options, await recover(options));
      await (options.isReadOnly ? ledger.#beginReading() : ledger.#begin());
      return ledger;
    } catch (error) {
      options.storage.close();
      throw error;
    }
  }

  private constructor(options: LedgerOptions, recovered: Recovered) {
    this.#options = options;
    this.#durability = options.durability ?? LEDGER_DEFAULTS.durability;
    this.#replica = recovered.replica;
    this.#journal = recovered.journal;
    this.#snapshotBytes = recovered.snapshotBytes;
    this.#checkpointer = new Checkpointer({
      storage: options.storage,
      exportReplica: (isWanted) => this.#onDrain(() => this.#exportAtRotation(isWanted)),
      checkJournal: () => this.#journal.checkPlace(),
      onLeftOver: (error) => this.#reportOnce(error),
    });
  }

  /** Runs `query` on the replica, which knows every commit that any process has made. */
  async read<T>(query: (reader: Reader) => T): Promise<T> {
    this.#checkOpen();
    this.#checkHealthy();
    if (this.#follow() !== "current") await this.#onDrain(() => this.#reload());
    this.#announce();
    return query(this.#replica);
  }

  /**
   * Runs `operation` as part of a transaction; resolves to its result when that is durable. If `operation` throws, its
   * changes are undone, and no other's.
   *
   * @throws StorageError when it could not be made durable; after a failed fsync every later write is refused. Likewise,
   * before it has begun, when the commit lock is held by another process for longer than `lockWaitMaxMs`.
   * @throws QueueFullError when it would leave the database above `upTo`.
   */
  write<T>(operation: (transaction: Transaction) => T, options: WriteOptions = {}): Promise<T> {
    this.#checkOpen();
    if (this.#options.isReadOnly) return Promise.reject(this.#readOnlyError());
    if (this.#isLockOverdue) return Promise.reject(this.#lockHeldError());
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run: operation, upTo: options.upTo, resolve, reject });
      this.#startDrain();
    });
  }

  /** Calls `listener` after every change, by whichever process. Returns the way to stop. */
  watch(listener: (changes: LedgerChanges) => void): () => void {
    return this.#feed.watch(listener);
  }

  /** Folds everything written so far into a new snapshot; other work goes on. Waits while another process does the same. */
  async checkpoint(): Promise<CheckpointReport> {
    if (this.#options.isReadOnly) throw this.#readOnlyError();
    while (this.#checkpointer.isBusy) await this.#checkpointer.settled();
    this.#checkOpen();
    const report = await this.#guardPlace(() => this.#checkpointer.make());
    this.#snapshotBytes = report.snapshotBytes;
    return report;
  }

  /** Resolves when everything written so far is durable. */
  async flush(): Promise<void> {
    await this.write(() => {});
    await this.#onDrain(() => this.#sync());
  }

  /** Everything written so far, durable, as the bytes of a SQLite file; other work goes on. */
  async exportDurable(): Promise<LedgerExport> {
    this.#checkOpen();
    if (this.#options.isReadOnly) throw this.#readOnlyError();
    return await this.#onDrain(async () => {
      await this.#sync(); // what is left to do with the lock held is little then
      await this.#underLock(() => this.#syncNow());
      this.#checkWritten();
      return this.#exportHere();
    });
  }

  /** Reads the files anew and compares them with memory; gives the problems. Changes nothing. */
  async verify(): Promise<string[]> {
    this.#checkOpen();
    return await this.#onDrain(async () => {
      if (!this.#options.isReadOnly) await this.#underLock(() => this.#syncNow());
      return await verifyReplica(this.#replica, this.#options, () => {
        return this.#follow() === "current" ? this.#journal.sequence : undefined;
      });
    });
  }

  /** The queue's path, or `memory`. */
  get location(): string {
    return this.#options.storage.location;
  }

  /** For how many milliseconds this process has been waiting for the commit lock; 0 when it is not. */
  get lockWaitMs(): number {
    return this.#isWaitingForLock ? this.#options.clock.nowMs() - this.#waitingSinceMs : 0;
  }

  /** Torn tails that were cut so far. */
  get tornTails(): number {
    return this.#tornTails;
  }

  stats(): StorageStats {
    return {
      location: this.#options.storage.location,
      sequence: this.#journal.sequence,
      journalBytes: this.#journal.segmentBytes,
      snapshotBytes: this.#options.storage.fileSize("snapshot") ?? 0,
      tornTails: this.#tornTails,
      commits: this.#commits,
      syncs: this.#syncs,
      ...this.#replica.memory,
    };
  }

  /**
   * Flushes, makes a checkpoint if the journal is worth one, and releases everything.
   *
   * @throws StorageError when what was acknowledged under relaxed durability could not be made durable.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#lookout?.stop();
    try {
      while (this.#draining !== undefined) await this.#draining;
      this.#cancelSync?.();
      while (this.#checkpointer.isBusy) await this.#checkpointer.settled();
      if (!this.#options.isReadOnly) await this.#tidyUp();
      if (this.#durability === "relaxed" && !this.#journal.isDurable) this.#checkHealthy();
    } finally {
      this.#journal.close();
      this.#options.storage.close();
      this.#replica.close();
      this.#feed.close();
    }
  }

  /** A checkpoint that fails is left to others: everything is in the journal. */
  async #tidyUp(): Promise<void> {
    if (this.#failure === undefined) await this.#onDrain(() => this.#sync());
    const isWanted = (): boolean => {
      return this.#outgrows(LEDGER_DEFAULTS.closeCheckpointMinBytes, 1 / 4) ||
        this.#isSnapshotLostForGood();
    };
    await this.#checkpointIf(isWanted).catch((error) => this.#reportOnce(error));
  }

  // --- opening

  /** Makes the files ready: settled, whole, and at the newest schema. */
  async #begin(): Promise<void> {
    try {
      await this.#underLock(() => {
        this.#journal.checkEnd();
        const newest = this.#options.schema.migrations.length;
        if (this.#replica.version < newest) this.#journal.rotate(this.#visitor());
      });
    } catch (error) {
      this.#journal.close();
      this.#replica.close();
      throw error;
    }
    this.#beginToLook();
  }

  /** Takes the files as they are. @throws CorruptionError; StorageError when only a writer could bring them up to date. */
  // deno-lint-ignore require-await
  async #beginReading(): Promise<void> {
    try {
      this.#checkUnlocked();
      const { version } = this.#replica;
      const newest = this.#options.schema.migrations.length;
      if (version > 0 && version < newest) {
        const reason = `its schema version is ${version}, reading it needs ${newest}`;
        throw new StorageError("upgrade", this.location, reason);
      }
      this.#replica.migrate(newest);
    } catch (error) {
      this.#journal.close();
      this.#replica.close();
      throw error;
    }
    this.#beginToLook();
  }

  /** Others may write meanwhile: what looks like damage is damage when nothing more can be read. */
  #checkUnlocked(): void {
    for (;;) {
      const { sequence } = this.#journal;
      try {
        return this.#journal.checkUnlocked();
      } catch (error) {
        if (this.#follow() !== "current") return; // the next reader begins again from the new snapshot
        if (this.#journal.sequence === sequence) throw error;
      }
    }
  }

  #beginToLook(): void {
    this.#feed.forget();
    const { clock, storage } = this.#options;
    this.#lookout = new Lookout({
      clock,
      storage,
      look: () => this.#look(),
      onError: (error) => this.#reportOnce(error),
    });
  }

  // --- the loop

  #startDrain(): void {
    this.#draining ??= this.#drain();
  }

  /** Runs what waits, one thing after the other, until nothing waits. */
  async #drain(): Promise<void> {
    for (let turn = 0; turn < GATHER_TURNS; turn++) await Promise.resolve();
    try {
      for (;;) {
        const job = this.#jobs.shift();
        if (job !== undefined) await job();
        else if (this.#waiting.length > 0) await this.#commitBatch();
        else break;
      }
    } finally {
      this.#draining = undefined;
    }
  }

  /** Runs `job` in the loop. */
  #onDrain<T>(job: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#jobs.push(() => job().then(resolve, reject));
      this.#startDrain();
    });
  }

  async #commitBatch(): Promise<void> {
    let batch: Operation[] = [];
    this.#isCommitting = true;
    try {
      this.#lookout?.stir();
      await this.#letCheckpointCatchUp();
      const outcomes = await this.#underLock(() => {
        batch = this.#waiting.splice(0, BATCH_MAX);
        return this.#execute(batch);
      });
      await this.#makeDurable();
      this.#checkWritten();
      for (const tell of outcomes) tell();
    } catch (error) {
      if (batch.length === 0) batch = this.#waiting.splice(0, BATCH_MAX);
      const reason = await this.#settleRefusal(error);
      for (const operation of batch) operation.reject(reason);
    } finally {
      this.#isCommitting = false;
    }
    this.#announce();
    this.#checkpointIfDue();
  }

  /** What was refused must not come back after a power cut: that it was undone is made durable first. */
  async #settleRefusal(error: unknown): Promise<unknown> {
    try {
      if (this.#failure === undefined) await this.#sync();
      return error;
    } catch (worse) {
      return worse;
    }
  }

  /**
   * Runs `action` with the commit lock held, the replica caught up and the journal ready for an append. Nothing is awaited
   * meanwhile: all processes would wait, too, perhaps for a thread that this one does not get.
   */
  async #underLock<T>(action: () => T): Promise<T> {
    for (;;) {
      this.#checkHealthy();
      const lock = await this.#takeLock();
      try {
        if (this.#catchUp()) return action();
      } finally {
        lock.release();
      }
      await this.#reload();
    }
  }

  /** Says whether the replica stands at the journal's end, ready for an append; else it must be read anew. */
  #catchUp(): boolean {
    if (this.#follow() !== "current") return false;
    const prepared = this.#guardNow(() => this.#journal.prepareAppend(this.#visitor()));
    if (prepared.isReady && prepared.cutBytes > 0) this.#tornTails++;
    return prepared.isReady;
  }

  async #takeLock(): Promise<Lock> {
    try {
      return this.#options.storage.tryLock("commit") ?? await this.#waitForLock();
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /** Its holder may be suspended: what relaxed durability has acknowledged is made durable meanwhile. */
  async #waitForLock(): Promise<Lock> {
    const { clock } = this.#options;
    this.#isWaitingForLock = true;
    this.#waitingSinceMs = clock.nowMs();
    const cancelNotice = clock.setTimer(() => this.#reportLockHeld(), LOCK_NOTICE_MS);
    const cancelRefusal = this.#refuseWhenOverdue();
    try {
      for (;;) {
        const lock = await this.#options.storage.lock("commit");
        if (this.#syncMeanwhile === undefined && this.#failure === undefined) return lock;
        lock.release();
        await this.#syncMeanwhile;
        this.#checkHealthy();
      }
    } finally {
      cancelNotice();
      cancelRefusal();
      this.#isWaitingForLock = false;
      this.#isLockOverdue = false;
    }
  }

  /** What waits has not begun, so nothing of it is done when it is refused. */
  #refuseWhenOverdue(): CancelTimer {
    const { clock, lockWaitMaxMs } = this.#options;
    if (lockWaitMaxMs === undefined) return () => {};
    return clock.setTimer(() => {
      this.#isLockOverdue = true;
      for (const operation of this.#waiting.splice(0)) operation.reject(this.#lockHeldError());
    }, lockWaitMaxMs);
  }

  #lockHeldError(): StorageError {
    const heldMs = this.#options.clock.nowMs() - this.#waitingSinceMs;
    const reason = `another process has held the commit lock for ${Math.round(heldMs / 1000)} s; ` +
      "nothing was changed";
    return new StorageError("lock", this.location, reason);
  }

  /** It goes on waiting: what waits is done once the lock is free, unless there is a bound. */
  #reportLockHeld(): void {
    const reason = `another process has held the commit lock for ${LOCK_NOTICE_MS / 1000} s, ` +
      "so whatever changes the queue waits";
    this.#report(new StorageError("lock", this.location, reason));
  }

  // --- a batch

  /** One transaction: the operations run, their record is appended. Returns how to tell each caller. */
  #execute(batch: Operation[]): readonly Outcome[] {
    this.#replica.begin();
    const { outcomes, changes } = this.#runAndAppend(batch);
    this.#commitReplica();
    this.#feed.note(changes);
    return outcomes;
  }

  /** When the append fails, memory is as it was before, like the journal. */
  #runAndAppend(batch: Operation[]): BatchResult {
    try {
      const result = runBatch(this.#replica, batch);
      this.#waiting.unshift(...batch.splice(result.outcomes.length));
      if (result.record !== null) this.#append(result.record);
      return result;
    } catch (error) {
      if (error instanceof TransactionLostError) this.#fail(error);
      else this.#replica.rollback();
      throw error;
    }
  }

  #append(record: Uint8Array): void {
    try {
      this.#journal.append(record);
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
    this.#commits++;
  }

  /** The record is written: a replica that cannot follow is of no use any more. */
  #commitReplica(): void {
    try {
      this.#replica.commit();
    } catch (error) {
      this.#fail(asError(error));
      throw error;
    }
  }

  /** Full durability waits for the fsync; relaxed sees to it that one follows. */
  async #makeDurable(): Promise<void> {
    if (this.#durability === "full") return await this.#sync();
    this.#cancelSync ??= this.#options.clock.setTimer(() => {
      this.#cancelSync = undefined;
      if (this.#isWaitingForLock) {
        this.#syncMeanwhile = this.#syncInBackground().finally(() => {
          this.#syncMeanwhile = undefined;
        });
      } else {
        this.#jobs.unshift(() => this.#syncInBackground());
        this.#startDrain();
      }
    }, LEDGER_DEFAULTS.relaxedSyncMs);
  }

  async #syncInBackground(): Promise<void> {
    try {
      await this.#sync();
    } catch (error) {
      this.#report(error);
    }
  }

  async #sync(): Promise<void> {
    this.#checkHealthy();
    if (this.#journal.isDurable) return;
    this.#syncs++;
    const { mayBlock } = this.#syncManner;
    await this.#guard(() => this.#journal.sync(mayBlock));
    this.#syncManner.note(mayBlock, this.#waiting.length);
  }

  #syncNow(): void {
    if (this.#journal.isDurable) return;
    this.#syncs++;
    this.#guardNow(() => this.#journal.syncNow());
  }

  // --- following the other processes

  /** Applies what others have appended. Needs no lock and does not wait. */
  #follow(): ReadOutcome {
    try {
      return this.#journal.mayHaveMore ? this.#journal.read(this.#visitor()) : "current";
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /**
   * Follows the others, and makes sure that there is something to follow: files that are moved, deleted or replaced never
   * change again. A segment may be gone rightly once it is sealed, so it is read to its end first.
   */
  #followInPlace(): ReadOutcome {
    let outcome = this.#follow();
    for (let looks = 0; outcome === "current" && !this.#journal.isInPlace; looks++) {
      if (looks === LOOKS_MAX) this.#fail(displaced(this.location));
      this.#checkHealthy();
      outcome = this.#follow();
    }
    return outcome;
  }

  #visitor(): ReturnType<typeof replicaVisitor> {
    return replicaVisitor(this.#replica, this.#options, (changes) => this.#feed.note(changes));
  }

  /** Starts again from the newest snapshot. */
  async #reload(): Promise<void> {
    const recovered = await this.#guard(() => this.#recoverSame());
    this.#journal.close();
    this.#replica.close();
    this.#replica = recovered.replica;
    this.#journal = recovered.journal;
    this.#snapshotBytes = recovered.snapshotBytes;
    this.#feed.tellReset();
  }

  /** Another queue may stand there now. */
  async #recoverSame(): Promise<Recovered> {
    const recovered = await recover(this.#options);
    const { queueId } = this.#journal.identity;
    const found = recovered.journal.identity.queueId;
    if (found === queueId || this.#lookout === undefined) return recovered;
    recovered.journal.close();
    recovered.replica.close();
    throw foreign(this.location, `a file of queue ${found}`, queueId);
  }

  /** Looks for what others have appended, tells the watchers of it; says whether there was any. */
  #look(): boolean {
    const before = this.#journal.sequence;
    try {
      if (this.#followInPlace() !== "current") this.#reloadLater();
      else this.#lookAtSnapshot();
    } catch (error) {
      this.#reportOnce(error);
    }
    this.#announce();
    return this.#isReloadWanted || this.#journal.sequence !== before;
  }

  /** Now and then, whether the snapshot is there and this queue's; one that is lost is made anew. */
  #lookAtSnapshot(): void {
    const nowMs = this.#options.clock.nowMs();
    if (Math.abs(nowMs - this.#snapshotSeenAtMs) < SNAPSHOT_LOOK_MS) return;
    this.#snapshotSeenAtMs = nowMs;
    if (!this.#isSnapshotLost() || this.#options.isReadOnly) return;
    this.#checkpointIf(() => this.#isSnapshotLost()).catch((error) => this.#report(error));
  }

  /**
   * Whether the snapshot was removed, or an older one put in its place: what was between that and the journal is in the
   * memory of processes only. @throws StorageError when another queue's stands there.
   */
  #isSnapshotLost(): boolean {
    if (this.#failure !== undefined) return false;
    try {
      const sequence = includedSequence(this.#options.storage, this.#journal.identity.queueId);
      return sequence !== undefined && this.#journal.isCutOffFrom(sequence);
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /** On closing: whether the snapshot is lost and the rest of the queue is there. */
  #isSnapshotLostForGood(): boolean {
    return this.#journal.hasPredecessors && this.#journal.isInPlace && this.#isSnapshotLost();
  }

  #reloadLater(): void {
    if (this.#isReloadWanted) return;
    this.#isReloadWanted = true;
    this.#onDrain(() => this.#reload()).catch((error) => this.#reportOnce(error)).finally(() => {
      this.#isReloadWanted = false;
    });
  }

  /** Tells the watchers what changed; this process's own changes only once they are durable. */
  #announce(): void {
    if (!this.#isCommitting && this.#failure === undefined) this.#feed.tell();
  }

  // --- checkpoints

  /** Whether the journal is larger than `minBytes` and than this share of the snapshot, or of what one would be now. */
  #outgrows(minBytes: number, share: number): boolean {
    const { segmentBytes } = this.#journal;
    if (this.#failure !== undefined || segmentBytes <= minBytes) return false;
    return segmentBytes > this.#snapshotBytes * share ||
      segmentBytes > this.#replica.memory.memoryUsedBytes * share;
  }

  /** A process that appends faster than a snapshot is written would let the journal grow without bound. */
  async #letCheckpointCatchUp(): Promise<void> {
    const { segmentBytes } = this.#journal;
    if (segmentBytes > LEDGER_DEFAULTS.checkpointMinBytes) {
      await this.#checkpointer.catchUp(segmentBytes);
    }
  }

  #checkpointIfDue(): void {
    const isDue = (): boolean => this.#outgrows(LEDGER_DEFAULTS.checkpointMinBytes, 1);
    if (!this.#isClosed) this.#checkpointIf(isDue).catch((error) => this.#report(error));
  }

  async #checkpointIf(isWanted: () => boolean): Promise<void> {
    const report = await this.#guardPlace(() => this.#checkpointer.makeIf(isWanted));
    if (report !== undefined) this.#snapshotBytes = report.snapshotBytes;
  }

  /** Begins a new segment and exports the replica exactly there. */
  async #exportAtRotation(isWanted: () => boolean): Promise<ExportedReplica | undefined> {
    await this.#sync(); // what is left to do with the lock held is little then
    const isBegun = await this.#underLock(() => {
      if (!isWanted()) return false;
      this.#checkPlace();
      if (this.#journal.hasRecords) this.#guardNow(() => this.#journal.rotate(this.#visitor()));
      return true;
    });
    if (!isBegun) return undefined;
    return { image: this.#exportHere(), superseded: this.#journal.supersededSegments() };
  }

  /** No await may stand between the release of the lock and this, so that it includes nothing that is not durable. */
  #exportHere(): LedgerExport {
    const { sequence, identity } = this.#journal;
    return this.#replica.export({ queueId: identity.queueId, sequence });
  }

  // --- health

  async #guard<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  #guardNow<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      this.#noteFailure(error);
      throw error;
    }
  }

  /** After a failure that leaves doubt about what the disk holds, nothing more is read or written. */
  #noteFailure(error: unknown): void {
    if (!(error instanceof StorageError)) return;
    const isDoubtful = error instanceof CorruptionError || error.isInDoubt ||
      error.operation === "sync" || error.operation === "truncate" || isMisplaced(error);
    if (isDoubtful) this.#fail(error);
  }

  /**
   * What was written is in the queue only if the file is where the queue is. Since the lock was released, others may have
   * sealed the segment, made a snapshot that includes it, and removed it.
   */
  #checkWritten(): void {
    if (this.#guardNow(() => this.#journal.isInPlace)) return;
    if (this.#followInPlace() === "current") return;
    if (!this.#guardNow(() => this.#options.storage.isLockInPlace("commit"))) this.#checkPlace();
  }

  /** What was written is in the queue only if the file is where the queue is. */
  #checkPlace(): void {
    this.#guardNow(() => this.#journal.checkPlace());
  }

  /** A checkpoint that fails leaves no doubt, unless it finds that the queue's files are not where they were. */
  async #guardPlace<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (isMisplaced(error)) this.#noteFailure(error);
      throw error;
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#lookout?.stop();
  }

  #reportOnce(error: unknown): void {
    const message = messageOf(error);
    if (message === this.#lastReported) return;
    this.#lastReported = message;
    this.#report(error);
  }

  /** What a listener throws here cannot be reported any more. */
  #report(error: unknown): void {
    try {
      this.#options.onBackgroundError(asError(error));
    } catch {
      this.#lastReported = messageOf(error);
    }
  }

  get #isClosed(): boolean {
    return this.#closing !== undefined;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new QueueError("queue_closed", "Cannot use the queue: it is closed");
  }

  #readOnlyError(): StorageError {
    return new StorageError("change", this.location, "it was opened for reading only");
  }

  #checkHealthy(): void {
    if (this.#failure === undefined) return;
    const reason = `an earlier failure left it in doubt, open it again (${
      messageOf(this.#failure)
    })`;
    throw new StorageError("use", this.#options.storage.location, reason, { cause: this.#failure });
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
