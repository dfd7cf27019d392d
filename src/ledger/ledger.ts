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
import { asError, QueueError, StorageError } from "../domain/errors.ts";
import type { CheckpointReport, StorageStats } from "../domain/storage_stats.ts";
import type { SnapshotImage } from "../storage/snapshot.ts";
import { BATCH_MAX, type BatchResult, type Operation, type Outcome, runBatch } from "./batch.ts";
import { ChangeFeed, type LedgerChanges } from "./change_feed.ts";
import { CheckpointRules } from "./checkpoint_rules.ts";
import { Checkpointer, type ExportedReplica } from "./checkpointer.ts";
import { CommitLock } from "./commit_lock.ts";
import { DeferredSync } from "./deferred_sync.ts";
import { SyncManner } from "./fsync_mode.ts";
import { JournaledReplica } from "./journaled_replica.ts";
import { LedgerHealth } from "./ledger_health.ts";
import { LEDGER_DEFAULTS, type LedgerOptions } from "./ledger_options.ts";
import { Lookout } from "./lookout.ts";
import type { MemoryMark } from "./memory_budget.ts";
import { recover, type Recovered } from "./recovery.ts";
import { type Reader, type Transaction, TransactionLostError } from "./replica.ts";
import { verifyReplica } from "./verify.ts";

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

