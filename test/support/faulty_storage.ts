/**
 * A storage that counts its calls and fails where a test says so.
 */
import { StorageError } from "../../src/domain/errors.ts";
import type { FileName, Lock, LockName, Storage, StorageFile } from "../../src/storage/storage.ts";

/** The calls that can fail. */
export type FaultPoint =
  | "write"
  | "sync"
  | "truncate"
  | "create"
  | "rename"
  | "remove"
  | "syncFolder"
  | "writeFile"
  | "readFile";

/** Passes everything on to another storage. */
export class FaultyStorage implements Storage {
  /** Throws to make a call fail; `part` of a write is the number of bytes that still get through. */
  fault: (
    point: FaultPoint,
    name: string,
  ) => { readonly message: string; readonly part?: number } | undefined = () => undefined;
  /** Is waited for before each fsync of a file. */
  beforeSync: () => Promise<void> = () => Promise.resolve();
  /** How often each call was made. */
  readonly calls = new Map<FaultPoint, number>();
  readonly #inner: Storage;

  constructor(inner: Storage) {
    this.#inner = inner;
  }

  get location(): string {
    return this.#inner.location;
  }

  open(): Promise<void> {
    return this.#inner.open();
  }

  tryLock(name: LockName): Lock | undefined {
    return this.#inner.tryLock(name);
  }

  lock(name: LockName): Promise<Lock> {
    return this.#inner.lock(name);
  }

  openFile(name: FileName): StorageFile | undefined {
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

  // deno-lint-ignore require-await
  async writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void> {
    this.check("writeFile", name);
    return this.#inner.writeFile(name, chunks);
  }

  // deno-lint-ignore require-await
  async rename(from: FileName, to: FileName): Promise<void> {
    this.check("rename", to);
    return this.#inner.rename(from, to);
  }

  // deno-lint-ignore require-await
  async syncFolder(): Promise<void> {
    this.check("syncFolder", this.location);
    return this.#inner.syncFolder();
  }

  // deno-lint-ignore require-await
  async remove(name: FileName): Promise<void> {
    this.check("remove", name);
    return this.#inner.remove(name);
  }

  fileSize(name: FileName): number | undefined {
    return this.#inner.fileSize(name);
  }

  list(): FileName[] {
    return this.#inner.list();
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
    this.calls.set(point, this.count(point) + 1);
    const fault = this.fault(point, name);
    if (fault !== undefined) throw new StorageError(point, name, fault.message);
  }

  #wrap(file: StorageFile): StorageFile {
    return {
      path: file.path,
      size: () => file.size(),
      read: (offset, into) => file.read(offset, into),
      write: (offset, bytes) => this.#write(file, offset, bytes),
      truncate: (size) => {
        this.check("truncate", file.path);
        file.truncate(size);
      },
      sync: async () => {
        this.check("sync", file.path);
        await this.beforeSync();
        await file.sync();
      },
      close: () => file.close(),
    };
  }

  #write(file: StorageFile, offset: number, bytes: Uint8Array): void {
    this.calls.set("write", this.count("write") + 1);
    const fault = this.fault("write", file.path);
    if (fault === undefined) return file.write(offset, bytes);
    if (fault.part !== undefined) file.write(offset, bytes.subarray(0, fault.part));
    throw new StorageError("append to", file.path, fault.message);
  }
}
