/**
 * A queue's files in a store of keys and values, such as a Durable Object's: what a place without a file system has to offer.
 *
 * The queue works on the files in memory. What it syncs is put as pages of 4 KiB, in the order of the calls, so the store always
 * holds what some moment had synced. One process at a time may have a store open: a Durable Object is one; nothing here keeps a
 * second one out.
 *
 * A store answers later, but the queue makes a few things durable while it holds its commit lock, and cannot wait there. Those puts
 * have been called when it goes on, and may not have arrived: whoever answers a caller awaits `written()` first. A Durable Object's
 * output gate does that by itself.
 */
import {
  type FileName,
  type FileWatch,
  type Lock,
  type LockName,
  MemoryStorage,
  messageOf,
  type Storage,
  StorageError,
  type StorageFile,
} from "../../src/core.ts";

/** The store: what a Durable Object's `storage` has. Calls take effect in their order; values are what structured clones can be. */
export interface KeyValueStore {
  /** Every key that begins so, with its value. */
  list(options: { readonly prefix: string }): Promise<ReadonlyMap<string, unknown>>;
  /** Puts all of up to 128 entries, or none of them; they are durable when it resolves. */
  put(entries: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Deletes up to 128 keys. */
  delete(keys: string[]): Promise<unknown>;
}

/** Small enough for every store's limit of a value; a Durable Object's puts are charged by this. */
const PAGE_BYTES = 4096;

/** Entries of one put, keys of one deletion. */
const BATCH_MAX = 128;

/** A file in memory; `id` is its name in the store, which no later file has. */
interface KeptFile {
  readonly id: number;
  bytes: Uint8Array;
  size: number;
  /** Pages that were ever written. */
  pages: number;
  isGone: boolean;
  readonly unsynced: Set<number>;
}

/** The files of one queue in a store. */
export class KeyValueStorage implements Storage {
  /** For messages. */
  readonly location: string;
  readonly #store: KeyValueStore;
  readonly #prefix: string;
  readonly #locks = new MemoryStorage();
  readonly #files = new Map<FileName, KeptFile>();
  #kept: readonly KeptFile[] = [];
  #lastId = 0;
  #written: Promise<unknown> = Promise.resolve();

  /** The keys begin with `name` and a slash. */
  constructor(store: KeyValueStore, name = "holdfast") {
    this.#store = store;
    this.#prefix = `${name}/`;
    this.location = `store ${name}`;
  }

  /** Waits until everything that was synced so far is in the store. @throws StorageError when it could not be put */
  async written(): Promise<void> {
    try {
      await this.#written;
    } catch (thrown) {
      throw new StorageError("put", this.location, messageOf(thrown), { cause: thrown });
    }
  }

