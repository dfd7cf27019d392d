/**
 * One process's view of a simulated disk.
 *
 * Every call may be its last. What waits (fsync, rename, …) takes two turns of the scheduler, one to have its effect and one
 * to say so; what does not wait happens at once. A dead process's calls have no effect and never answer.
 */
import { StorageError } from "../../src/domain/errors.ts";
import { displaced } from "../../src/storage/place.ts";
import type {
  FileName,
  FileWatch,
  Lock,
  LockName,
  Storage,
  StorageFile,
} from "../../src/storage/storage.ts";
import { Chance } from "./chance.ts";
import type { Inode, SimulatedDisk } from "./disk.ts";
import type { Edit } from "./file_content.ts";
import { FaultPlan, type Operation } from "./faults.ts";
import type { LockTable } from "./locks.ts";
import { never, type ProcessId, type Scheduler } from "./scheduler.ts";

/** What a storage belongs to. */
export interface StorageSurroundings {
  readonly owner: ProcessId;
  readonly disk: SimulatedDisk;
  readonly locks: LockTable;
  /** The locks that stand at the queue's path now; default those that were there when the storage was made. */
  readonly locksNow?: () => LockTable;
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  /** How likely a read gives less than there is. */
  readonly shortReadProbability: number;
  /** How many turns of the others an fsync may take. */
  readonly syncTurnsMax: number;
  /** Whether a failed fsync forgets what it did not write. */
  readonly forgetsFailedSyncs: boolean;
  /** Whether what was forgotten is soon seen no more. */
  readonly evictsForgotten: boolean;
  /** Whether appends keep room behind themselves. */
  readonly prefersRoom: boolean;
  /** Whether an fsync has no effect. */
  readonly pretendsToSync: boolean;
  /** The process has died in a storage call. */
  readonly onDeath: () => void;
  /** A storage or file was misused. */
  readonly onMisuse: (what: string) => void;
  /** An append has failed with all its bytes in the file, and is not yet undone: somebody may read it now. */
  readonly onHalfDone: () => void;
  /** A file was changed; so many of its changes are not durable. */
  readonly onEdit: (kind: Edit["kind"], pendingCount: number) => void;
  /** An fsync of the newest segment begins; what it returns is called when it has succeeded. */
  readonly onSync: () => () => void;
  /** A new snapshot has got its name. */
  readonly onSnapshot: () => void;
  /** Counts what was tried. */
  readonly onCount: (what: string) => void;
}

/** The files of a queue, for one process. */
export class SimulatedStorage implements Storage {
  readonly location = "simulated";
  readonly prefersRoom: boolean;
  readonly faults = new FaultPlan();
  readonly #around: StorageSurroundings;
  readonly #evictions: Chance;
  readonly #openInodes = new Set<{ readonly name: FileName; readonly inode: Inode }>();
  /** Each lock's file, as it was opened. */
  readonly #locks: Record<LockName, LockTable>;
  #isDead = false;
  #isClosed = false;
  #openFiles = 0;
  /** Whether its latest write failed. */
  #hasFailedToWrite = false;

  constructor(around: StorageSurroundings) {
    this.#around = around;
    this.prefersRoom = around.prefersRoom;
    this.#evictions = new Chance(around.owner);
    this.#locks = { commit: around.locks, checkpoint: around.locks };
  }

  /** How many files are open. */
  get openFileCount(): number {
    return this.#openFiles;
  }

