/**
 * Storage in memory, for tests, for simulations and for a queue that need not outlive its process.
 *
 * A `MemoryDisk` is what several "processes" share; each opens its own `MemoryStorage` on it. The disk remembers what
 * has been synced, so a power cut keeps that and nothing else.
 */
import { StorageError } from "../domain/errors.ts";
import type { FileName, FileWatch, Lock, LockName, Storage, StorageFile } from "./storage.ts";

/** A file's content: `bytes` may be longer than `size`; the first `syncedSize` bytes survive a power cut. */
interface Inode {
  bytes: Uint8Array;
  size: number;
  syncedSize: number;
}

interface Watcher {
  readonly storage: MemoryStorage;
  readonly onChange: () => void;
}

interface Waiter {
  readonly storage: MemoryStorage;
  readonly grant: (lock: Lock) => void;
}

/** The disk that several `MemoryStorage`s share. */
export class MemoryDisk {
  #folder = new Map<FileName, Inode>();
  #syncedFolder = new Map<FileName, Inode>();
  readonly #holders = new Map<LockName, MemoryStorage>();
  readonly #watchers = new Set<Watcher>();
  readonly #waiters: Record<LockName, Waiter[]> = { commit: [], checkpoint: [] };

  /** Every file as it was last synced, and every name as the folder was last synced. Kill all processes first. */
  cutPower(): void {
    this.#folder = new Map(this.#syncedFolder);
    for (const inode of this.#folder.values()) inode.size = inode.syncedSize;
  }

  /** A copy of what stands in a file. */
  readBytes(name: FileName): Uint8Array | undefined {
    const inode = this.#folder.get(name);
    return inode?.bytes.slice(0, inode.size);
  }

  /** Puts `bytes` into a file, synced, as if they had always been there. */
  writeBytes(name: FileName, bytes: Uint8Array): void {
    const inode = { bytes: bytes.slice(), size: bytes.length, syncedSize: bytes.length };
    this.#folder.set(name, inode);
    this.#syncedFolder.set(name, inode);
  }

  /** What is not synced, or the first `bytes` of it, reads as zeros from now on: so do some systems when an fsync fails. */
  forgetUnsynced(name: FileName, bytes = Infinity): void {
    const inode = this.#folder.get(name);
    inode?.bytes.fill(0, inode.syncedSize, Math.min(inode.size, inode.syncedSize + bytes));
  }

  /** Deletes a file as if it had never been there. */
  removeFile(name: FileName): void {
    this.#folder.delete(name);
    this.#syncedFolder.delete(name);
  }

  /** The names of all files. */
  list(): FileName[] {
    return [...this.#folder.keys()];
  }

  /** @internal */
  find(name: FileName): Inode | undefined {
    return this.#folder.get(name);
  }

  /** @internal */
  create(name: FileName): Inode {
    if (this.#folder.has(name)) throw new StorageError("create", name, "it is there already");
    const inode = { bytes: new Uint8Array(0), size: 0, syncedSize: 0 };
    this.#folder.set(name, inode);
    return inode;
  }

  /** @internal */
  rename(from: FileName, to: FileName): void {
    const inode = this.#folder.get(from);
    if (inode === undefined) throw new StorageError("rename", from, "it does not exist");
    this.#folder.delete(from);
    this.#folder.set(to, inode);
  }

  /** @internal */
  remove(name: FileName): void {
    this.#folder.delete(name);
  }

  /** @internal */
  syncFolder(): void {
    this.#syncedFolder = new Map(this.#folder);
  }

  /** @internal */
  watch(watcher: Watcher): FileWatch {
    this.#watchers.add(watcher);
    return { isProven: true, stop: () => void this.#watchers.delete(watcher) };
  }

  /** @internal Tells the others, on a later turn, that `storage` has written. */
  tellOthers(storage: MemoryStorage): void {
    for (const watcher of this.#watchers) {
      if (watcher.storage !== storage) queueMicrotask(() => this.#tell(watcher));
    }
  }

  #tell(watcher: Watcher): void {
    if (this.#watchers.has(watcher)) watcher.onChange();
  }

  /** @internal */
  tryLock(name: LockName, storage: MemoryStorage): Lock | undefined {
    if (this.#holders.has(name)) return undefined;
    this.#holders.set(name, storage);
    return { release: () => this.#release(name, storage) };
  }

  /** @internal */
  lock(name: LockName, storage: MemoryStorage): Promise<Lock> {
    const lock = this.tryLock(name, storage);
    if (lock !== undefined) return Promise.resolve(lock);
    return new Promise((grant) => this.#waiters[name].push({ storage, grant }));
  }

  /** @internal Lets go of whatever a dead process held or waited for. */
  releaseAll(storage: MemoryStorage): void {
    for (const watcher of this.#watchers) {
      if (watcher.storage === storage) this.#watchers.delete(watcher);
    }
    for (const name of ["commit", "checkpoint"] as const) {
      this.#waiters[name] = this.#waiters[name].filter((waiter) => waiter.storage !== storage);
      this.#release(name, storage);
    }
  }

  #release(name: LockName, storage: MemoryStorage): void {
    if (this.#holders.get(name) !== storage) return;
    this.#holders.delete(name);
    const next = this.#waiters[name].shift();
    if (next === undefined) return;
    this.#holders.set(name, next.storage);
    next.grant({ release: () => this.#release(name, next.storage) });
  }
}

/** One process's view of a `MemoryDisk`. */
export class MemoryStorage implements Storage {
  /** `memory`. */
  readonly location = "memory";
  readonly #disk: MemoryDisk;
  #isDead = false;

  /** Processes that share a disk share a queue; default a disk of its own. */
  constructor(disk: MemoryDisk = new MemoryDisk()) {
    this.#disk = disk;
  }

  /** The process dies here: its locks are freed, what it wrote stays, and nothing it does has an effect any more. */
  kill(): void {
    this.#isDead = true;
    this.#disk.releaseAll(this);
  }

  /** Asserts that the process lives. @throws StorageError when it is dead. */
  checkAlive(operation: string): void {
    if (this.#isDead) throw new StorageError(operation, this.location, "the process was killed");
  }

  open(): Promise<void> {
    return this.#do("open", () => {});
  }

  tryLock(name: LockName): Lock | undefined {
    this.checkAlive("lock");
    return this.#disk.tryLock(name, this);
  }

  lock(name: LockName): Promise<Lock> {
    this.checkAlive("lock");
    return this.#disk.lock(name, this);
  }

  /** These locks are no files that could be moved. */
  isLockInPlace(): boolean {
    return true;
  }

  openFile(name: FileName): StorageFile | undefined {
    this.checkAlive("open");
    const inode = this.#disk.find(name);
    return inode && new MemoryFile(name, inode, this);
  }

  createFile(name: FileName): StorageFile {
    this.checkAlive("create");
    return new MemoryFile(name, this.#disk.create(name), this);
  }

  /** @internal */
  isAt(name: FileName, inode: Inode): boolean {
    return this.#disk.find(name) === inode;
  }

  readFile(name: FileName): Promise<Uint8Array | undefined> {
    return this.#do("read", () => this.#disk.readBytes(name));
  }

  openToRead(name: FileName): Promise<StorageFile | undefined> {
    return this.#do("read", () => this.openFile(name));
  }

  async writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void> {
    const file = this.openFile(name) ?? this.createFile(name);
    file.truncate(0);
    let size = 0;
    for (const chunk of chunks) {
      await this.#do("write", () => file.write(size, chunk));
      size += chunk.length;
    }
    await file.sync();
  }

  rename(from: FileName, to: FileName, check?: () => void): Promise<void> {
    return this.#do("rename", () => {
      check?.();
      this.#disk.rename(from, to);
    });
  }

  syncFolder(): Promise<void> {
    return this.#do("sync", () => this.#disk.syncFolder());
  }

  syncFolderNow(): void {
    this.checkAlive("sync");
    this.#disk.syncFolder();
  }

  removeNow(name: FileName): void {
    this.checkAlive("remove");
    this.#disk.remove(name);
  }

  remove(name: FileName, check?: () => void): Promise<void> {
    return this.#do("remove", () => {
      check?.();
      this.#disk.remove(name);
    });
  }

  fileSize(name: FileName): number | undefined {
    this.checkAlive("size");
    return this.#disk.find(name)?.size;
  }

  list(): FileName[] {
    this.checkAlive("list");
    return this.#disk.list();
  }

  watch(onChange: () => void): FileWatch {
    this.checkAlive("watch");
    return this.#disk.watch({ storage: this, onChange });
  }

  /** @internal */
  tellOthers(): void {
    this.#disk.tellOthers(this);
  }

  close(): void {
    this.#disk.releaseAll(this);
  }

  /** Does `action` on a later turn, as a disk would. */
  async #do<T>(operation: string, action: () => T): Promise<T> {
    await Promise.resolve();
    this.checkAlive(operation);
    return action();
  }
}

class MemoryFile implements StorageFile {
  readonly path: string;
  readonly #name: FileName;
  readonly #inode: Inode;
  readonly #storage: MemoryStorage;

  constructor(name: FileName, inode: Inode, storage: MemoryStorage) {
    this.path = `memory/${name}`;
    this.#name = name;
    this.#inode = inode;
    this.#storage = storage;
  }

  size(): number {
    this.#storage.checkAlive("size");
    return this.#inode.size;
  }

  read(offset: number, into: Uint8Array): number {
    this.#storage.checkAlive("read");
    const part = this.#inode.bytes.subarray(
      offset,
      Math.min(offset + into.length, this.#inode.size),
    );
    into.set(part);
    return part.length;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#storage.checkAlive("write");
    const end = offset + bytes.length;
    if (end > this.#inode.bytes.length) this.#grow(end);
    this.#inode.bytes.set(bytes, offset);
    this.#inode.size = Math.max(this.#inode.size, end);
    this.#storage.tellOthers();
  }

  truncate(size: number): void {
    this.#storage.checkAlive("truncate");
    this.#inode.size = size;
    this.#inode.syncedSize = Math.min(this.#inode.syncedSize, size);
  }

  isInPlace(): boolean {
    return this.#storage.isAt(this.#name, this.#inode);
  }

  async sync(): Promise<void> {
    await Promise.resolve();
    this.syncNow();
  }

  syncNow(): void {
    this.#storage.checkAlive("sync");
    this.#inode.syncedSize = this.#inode.size;
  }

  close(): void {}

  #grow(needed: number): void {
    const bytes = new Uint8Array(Math.max(needed, this.#inode.bytes.length * 2));
    bytes.set(this.#inode.bytes.subarray(0, this.#inode.size));
    this.#inode.bytes = bytes;
  }
}
