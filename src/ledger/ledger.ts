/**
 * The ledger: one history of rows, shared by processes, that survives them.
 *
 * Each process holds a replica and reads from it. A write becomes part of a batch: under the commit lock the replica
 * catches up with the journal, the batch's operations run in one transaction, their row images are appended; then the
 * lock is released, one fsync makes the batch durable, and every caller is answered. Nothing is answered before.
 *
 * Everything that awaits runs in one loop (`WorkLoop`), one thing after the other; between two awaits the replica always
 * stands at the journal's position.
 */
import { QueueError, StorageError } from "../domain/errors.ts";
import type { CheckpointReport, StorageStats } from "../domain/storage_stats.ts";
import type { SnapshotImage } from "../storage/snapshot.ts";
import { BATCH_MAX, type Operation, type WriteOptions } from "./batch.ts";
import { ChangeFeed, type LedgerChanges } from "./change_feed.ts";
import { CheckpointRules } from "./checkpoint_rules.ts";
import { Checkpointer, type Rotation } from "./checkpointer.ts";
import { CommitLock } from "./commit_lock.ts";
import { DeferredSync } from "./deferred_sync.ts";
import { prepareFolding } from "./fold.ts";
import { JournaledReplica } from "./journaled_replica.ts";
import { JournalSync } from "./journal_sync.ts";
import { LedgerHealth } from "./ledger_health.ts";
import { LEDGER_DEFAULTS, type LedgerOptions } from "./ledger_options.ts";
import { Lookout } from "./lookout.ts";
import { recover, type Recovered } from "./recovery.ts";
import type { Reader, Transaction } from "./replica.ts";
import { verifyReplica } from "./verify.ts";
import { WorkLoop } from "./work_loop.ts";

/** A whole ledger as a file, and whose it is. */
export type LedgerExport = SnapshotImage;

