/**
 * A storage that counts its calls and fails where a test says so, and knows what is still open or held.
 */
import { StorageError } from "../../src/domain/errors.ts";
import type {
  FileName,
  FileWatch,
  Lock,
  LockName,
  Storage,
  StorageFile,
} from "../../src/storage/storage.ts";

/** The calls that change something, and reading a whole file: those that can fail unless a test asks for more. */
export const USUAL_POINTS = [
  "write",
  "sync",
  "truncate",
  "create",
  "rename",
  "remove",
  "syncFolder",
  "writeFile",
  "readFile",
] as const;

/** Every call that can fail. */
export const EVERY_POINT = [
  ...USUAL_POINTS,
  "open",
  "tryLock",
  "lock",
  "unlock",
  "openFile",
  "read",
  "size",
  "fileSize",
  "list",
  "find",
] as const;

/** A call that can fail. */
export type FaultPoint = typeof EVERY_POINT[number];

/** How a call fails. */
export interface Fault {
  readonly message: string;
  /** This many bytes of a write still get through; a read is cut to this many, and does not fail. */
  readonly part?: number;
}

/** Passes everything on to another storage. */
export class FaultyStorage implements Storage {
  /** Says whether a call fails, and how. */
  fault: (point: FaultPoint, name: string) => Fault | undefined = () => undefined;
  /** Is waited for before each fsync of a file. */
  beforeSync: () => Promise<void> = () => Promise.resolve();
  /** Is called before each fsync of a file that nobody waits for. */
  beforeSyncNow: () => void = () => {};
  /** How often each call was made. */
  readonly calls = new Map<FaultPoint, number>();
  /** How many files are open. */
  openFiles = 0;
  /** How many locks are held. */
  heldLocks = 0;
  readonly #inner: Storage;
  readonly #points: ReadonlySet<FaultPoint>;

  constructor(inner: Storage, points: readonly FaultPoint[] = USUAL_POINTS) {
    this.#inner = inner;
    this.#points = new Set(points);
  }

  get location(): string {
    return this.#inner.location;
  }

  get prefersRoom(): boolean {
    return this.#inner.prefersRoom ?? false;
  }

  // deno-lint-ignore require-await
  async open(): Promise<void> {
    this.check("open", this.location);
    return this.#inner.open();
  }

  tryLock(name: LockName): Lock | undefined {
    this.check("tryLock", name);
    const lock = this.#inner.tryLock(name);
    return lock && this.#hold(name, lock);
  }

  async lock(name: LockName): Promise<Lock> {
    this.check("lock", name);
    return this.#hold(name, await this.#inner.lock(name));
  }

  isLockInPlace(name: LockName): boolean {
    this.check("find", name);
    return this.#inner.isLockInPlace(name);
  }

  openFile(name: FileName): StorageFile | undefined {
    this.check("openFile", name);
    const file = this.#inner.openFile(name);
    return file && this.#wrap(file);
  }

  createFile(name: FileName): StorageFile {
    this.check("create", name);
    return this.#wrap(this.#inner.createFile(name));
  }

  // deno-lint-ignore require-await
  async readFile(name: FileName): Promise<Uint8Array | undefined> {
    this.check("readFile", name);
    return this.#inner.readFile(name);
  }

  async openToRead(name: FileName): Promise<StorageFile | undefined> {
    this.check("readFile", name);
    const file = await this.#inner.openToRead!(name);
    return file && this.#wrap(file);
  }

  // deno-lint-ignore require-await
  async writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void> {
    this.check("writeFile", name);
    return this.#inner.writeFile(name, chunks);
  }

  // deno-lint-ignore require-await
  async rename(from: FileName, to: FileName, check?: () => void): Promise<void> {
    this.check("rename", to);
    return this.#inner.rename(from, to, check);
  }

  // deno-lint-ignore require-await
  async syncFolder(): Promise<void> {
    this.check("syncFolder", this.location);
    return this.#inner.syncFolder();
  }

  syncFolderNow(): void {
    this.check("syncFolder", this.location);
    this.#inner.syncFolderNow();
  }

  removeNow(name: FileName): void {
    this.check("remove", name);
    this.#inner.removeNow(name);
  }

  // deno-lint-ignore require-await
  async remove(name: FileName, check?: () => void): Promise<void> {
    this.check("remove", name);
    return this.#inner.remove(name, check);
  }

  fileSize(name: FileName): number | undefined {
    this.check("fileSize", name);
    return this.#inner.fileSize(name);
  }

  list(): FileName[] {
    this.check("list", this.location);
    return this.#inner.list();
  }

  watch(onChange: () => void): FileWatch | undefined {
    return this.#inner.watch(onChange);
  }

  close(): void {
    this.#inner.close();
  }

  /** How often `point` was called. */
  count(point: FaultPoint): number {
    return this.calls.get(point) ?? 0;
  }

  /** Counts a call, and fails it if the test says so. */
  check(point: FaultPoint, name: string): void {
    const fault = this.#meet(point, name);
    if (fault !== undefined) throw new StorageError(point, name, fault.message);
  }

  #meet(point: FaultPoint, name: string): Fault | undefined {
    if (!this.#points.has(point)) return undefined;
    this.calls.set(point, this.count(point) + 1);
    return this.fault(point, name);
  }

  #hold(name: LockName, lock: Lock): Lock {
    this.heldLocks++;
    return {
      release: () => {
        lock.release();
        this.heldLocks--;
        this.check("unlock", name);
      },
    };
  }

  #wrap(file: StorageFile): StorageFile {
    this.openFiles++;
    return {
      path: file.path,
      size: () => {
        this.check("size", file.path);
        return file.size();
      },
      read: (offset, into) => this.#read(file, offset, into),
      write: (offset, bytes) => this.#write(file, offset, bytes),
      truncate: (size) => {
        this.check("truncate", file.path);
        file.truncate(size);
      },
      isInPlace: () => {
        this.check("find", file.path);
        return file.isInPlace();
      },
      hasAtPath: file.hasAtPath && ((offset, bytes) => {
        this.check("find", file.path);
        return file.hasAtPath!(offset, bytes);
      }),
      sync: async () => {
        this.check("sync", file.path);
        await this.beforeSync();
        await file.sync();
      },
      syncNow: () => {
        this.check("sync", file.path);
        this.beforeSyncNow();
        file.syncNow();
      },
      close: () => {
        file.close();
        this.openFiles--;
      },
    };
  }

  #read(file: StorageFile, offset: number, into: Uint8Array): number {
    const fault = this.#meet("read", file.path);
    if (fault === undefined) return file.read(offset, into);
    if (fault.part !== undefined) return file.read(offset, into.subarray(0, fault.part));
    throw new StorageError("read", file.path, fault.message);
  }

  #write(file: StorageFile, offset: number, bytes: Uint8Array): void {
    const fault = this.#meet("write", file.path);
    if (fault === undefined) return file.write(offset, bytes);
    if (fault.part !== undefined) file.write(offset, bytes.subarray(0, fault.part));
    throw new StorageError("append to", file.path, fault.message);
  }
}