/** A durable, shared set of rows. */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #health: LedgerHealth;
  readonly #feed: ChangeFeed;
  readonly #copy: JournaledReplica;
  readonly #commitLock: CommitLock;
  readonly #deferredSync: DeferredSync;
  readonly #checkpointer: Checkpointer;
  readonly #checkpoints: CheckpointRules;
  readonly #syncManner = new SyncManner();
  /** What waits for the next batch. */
  readonly #waiting: Operation[] = [];
  /** What else waits for the loop. */
  readonly #jobs: (() => Promise<void>)[] = [];
  #draining: Promise<void> | undefined;
  #isCommitting = false;
  #isReloadWanted = false;
  #lookout: Lookout | undefined;
  #closing: Promise<void> | undefined;
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
    const deferredSync = this.#deferredSync = new DeferredSync({
      clock,
      delayMs: LEDGER_DEFAULTS.relaxedSyncMs,
      sync: () => this.#sync(),
      runNext: (job) => this.#runNext(job),
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
      exportReplica: (isWanted) => this.#inLoop(() => this.#exportAtRotation(isWanted)),
      checkJournal: () => copy.journal.checkPlace(),
      onLeftOver: (error) => health.reportOnce(error),
    });
    this.#checkpoints = new CheckpointRules({ clock, health, copy, checkpointer });
  }

  /** Runs `query` on the replica, which knows every commit that any process has made. */
  async read<T>(query: (reader: Reader) => T): Promise<T> {
    this.#checkOpen();
    this.#health.check();
    if (this.#copy.follow() !== "current") await this.#inLoop(() => this.#reload());
    this.#announce();
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
    return await this.#checkpoints.make();
  }

  /** Resolves when everything written so far is durable. */
  async flush(): Promise<void> {
    await this.write(() => {});
    await this.#inLoop(() => this.#sync());
  }

  /** Everything written so far, durable, as the bytes of a SQLite file; other work goes on. */
  async exportDurable(): Promise<LedgerExport> {
    this.#checkOpen();
    if (this.#options.isReadOnly) throw this.#readOnlyError();
    return await this.#inLoop(async () => {
      await this.#sync(); // what is left to do with the lock held is little then
      await this.#underLock(() => this.#syncNow());
      this.#copy.checkWritten();
      return this.#copy.export();
    });
  }

  /** Reads the files anew and compares them with memory; gives the problems. Changes nothing. */
  async verify(): Promise<string[]> {
    this.#checkOpen();
    return await this.#inLoop(async () => {
      if (!this.#options.isReadOnly) await this.#underLock(() => this.#syncNow());
      return await verifyReplica(this.#copy.replica, this.#options, () => {
        return this.#copy.follow() === "current" ? this.#copy.journal.sequence : undefined;
      });
    });
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
      commits: this.#commits,
      syncs: this.#syncs,
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
    try {
      while (this.#draining !== undefined) await this.#draining;
      this.#deferredSync.cancel();
      while (this.#checkpointer.isBusy) await this.#checkpointer.settled();
      if (!this.#options.isReadOnly) await this.#tidyUp();
      if (this.#isRelaxed && !this.#copy.journal.isDurable) this.#health.check();
    } finally {
      this.#copy.journal.close();
      this.#options.storage.close();
      this.#copy.replica.close();
      this.#feed.close();
    }
  }

  async #tidyUp(): Promise<void> {
    if (!this.#health.hasFailed) await this.#inLoop(() => this.#sync());
    await this.#checkpoints.makeOnClosing();
  }

  // --- opening

  /** Makes the files ready: prepared for an append, whole, and at the newest schema. */
  async #begin(): Promise<void> {
    try {
      await this.#underLock(() => {
        this.#copy.journal.checkEnd();
        const newest = this.#options.schema.migrations.length;
        if (this.#copy.replica.version < newest) this.#copy.rotate();
      });
    } catch (error) {
      this.#copy.close();
      throw error;
    }
    this.#beginToLook();
  }

  /** Takes the files as they are. @throws CorruptionError; StorageError when only a writer could bring them up to date. */
  // deno-lint-ignore require-await
  async #beginReading(): Promise<void> {
    try {
      this.#copy.checkUnlocked();
      const { replica } = this.#copy;
      const { version } = replica;
      const newest = this.#options.schema.migrations.length;
      if (version > 0 && version < newest) {
        const reason = `its schema version is ${version}, reading it needs ${newest}`;
        throw new StorageError("upgrade", this.location, reason);
      }
      replica.migrate(newest);
    } catch (error) {
      this.#copy.close();
      throw error;
    }
    this.#beginToLook();
  }

  #beginToLook(): void {
    this.#feed.forget();
    const { clock, storage } = this.#options;
    this.#lookout = new Lookout({
      clock,
      storage,
      look: () => this.#look(),
      onError: (error) => this.#health.reportOnce(error),
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
  #inLoop<T>(job: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#jobs.push(() => job().then(resolve, reject));
      this.#startDrain();
    });
  }

  /** Runs `job` in the loop, before all others. */
  #runNext(job: () => Promise<void>): void {
    this.#jobs.unshift(job);
    this.#startDrain();
  }

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
        return this.#execute(batch);
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
      if (!this.#health.hasFailed) await this.#sync();
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

  // --- a batch

  /** One transaction: the operations run, their record is appended. Returns how to tell each caller. */
  #execute(batch: Operation[]): readonly Outcome[] {
    this.#copy.replica.begin();
    const { outcomes, changes } = this.#runAndAppend(batch);
    this.#commitReplica();
    this.#feed.note(changes);
    return outcomes;
  }

  /** When the append fails, memory is as it was before, like the journal. */
  #runAndAppend(batch: Operation[]): BatchResult {
    try {
      const result = runBatch(this.#copy.replica, batch);
      this.#waiting.unshift(...batch.splice(result.outcomes.length));
      if (result.record !== null) this.#append(result.record);
      return result;
    } catch (error) {
      if (error instanceof TransactionLostError) this.#health.fail(error);
      else this.#copy.replica.rollback();
      throw error;
    }
  }

  #append(record: Uint8Array): void {
    this.#health.guardNow(() => this.#copy.journal.append(record));
    this.#commits++;
  }

  /** The record is written: a replica that cannot follow is of no use any more. */
  #commitReplica(): void {
    try {
      this.#copy.replica.commit();
    } catch (error) {
      this.#health.fail(asError(error));
      throw error;
    }
  }

  /** Full durability waits for the fsync; relaxed sees to it that one follows. */
  async #makeDurable(): Promise<void> {
    if (!this.#isRelaxed) return await this.#sync();
    this.#deferredSync.schedule();
  }

  async #sync(): Promise<void> {
    this.#health.check();
    const { journal } = this.#copy;
    if (journal.isDurable) return;
    this.#syncs++;
    const { mayBlock } = this.#syncManner;
    await this.#health.guard(() => journal.sync(mayBlock));
    this.#syncManner.note(mayBlock, this.#waiting.length);
  }

  #syncNow(): void {
    const { journal } = this.#copy;
    if (journal.isDurable) return;
    this.#syncs++;
    this.#health.guardNow(() => journal.syncNow());
  }

  // --- following the other processes

  /** Starts again from the newest snapshot: while it is being opened, another queue may have come there. */
  #reload(): Promise<void> {
    return this.#copy.reload({ mayBeAnother: this.#lookout === undefined });
  }

  /** Looks for what others have appended, tells the watchers of it; says whether there was any. */
  #look(): boolean {
    const before = this.#copy.journal.sequence;
    const isReadOnly = this.#options.isReadOnly ?? false;
    try {
      if (this.#copy.followInPlace() !== "current") this.#reloadLater();
      else this.#checkpoints.lookAtSnapshot({ isReadOnly });
    } catch (error) {
      this.#health.reportOnce(error);
    }
    this.#announce();
    return this.#isReloadWanted || this.#copy.journal.sequence !== before;
  }

  #reloadLater(): void {
    if (this.#isReloadWanted) return;
    this.#isReloadWanted = true;
    this.#inLoop(() => this.#reload())
      .catch((error) => this.#health.reportOnce(error))
      .finally(() => this.#isReloadWanted = false);
  }

  /** Tells the watchers what changed; this process's own changes only once they are durable. */
  #announce(): void {
    if (!this.#isCommitting && !this.#health.hasFailed) this.#feed.tell();
  }

  /** Begins a new segment and exports the replica exactly there. */
  async #exportAtRotation(isWanted: () => boolean): Promise<ExportedReplica | undefined> {
    await this.#sync(); // what is left to do with the lock held is little then
    const isBegun = await this.#underLock(() => {
      if (!isWanted()) return false;
      this.#copy.checkPlace();
      const { hasRecords } = this.#copy.journal;
      if (hasRecords) this.#health.guardNow(() => this.#copy.rotate());
      return true;
    });
    if (!isBegun) return undefined;
    return { image: this.#copy.export(), superseded: this.#copy.journal.supersededSegments() };
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