/** A durable, shared set of rows. */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #health: LedgerHealth;
  readonly #feed: ChangeFeed;
  readonly #copy: JournaledReplica;
  readonly #commitLock: CommitLock;
  readonly #sync: JournalSync;
  readonly #deferredSync: DeferredSync;
  readonly #checkpointer: Checkpointer;
  readonly #checkpoints: CheckpointRules;
  /** What waits for the next batch. */
  readonly #waiting: Operation[] = [];
  readonly #loop = new WorkLoop({
    isWaiting: () => this.#waiting.length > 0,
    commitNext: () => this.#commitBatch(),
  });
  #isCommitting = false;
  #isReloadWanted = false;
  #lookout: Lookout | undefined;
  #closing: Promise<void> | undefined;

  /** Opens the ledger at its storage, recovering what a crash left. @throws CorruptionError, StorageError */
  static async open(options: LedgerOptions): Promise<Ledger> {
    try {
      await options.storage.open();
      if (!options.isReadOnly) prepareFolding(options.folding, options.storage);
      const ledger = new Ledger(options, await recover(options));
      await ledger.#begin();
      return ledger;
    } catch (error) {
      options.storage.close();
      await options.folding?.close?.();
      throw error;
    }
  }

  private constructor(options: LedgerOptions, recovered: Recovered) {
    const { storage, clock } = options;
    this.#options = options;
    const health = this.#health = new LedgerHealth({
      location: storage.location,
      onFailed: () => this.#lookout?.stop(),
      onBackgroundError: options.onBackgroundError,
      onListenerError: options.onListenerError ?? (() => {}),
    });
    const feed = this.#feed = new ChangeFeed((error) => health.report(error));
    const copy = this.#copy = new JournaledReplica(recovered, { source: options, health, feed });
    const sync = this.#sync = new JournalSync({
      copy,
      health,
      waitingCount: () => this.#waiting.length,
    });
    const deferredSync = this.#deferredSync = new DeferredSync({
      clock,
      delayMs: LEDGER_DEFAULTS.relaxedSyncMs,
      sync: () => sync.sync(),
      runNext: (job) => this.#loop.runNext(job),
      isLoopWaiting: () => this.#commitLock.isWaiting,
      onError: (error) => health.report(error),
    });
    this.#commitLock = new CommitLock({
      storage,
      clock,
      health,
      waitMaxMs: options.lockWaitMaxMs,
      onOverdue: () => this.#refuseWaiting(),
      syncUnderWay: () => deferredSync.underWay,
    });
    const checkpointer = this.#checkpointer = new Checkpointer({
      storage,
      rotate: (...how) => this.#loop.run(() => this.#rotate(...how)),
      folding: options.folding,
      checkJournal: () => copy.journal.checkPlace(),
      onProblem: (error) => health.reportOnce(error),
    });
    this.#checkpoints = new CheckpointRules({ clock, health, copy, checkpointer });
  }

  /** Runs `query` on the replica, which knows every commit that any process has made. */
  async read<T>(query: (reader: Reader) => T): Promise<T> {
    this.#checkOpen();
    this.#health.check();
    if (this.#copy.follow() !== "current") await this.#loop.run(() => this.#reload());
    this.#announce();
    return query(this.#copy.replica);
  }

  /** Runs `query` on the replica as it is: for watchers, who have heard of what it knows. */
  peek<T>(query: (reader: Reader) => T): T {
    return query(this.#copy.replica);
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
    if (this.#commitLock.isOverdue) return Promise.reject(this.#commitLock.overdueError());
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run: operation, upTo: options.upTo, resolve, reject });
      this.#loop.start();
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
    return await this.#checkpoints.make();
  }

  /** Resolves when everything written so far is durable. */
  async flush(): Promise<void> {
    await this.write(() => {});
    await this.#loop.run(() => this.#sync.sync());
  }

  /** Everything written so far, durable, as the bytes of a SQLite file; other work goes on. */
  async exportDurable(): Promise<LedgerExport> {
    this.#checkOpen();
    if (this.#options.isReadOnly) throw this.#readOnlyError();
    return await this.#loop.run(async () => {
      await this.#sync.sync(); // what is left to do with the lock held is little then
      await this.#underLock(() => this.#sync.syncNow());
      this.#copy.checkWritten();
      return this.#copy.export();
    });
  }

  /** Reads the files anew and compares them with memory; gives the problems. Changes nothing. */
  async verify(): Promise<string[]> {
    this.#checkOpen();
    return await this.#loop.run(async () => {
      if (!this.#options.isReadOnly) await this.#underLock(() => this.#sync.syncNow());
      return await verifyReplica(this.#copy.replica, this.#options, () => {
        return this.#copy.follow() === "current" ? this.#copy.journal.sequence : undefined;
      });
    });
  }

  /** Whether a batch is about to be committed which a write joins that is made now. */
  get isGathering(): boolean {
    return this.#waiting.length > 0;
  }

  /** The queue's path, or `memory`. */
  get location(): string {
    return this.#options.storage.location;
  }

  /** For how many milliseconds this process has been waiting for the commit lock; 0 when it is not. */
  get lockWaitMs(): number {
    return this.#commitLock.waitMs;
  }

  /** Torn tails that were cut so far. */
  get tornTails(): number {
    return this.#copy.tornTails;
  }

  /** Where it is, how large it is, and what has happened to it here. */
  stats(): StorageStats {
    const { journal, replica } = this.#copy;
    return {
      location: this.location,
      sequence: journal.sequence,
      journalBytes: journal.segmentBytes,
      snapshotBytes: this.#options.storage.fileSize("snapshot") ?? 0,
      tornTails: this.tornTails,
      commits: this.#copy.commits,
      syncs: this.#sync.count,
      ...replica.memory,
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
    this.#checkpointer.hurry();
    try {
      await this.#loop.ended();
      this.#deferredSync.cancel();
      while (this.#checkpointer.isBusy) await this.#checkpointer.settled();
      if (!this.#options.isReadOnly) await this.#tidyUp();
      if (this.#isRelaxed && !this.#copy.journal.isDurable) this.#health.check();
    } finally {
      this.#copy.close();
      this.#options.storage.close();
      this.#feed.close();
      await this.#options.folding?.close?.();
    }
  }

  async #tidyUp(): Promise<void> {
    if (!this.#health.hasFailed) await this.#loop.run(() => this.#sync.sync());
    await this.#checkpoints.makeOnClosing();
  }

  // --- opening

  /** Makes the files ready: prepared for an append, whole, and at the newest schema. A reader takes them as they are. */
  async #begin(): Promise<void> {
    try {
      if (this.#options.isReadOnly) this.#copy.takeAsItIs();
      else await this.#underLock(() => this.#copy.bringUpToDate());
    } catch (error) {
      this.#copy.close();
      throw error;
    }
    this.#feed.forget();
    this.#lookout = new Lookout({
      clock: this.#options.clock,
      storage: this.#options.storage,
      look: () => this.#look(),
      onError: (error) => this.#health.reportOnce(error),
    });
  }

  // --- a batch

  #refuseWaiting(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(this.#commitLock.overdueError());
  }

  async #commitBatch(): Promise<void> {
    let batch: Operation[] = [];
    this.#isCommitting = true;
    try {
      this.#lookout?.stir();
      await this.#checkpoints.letCatchUp();
      const outcomes = await this.#underLock(() => {
        batch = this.#waiting.splice(0, BATCH_MAX);
        return this.#copy.commit(batch, (rest) => this.#waiting.unshift(...rest));
      });
      await this.#makeDurable();
      this.#copy.checkWritten();
      for (const tell of outcomes) tell();
    } catch (error) {
      if (batch.length === 0) batch = this.#waiting.splice(0, BATCH_MAX);
      const reason = await this.#undoDurably(error);
      for (const operation of batch) operation.reject(reason);
    } finally {
      this.#isCommitting = false;
    }
    this.#announce();
    if (!this.#isClosed) this.#checkpoints.makeIfDue();
  }

  /** What was refused must not come back after a power cut: that it was undone is made durable first. */
  async #undoDurably(error: unknown): Promise<unknown> {
    try {
      if (!this.#health.hasFailed) await this.#sync.sync();
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
      this.#health.check();
      const lock = await this.#commitLock.take();
      try {
        if (this.#copy.prepareAppend()) return action();
      } finally {
        lock.release();
      }
      await this.#reload();
    }
  }

  /** Full durability waits for the fsync; relaxed sees to it that one follows. */
  async #makeDurable(): Promise<void> {
    if (!this.#isRelaxed) return await this.#sync.sync();
    this.#deferredSync.schedule();
  }

  // --- following the other processes

  /** Starts again from the newest snapshot: while it is being opened, another queue may have come there. */
  #reload(): Promise<void> {
    return this.#copy.reload({ mayBeAnother: this.#lookout === undefined });
  }

  /** Looks for what others have appended, tells the watchers of it; says whether there was any. */
  #look(): boolean {
    const before = this.#copy.journal.sequence;
    try {
      if (this.#copy.followInPlace() !== "current") this.#reloadLater();
      else this.#checkpoints.lookAtSnapshot({ isReadOnly: this.#options.isReadOnly ?? false });
    } catch (error) {
      this.#health.reportOnce(error);
    }
    this.#announce();
    return this.#isReloadWanted || this.#copy.journal.sequence !== before;
  }

  #reloadLater(): void {
    if (this.#isReloadWanted) return;
    this.#isReloadWanted = true;
    this.#loop.run(() => this.#reload())
      .catch((error) => this.#health.reportOnce(error))
      .finally(() => this.#isReloadWanted = false);
  }

  /** Tells the watchers what changed; this process's own changes only once they are durable. */
  #announce(): void {
    if (!this.#isCommitting && !this.#health.hasFailed) this.#feed.tell();
  }

  /** Begins a new segment, and exports the replica exactly there if it is not too large. */
  async #rotate(isWanted: () => boolean, exportMaxBytes: number): Promise<Rotation | undefined> {
    await this.#sync.sync(); // what is left to do with the lock held is little then
    const isBegun = await this.#underLock(() => {
      if (!isWanted()) return false;
      this.#copy.checkPlace();
      if (this.#copy.journal.hasRecords) this.#health.guardNow(() => this.#copy.rotate());
      return true;
    });
    if (!isBegun) return undefined;
    const { position, journal, replica: { memory: { memoryUsedBytes: usedBytes } } } = this.#copy;
    const image = usedBytes > exportMaxBytes ? undefined : this.#copy.export();
    return { upTo: position, superseded: journal.supersededSegments(), usedBytes, image };
  }

  get #isRelaxed(): boolean {
    return this.#options.durability === "relaxed";
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
}