  /** The process dies: its locks are freed, nothing it does has an effect any more. */
  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    const { disk, owner } = this.#around;
    for (const watcher of disk.watchers) if (watcher.owner === owner) disk.watchers.delete(watcher);
    const isMakingSnapshot = this.#locks.checkpoint.holder("checkpoint") === this.#around.owner;
    if (isMakingSnapshot) this.#around.onCount("killed in a checkpoint");
    this.#releaseLocks();
    this.#around.onDeath();
  }

  /** A file's bytes, for a monitor: no call of the process. */
  peek(name: FileName): Uint8Array | undefined {
    return this.#around.disk.find(name)?.now.bytes();
  }

  open(): Promise<void> {
    return this.#later("open", () => {});
  }

  tryLock(name: LockName): Lock | undefined {
    this.#enter("lock");
    this.#checkNotHeld(name);
    for (;;) {
      const lock = this.#locks[name].tryTake(name, this.#around.owner);
      if (lock === undefined || this.isLockInPlace(name)) return lock;
      lock.release();
      this.#reopenLock(name);
    }
  }

  async lock(name: LockName): Promise<Lock> {
    this.#enter("lock");
    this.#checkNotHeld(name);
    for (;;) {
      const lock = await this.#locks[name].take(name, this.#around.owner);
      if (this.#isDead) return await never();
      if (this.isLockInPlace(name)) return lock;
      lock.release();
      this.#reopenLock(name);
    }
  }

  isLockInPlace(name: LockName): boolean {
    const { locksNow } = this.#around;
    return locksNow === undefined || locksNow() === this.#locks[name];
  }

  /** As the port says: only while another file of the queue is where it was. */
  #reopenLock(name: LockName): void {
    const { disk, locksNow } = this.#around;
    const isQueueInPlace = this.#openInodes.values().some(({ name, inode }) =>
      disk.find(name) === inode
    );
    if (!isQueueInPlace || locksNow === undefined) throw displaced(this.location);
    this.#around.onCount("lock files opened anew");
    this.#locks[name] = locksNow();
  }

  #releaseLocks(): void {
    for (const table of Object.values(this.#locks)) table.releaseAll(this.#around.owner);
  }

  openFile(name: FileName): StorageFile | undefined {
    this.#attempt("openFile", name);
    const inode = this.#around.disk.find(name);
    return inode && this.#opened(name, inode);
  }

  createFile(name: FileName): StorageFile {
    this.#attempt("create", name);
    return this.#opened(name, this.#around.disk.create(name));
  }

  readFile(name: FileName): Promise<Uint8Array | undefined> {
    return this.#later("readFile", () => this.#around.disk.find(name)?.now.bytes().slice());
  }

  openToRead(name: FileName): Promise<StorageFile | undefined> {
    return this.#later("readFile", () => {
      const inode = this.#around.disk.find(name);
      return inode && this.#opened(name, inode);
    });
  }

  async writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void> {
    const isThere = this.#around.disk.find(name) !== undefined;
    const file = isThere ? this.openFile(name)! : this.createFile(name);
    try {
      if (isThere) file.truncate(0);
      let size = 0;
      for (const chunk of chunks) {
        await this.#later("write", () => file.write(size, chunk));
        size += chunk.length;
      }
      await file.sync();
    } finally {
      file.close();
    }
  }

  rename(from: FileName, to: FileName, check?: () => void): Promise<void> {
    return this.#later("rename", () => {
      check?.();
      this.#around.disk.rename(from, to);
      this.#around.onSnapshot();
    });
  }

  syncFolder(): Promise<void> {
    const { disk } = this.#around;
    const count = disk.pendingCount;
    return this.#later("syncFolder", () => disk.syncFolder(count));
  }

  syncFolderNow(): void {
    const { disk } = this.#around;
    this.#now("syncFolder", () => disk.syncFolder(disk.pendingCount));
  }

  removeNow(name: FileName): void {
    this.#now("remove", () => this.#around.disk.remove(name));
  }

  remove(name: FileName, check?: () => void): Promise<void> {
    return this.#later("remove", () => {
      check?.();
      if (this.#around.disk.find(name) !== undefined) this.#around.onCount("segments removed");
      this.#around.disk.remove(name);
    });
  }

  fileSize(name: FileName): number | undefined {
    this.#attempt("size", name);
    return this.#around.disk.find(name)?.now.size;
  }

  list(): FileName[] {
    this.#attempt("list", this.location);
    return this.#around.disk.list();
  }

  /** A watch is believed only some time after it began, and a notice is lost now and then. */
  watch(onChange: () => void): FileWatch | undefined {
    const { chance, disk, owner } = this.#around;
    if (this.#isDead || chance.happens(0.2)) return undefined;
    let isProven = false;
    const watcher = {
      owner,
      onWrite: () => this.#isDead || !disk.watchers.has(watcher) || onChange(),
    };
    disk.watchers.add(watcher);
    this.#around.scheduler.add(owner, () => isProven = true);
    return {
      get isProven(): boolean {
        return isProven;
      },
      stop: () => void disk.watchers.delete(watcher),
    };
  }

  #tellOthers(): void {
    const { chance, disk, owner, scheduler } = this.#around;
    for (const watcher of disk.watchers) {
      const isTold = watcher.owner !== owner && chance.happens(0.8);
      if (isTold) scheduler.add(watcher.owner, watcher.onWrite);
    }
  }

  close(): void {
    this.#isClosed = true;
    if (!this.#isDead) this.#releaseLocks();
  }

  #opened(name: FileName, inode: Inode): StorageFile {
    this.#openFiles++;
    const open = { name, inode };
    this.#openInodes.add(open);
    let isOpen = true;
    let toldFailures = inode.syncFailures;
    const use = (operation: Operation): void => {
      if (!isOpen) this.#around.onMisuse(`${operation} a file that is closed: ${name}`);
      this.#attempt(operation, name);
    };
    return {
      path: `simulated/${name}`,
      size: () => {
        use("size");
        this.#evict(inode, 0.1);
        return inode.now.size;
      },
      read: (offset, into) => {
        use("read");
        return this.#read(inode, offset, into);
      },
      write: (offset, bytes) => {
        if (!isOpen) this.#around.onMisuse(`write to a file that is closed: ${name}`);
        this.#write(inode, { name, offset, bytes: bytes.slice() });
      },
      truncate: (size) => {
        use("truncate");
        this.#around.onCount(this.#hasFailedToWrite ? "failed appends cut" : "torn tails cut");
        this.#edit(inode, { kind: "truncate", size });
      },
      isInPlace: () => {
        use("find");
        return this.#around.disk.find(name) === inode;
      },
      hasAtPath: (offset, bytes) => {
        use("find");
        const found = this.#around.disk.find(name)?.now.bytes().subarray(offset);
        return found !== undefined && bytes.every((byte, i) => byte === found[i]);
      },
      sync: () => {
        if (!isOpen) this.#around.onMisuse(`sync a file that is closed: ${name}`);
        return this.#sync(inode, name, () => {
          const isToldFailure = inode.syncFailures > toldFailures;
          toldFailures = inode.syncFailures;
          return isToldFailure;
        });
      },
      syncNow: () => {
        if (!isOpen) this.#around.onMisuse(`sync a file that is closed: ${name}`);
        this.#syncNow(inode, name, () => {
          const isToldFailure = inode.syncFailures > toldFailures;
          toldFailures = inode.syncFailures;
          return isToldFailure;
        });
      },
      close: () => {
        if (isOpen) this.#openFiles--;
        this.#openInodes.delete(open);
        isOpen = false;
      },
    };
  }

  #read(inode: Inode, offset: number, into: Uint8Array): number {
    const { chance, shortReadProbability } = this.#around;
    this.#evict(inode, 0.2);
    const bytes = inode.now.bytes().subarray(offset, offset + into.length);
    const isShort = bytes.length > 1 && chance.happens(shortReadProbability);
    const part = isShort ? bytes.subarray(0, 1 + chance.below(bytes.length - 1)) : bytes;
    if (isShort) this.#around.onCount("short reads");
    into.set(part);
    return part.length;
  }

  #evict(inode: Inode, probability: number): void {
    if (!this.#around.evictsForgotten || !this.#evictions.happens(probability)) return;
    if (inode.evict()) this.#around.onCount("forgotten pages evicted");
  }

  /** A write that fails, or that its process does not survive, may have got through in part. */
  #write(
    inode: Inode,
    { name, offset, bytes }: { name: string; offset: number; bytes: Uint8Array },
  ): void {
    const wasDead = this.#isDead;
    this.#hasFailedToWrite = true;
    try {
      this.#attempt("append to", name);
    } catch (error) {
      const { chance } = this.#around;
      const part = chance.happens(0.5) ? bytes : bytes.subarray(0, chance.below(bytes.length));
      if (!wasDead) this.#edit(inode, { kind: "write", offset, bytes: part });
      if (!wasDead && part === bytes) this.#around.onHalfDone();
      throw error;
    }
    this.#hasFailedToWrite = false;
    this.#edit(inode, { kind: "write", offset, bytes });
    this.#tellOthers();
  }

  #edit(inode: Inode, edit: Edit): void {
    inode.edit(edit);
    this.#around.onEdit(edit.kind, inode.pending.length);
  }

  /** What was written before the call is durable after it. `isToldFailure` says whether somebody else's fsync failed. */
  async #sync(inode: Inode, name: FileName, isToldFailure: () => boolean): Promise<void> {
    const until = inode.pending.at(-1);
    const onDone = name === this.#around.disk.newestSegment() ? this.#around.onSync() : undefined;
    const { chance, forgetsFailedSyncs, pretendsToSync, syncTurnsMax } = this.#around;
    for (let turns = chance.below(syncTurnsMax + 1); turns > 0; turns--) await this.#turn();
    const sync = (): void => {
      if (isToldFailure()) throw new StorageError("sync", this.location, "injected EIO of another");
      if (!pretendsToSync) inode.sync(until);
      onDone?.();
    };
    return await this.#later("sync", sync, () => {
      if (forgetsFailedSyncs) inode.failSync(chance);
      this.#evict(inode, 0.4);
      isToldFailure();
    });
  }

  /** The same in one step. */
  #syncNow(inode: Inode, name: FileName, isToldFailure: () => boolean): void {
    const { chance, disk, forgetsFailedSyncs, pretendsToSync } = this.#around;
    const onDone = name === disk.newestSegment() ? this.#around.onSync() : undefined;
    const sync = (): void => {
      if (isToldFailure()) throw new StorageError("sync", this.location, "injected EIO of another");
      if (!pretendsToSync) inode.sync(inode.pending.at(-1));
      onDone?.();
    };
    this.#now("sync", sync, () => {
      if (forgetsFailedSyncs) inode.failSync(chance);
      this.#evict(inode, 0.4);
      isToldFailure();
    });
  }

  #now(operation: Operation, act: () => void, onFault?: () => void): void {
    this.#enter(operation);
    const reason = this.faults.next(operation);
    if (reason !== undefined) {
      onFault?.();
      this.#countFault(operation, reason);
      throw new StorageError("sync", this.location, reason);
    }
    act();
    if (!this.faults.isDeathAt(operation)) return;
    this.#die(operation);
    throw new StorageError(operation, this.location, "the process is dead");
  }

  async #later<T>(operation: Operation, act: () => T, onFault?: () => void): Promise<T> {
    this.#enter(operation);
    await this.#turn();
    const reason = this.faults.next(operation);
    if (reason !== undefined) {
      onFault?.();
      this.#countFault(operation, reason);
      throw new StorageError(
        operation === "syncFolder" ? "sync" : operation,
        this.location,
        reason,
      );
    }
    const result = act();
    if (this.faults.isDeathAt(operation)) this.#die(operation);
    await this.#turn();
    return result;
  }

  async #turn(): Promise<void> {
    await this.#around.scheduler.turn(this.#around.owner);
    if (this.#isDead) await never();
  }

  #attempt(operation: Operation, name: string): void {
    this.#enter(operation);
    const reason = this.faults.next(operation);
    if (reason === undefined) return;
    this.#countFault(operation, reason);
    throw new StorageError(operation, name, reason);
  }

  #countFault(operation: Operation, reason: string): void {
    this.#around.onCount(`failed ${operation}`);
    this.#around.onCount(reason);
  }

  #enter(operation: Operation): void {
    if (!this.#isDead && this.#isClosed) this.#around.onMisuse(`${operation} after close`);
    if (!this.#isDead && this.faults.isDeathAt(operation)) this.#die(operation);
    if (this.#isDead) throw new StorageError(operation, this.location, "the process is dead");
  }

  #die(operation: Operation): void {
    const holdsLock = this.#locks.commit.holder("commit") === this.#around.owner;
    this.#around.onCount(`killed in ${operation}`);
    this.#around.onCount(holdsLock ? "killed with the lock" : "killed without the lock");
    this.kill();
  }

  #checkNotHeld(name: LockName): void {
    if (this.#locks[name].holder(name) !== this.#around.owner) return;
    this.#around.onMisuse(`takes the ${name} lock that it holds already`);
  }
}