  /** Reads the files, and deletes what no file has: a crash came before it was named, or before it was deleted. */
  async open(): Promise<void> {
    const entries = await this.#store.list({ prefix: this.#prefix });
    const names = (entries.get(`${this.#prefix}names`) ?? {}) as Record<FileName, number>;
    const ids = new Set(Object.values(names));
    const strays = [...entries.keys()].filter((key) =>
      isStray(key.slice(this.#prefix.length), ids)
    );
    this.#delete(strays);
    for (const [name, id] of Object.entries(names) as [FileName, number][]) {
      this.#files.set(name, this.#load(id, entries));
    }
    this.#kept = [...this.#files.values()];
    await this.written();
  }

  #load(id: number, entries: ReadonlyMap<string, unknown>): KeptFile {
    const size = entries.get(`${this.#prefix}${id}/size`) as number | undefined ?? 0;
    const pages = Math.ceil(size / PAGE_BYTES);
    const bytes = new Uint8Array(pages * PAGE_BYTES);
    for (let page = 0; page < pages; page++) {
      bytes.set(entries.get(this.#key(id, page)) as Uint8Array ?? [], page * PAGE_BYTES);
    }
    this.#lastId = Math.max(this.#lastId, id);
    return { id, bytes, size, pages, isGone: false, unsynced: new Set() };
  }

  tryLock(name: LockName): Lock | undefined {
    return this.#locks.tryLock(name);
  }

  lock(name: LockName): Promise<Lock> {
    return this.#locks.lock(name);
  }

  /** These locks are no files that could be moved. */
  isLockInPlace(): boolean {
    return true;
  }

  openFile(name: FileName): StorageFile | undefined {
    const file = this.#files.get(name);
    return file && new OpenFile(`${this.location} ${name}`, file, this);
  }

  createFile(name: FileName): StorageFile {
    if (this.#files.has(name)) throw new StorageError("create", name, "it is there already");
    this.#files.set(name, this.#newFile());
    return this.openFile(name)!;
  }

  #newFile(): KeptFile {
    const id = ++this.#lastId;
    return { id, bytes: new Uint8Array(0), size: 0, pages: 0, isGone: false, unsynced: new Set() };
  }

  /** Whether a file is the one of some name. */
  has(file: KeptFile): boolean {
    return [...this.#files.values()].includes(file);
  }

  readFile(name: FileName): Promise<Uint8Array | undefined> {
    const file = this.#files.get(name);
    return Promise.resolve(file?.bytes.slice(0, file.size));
  }

  async writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void> {
    this.#files.set(name, this.#newFile());
    const file = this.openFile(name)!;
    for (const chunk of chunks) file.write(file.size(), chunk);
    await file.sync();
  }

  async rename(from: FileName, to: FileName, check?: () => void): Promise<void> {
    await Promise.resolve();
    check?.();
    const file = this.#files.get(from);
    if (file === undefined) throw new StorageError("rename", from, "it does not exist");
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  async remove(name: FileName, check?: () => void): Promise<void> {
    await Promise.resolve();
    check?.();
    this.removeNow(name);
  }

  removeNow(name: FileName): void {
    this.#files.delete(name);
  }

  async syncFolder(): Promise<void> {
    this.syncFolderNow();
    await this.written();
  }

  /** Puts the names; then the pages of files that have none any more can go. */
  syncFolderNow(): void {
    const names = Object.fromEntries([...this.#files].map(([name, { id }]) => [name, id]));
    this.#put([["names", names]]);
    const named = [...this.#files.values()];
    for (const file of this.#kept) if (!named.includes(file)) this.#discard(file);
    this.#kept = named;
  }

  #discard(file: KeptFile): void {
    file.isGone = true;
    const pages = Array.from({ length: file.pages }, (_, page) => this.#key(file.id, page));
    this.#delete([...pages, `${this.#prefix}${file.id}/size`]);
  }

  /** Puts what was written to a file since the last time; its size last, so that it never says more than there is. */
  syncFile(file: KeptFile): void {
    if (file.isGone) return;
    const pages = [...file.unsynced].sort((a, b) => a - b).map((page) =>
      [`${file.id}/${page}`, pageOf(file, page)] as const
    );
    file.unsynced.clear();
    this.#put([...pages, [`${file.id}/size`, file.size]]);
  }

  fileSize(name: FileName): number | undefined {
    return this.#files.get(name)?.size;
  }

  list(): FileName[] {
    return [...this.#files.keys()];
  }

  /** Nobody else writes. */
  watch(): FileWatch {
    return { isProven: true, stop: () => {} };
  }

  close(): void {
    this.#locks.close();
  }

  #key(id: number, page: number): string {
    return `${this.#prefix}${id}/${page}`;
  }

  #put(entries: readonly (readonly [string, unknown])[]): void {
    const named = entries.map(([key, value]) => [`${this.#prefix}${key}`, value] as const);
    this.#inBatches(named, (batch) => this.#store.put(Object.fromEntries(batch)));
  }

  #delete(keys: readonly string[]): void {
    this.#inBatches(keys, (batch) => this.#store.delete([...batch]));
  }

  /** Everything is called at once, in order; `written` waits for it, and for all before. */
  #inBatches<T>(items: readonly T[], write: (batch: readonly T[]) => Promise<unknown>): void {
    const writes: Promise<unknown>[] = [this.#written];
    for (let at = 0; at < items.length; at += BATCH_MAX) {
      writes.push(write(items.slice(at, at + BATCH_MAX)));
    }
    this.#written = Promise.all(writes);
    this.#written.catch(() => {}); // whoever waits for it is told, and the queue always does
  }
}

/** Whether a key, without the prefix, is a page or a size of a file without a name. */
function isStray(key: string, ids: ReadonlySet<number>): boolean {
  return key !== "names" && !ids.has(Number(key.slice(0, key.indexOf("/"))));
}

function pageOf({ bytes, size }: KeptFile, page: number): Uint8Array {
  return bytes.slice(page * PAGE_BYTES, Math.min(size, (page + 1) * PAGE_BYTES));
}

class OpenFile implements StorageFile {
  readonly path: string;
  readonly #file: KeptFile;
  readonly #storage: KeyValueStorage;

  constructor(path: string, file: KeptFile, storage: KeyValueStorage) {
    this.path = path;
    this.#file = file;
    this.#storage = storage;
  }

  size(): number {
    return this.#file.size;
  }

  read(offset: number, into: Uint8Array): number {
    const { bytes, size } = this.#file;
    const part = bytes.subarray(offset, Math.min(offset + into.length, size));
    into.set(part);
    return part.length;
  }

  write(offset: number, bytes: Uint8Array): void {
    const file = this.#file;
    const end = offset + bytes.length;
    if (end > file.bytes.length) grow(file, end);
    file.bytes.set(bytes, offset);
    file.size = Math.max(file.size, end);
    file.pages = Math.max(file.pages, Math.ceil(end / PAGE_BYTES));
    const first = Math.floor(offset / PAGE_BYTES);
    for (let page = first; page * PAGE_BYTES < end; page++) file.unsynced.add(page);
  }

  truncate(size: number): void {
    this.#file.size = size;
  }

  isInPlace(): boolean {
    return this.#storage.has(this.#file);
  }

  async sync(): Promise<void> {
    this.syncNow();
    await this.#storage.written();
  }

  syncNow(): void {
    this.#storage.syncFile(this.#file);
  }

  close(): void {}
}

function grow(file: KeptFile, needed: number): void {
  const bytes = new Uint8Array(Math.max(needed, file.bytes.length * 2));
  bytes.set(file.bytes.subarray(0, file.size));
  file.bytes = bytes;
}
