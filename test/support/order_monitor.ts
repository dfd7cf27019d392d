/**
 * A storage that watches the order in which its process makes things durable:
 *
 * - a record is durable before anybody is told of it (`watchLedger`);
 * - a segment's header and name are durable before its first record is written;
 * - a segment is sealed and durable before the next one is created, and is never made anew;
 * - nothing that may wait for a thread of the pool is awaited while the commit lock is held;
 * - a snapshot is durable before it gets its name, and has it durably before any segment that it includes is removed.
 */
import type { Ledger } from "../../src/ledger/ledger.ts";
import { decodeFrame, frameBytes } from "../../src/storage/frame.ts";
import { isRoom } from "../../src/storage/room.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/storage/segment.ts";
import type {
  FileName,
  FileWatch,
  Lock,
  LockName,
  Storage,
  StorageFile,
} from "../../src/storage/storage.ts";

/** How far the making of a snapshot has come. */
type SnapshotStep = "none" | "written" | "renamed" | "durable";

/** What this process did to a file that it has seen. */
interface FileState {
  /** Counts the records written, and how many of them the last fsync covered. */
  writes: number;
  syncedWrites: number;
  /** How long the file was when the last successful fsync began. */
  syncedSize: number;
  /** Whether the folder has been synced since the file was there. */
  isNamed: boolean;
}

/** How a monitor works. */
export interface OrderMonitorOptions {
  /** What a file holds, without a call to the storage; default by reading it. */
  readonly peek?: (name: FileName) => Uint8Array | undefined;
  /** Is told what was done too early; default throws. */
  readonly onViolation?: (what: string) => void;
}

/** Passes everything on to another storage, and fails what comes too early. */
export class OrderMonitor implements Storage {
  /** What was done too early. */
  readonly violations: string[] = [];
  readonly #inner: Storage;
  readonly #options: OrderMonitorOptions;
  readonly #files = new Map<FileName, FileState>();
  #snapshotStep: SnapshotStep = "none";
  #commitLock: Lock | undefined;
  /** The segments that begin before this one are included in the snapshot being made. */
  #includedBefore = 0;

  constructor(inner: Storage, options: OrderMonitorOptions = {}) {
    this.#inner = inner;
    this.#options = options;
  }

  get location(): string {
    return this.#inner.location;
  }

  get prefersRoom(): boolean {
    return this.#inner.prefersRoom ?? false;
  }

  /** How many of the records that this process has appended are not durable yet. */
  get undurableRecords(): number {
    let count = 0;
    for (const { writes, syncedWrites } of this.#files.values()) count += writes - syncedWrites;
    return count;
  }

  /** Something was done too early. */
  violate(what: string): void {
    this.violations.push(what);
    if (this.#options.onViolation === undefined) throw new Error(`Too early: ${what}`);
    this.#options.onViolation(what);
  }

  /** Fails when anything was done too early. */
  check(): void {
    if (this.violations.length > 0) throw new Error(`Too early: ${this.violations.join("; ")}`);
  }

  open(): Promise<void> {
    return this.#inner.open();
  }

  tryLock(name: LockName): Lock | undefined {
    const lock = this.#inner.tryLock(name);
    return lock && this.#hold(name, lock);
  }

  async lock(name: LockName): Promise<Lock> {
    return this.#hold(name, await this.#outside(`the ${name} lock`, this.#inner.lock(name)));
  }

  isLockInPlace(name: LockName): boolean {
    return this.#inner.isLockInPlace(name);
  }

  openFile(name: FileName): StorageFile | undefined {
    const file = this.#inner.openFile(name);
    return file && this.#watch(name, file);
  }

  createFile(name: FileName): StorageFile {
    this.#checkPredecessor(name);
    const file = this.#inner.createFile(name);
    this.#files.delete(name);
    return this.#watch(name, file);
  }

  readFile(name: FileName): Promise<Uint8Array | undefined> {
    return this.#outside(`reading ${name}`, this.#inner.readFile(name));
  }

  async openToRead(name: FileName): Promise<StorageFile | undefined> {
    const file = await this.#outside(`reading ${name}`, this.#inner.openToRead!(name));
    return file && this.#watch(name, file);
  }

  async writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void> {
    if (name !== "snapshot.new") this.violate(`${name} is written in its place`);
    this.#snapshotStep = "none";
    this.#includedBefore = Math.max(0, ...this.#segments());
    await this.#outside(`writing ${name}`, this.#inner.writeFile(name, chunks));
    this.#snapshotStep = "written";
  }

  async rename(from: FileName, to: FileName, check?: () => void): Promise<void> {
    if (this.#snapshotStep !== "written") {
      this.violate(`${from} becomes ${to} before it is durable`);
    }
    await this.#outside(`renaming ${from}`, this.#inner.rename(from, to, check));
    this.#snapshotStep = "renamed";
  }

  async syncFolder(): Promise<void> {
    const step = this.#snapshotStep;
    const files = [...this.#files.values()];
    await this.#outside("an fsync of the folder", this.#inner.syncFolder());
    for (const file of files) file.isNamed = true;
    if (step === "renamed" && this.#snapshotStep === step) this.#snapshotStep = "durable";
  }

  syncFolderNow(): void {
    this.#inner.syncFolderNow();
    for (const file of this.#files.values()) file.isNamed = true;
    if (this.#snapshotStep === "renamed") this.#snapshotStep = "durable";
  }

  removeNow(name: FileName): void {
    this.#inner.removeNow(name);
    this.#files.delete(name);
  }

  async remove(name: FileName, check?: () => void): Promise<void> {
    const sequence = sequenceOf(name);
    if (sequence !== undefined) {
      if (this.#snapshotStep !== "durable") {
        this.violate(`${name} is removed before a snapshot is durable`);
      }
      if (sequence >= this.#includedBefore) {
        this.violate(`${name} is removed, which the snapshot does not include`);
      }
    }
    await this.#outside(`removing ${name}`, this.#inner.remove(name, check));
    this.#files.delete(name);
  }

  fileSize(name: FileName): number | undefined {
    return this.#inner.fileSize(name);
  }

  list(): FileName[] {
    return this.#inner.list();
  }

  watch(onChange: () => void): FileWatch | undefined {
    return this.#inner.watch(onChange);
  }

  close(): void {
    this.#inner.close();
  }

  #hold(name: LockName, lock: Lock): Lock {
    if (name !== "commit") return lock;
    this.#commitLock = lock;
    return {
      release: () => {
        this.#commitLock = undefined;
        lock.release();
      },
    };
  }

  /** What was begun with the commit lock held and ends before that is released was awaited with it. */
  async #outside<T>(what: string, work: Promise<T>): Promise<T> {
    const held = this.#commitLock;
    const result = await work;
    if (held !== undefined && held === this.#commitLock) {
      this.violate(`${what} is awaited while the commit lock is held`);
    }
    return result;
  }

  #watch(name: FileName, file: StorageFile): StorageFile {
    const state = this.#files.get(name) ??
      { writes: 0, syncedWrites: 0, syncedSize: -1, isNamed: false };
    this.#files.set(name, state);
    return {
      path: file.path,
      size: () => file.size(),
      read: (offset, into) => file.read(offset, into),
      write: (offset, bytes) => {
        const isRecord = sequenceOf(name) !== undefined && offset >= SEGMENT_HEADER_BYTES;
        if (isRecord && this.#sizeOf(name, file) <= SEGMENT_HEADER_BYTES) {
          this.#checkBegun(name, state);
        }
        file.write(offset, bytes);
        if (isRecord) state.writes++;
      },
      truncate: (size) => file.truncate(size),
      isInPlace: () => file.isInPlace(),
      hasAtPath: file.hasAtPath && ((offset, bytes) => file.hasAtPath!(offset, bytes)),
      sync: async () => {
        const { writes } = state;
        const size = this.#sizeOf(name, file);
        await this.#outside(`an fsync of ${name}`, file.sync());
        state.syncedSize = size;
        state.syncedWrites = Math.max(state.syncedWrites, writes);
      },
      syncNow: () => {
        file.syncNow();
        state.syncedSize = this.#sizeOf(name, file);
        state.syncedWrites = state.writes;
      },
      close: () => file.close(),
    };
  }

  #checkBegun(name: FileName, state: FileState): void {
    if (state.syncedSize < SEGMENT_HEADER_BYTES) {
      this.violate(`a record is written to ${name} before its header is durable`);
    }
    if (!state.isNamed) this.violate(`a record is written to ${name} before its name is durable`);
  }

  /** A segment that is there already was begun by somebody for whom this held. */
  #checkPredecessor(name: FileName): void {
    const sequence = sequenceOf(name);
    if (sequence === undefined) return;
    const known = this.#peek(name);
    if (known !== undefined) {
      if (known.length > SEGMENT_HEADER_BYTES) this.violate(`${name} is emptied, it has records`);
      return;
    }
    const previous = Math.max(0, ...this.#segments().filter((other) => other < sequence));
    if (previous === 0) return;
    const previousName: FileName = `journal-${previous}`;
    const bytes = this.#peek(previousName);
    if (bytes === undefined || !endsWithSeal(bytes, sequence - 1)) {
      this.violate(`${name} is created before ${previousName} is sealed`);
    } else if (this.#files.get(previousName)?.syncedSize !== bytes.length) {
      this.violate(`${name} is created before ${previousName} is durable`);
    }
  }

  #sizeOf(name: FileName, file: StorageFile): number {
    return this.#options.peek === undefined ? file.size() : this.#peek(name)?.length ?? 0;
  }

  #segments(): number[] {
    return this.#inner.list().flatMap((name) => sequenceOf(name) ?? []);
  }

  #peek(name: FileName): Uint8Array | undefined {
    if (this.#options.peek !== undefined) return this.#options.peek(name);
    const file = this.#inner.openFile(name);
    if (file === undefined) return undefined;
    const bytes = new Uint8Array(file.size());
    for (let at = 0; at < bytes.length;) {
      const read = file.read(at, bytes.subarray(at));
      if (read === 0) break;
      at += read;
    }
    file.close();
    return bytes;
  }
}

/** Sees to it that `ledger`, of full durability and on `monitor`, tells nobody of a record that is not durable. */
export function watchLedger(ledger: Ledger, monitor: OrderMonitor): Ledger {
  const write = ledger.write.bind(ledger) as typeof ledger.write;
  ledger.write = async (operation, options) => {
    const result = await write(operation, options);
    const count = monitor.undurableRecords;
    if (count > 0) {
      monitor.violate(`a write is acknowledged while ${count} records are not durable`);
    }
    return result;
  };
  return ledger;
}

function sequenceOf(name: FileName): number | undefined {
  return name.startsWith("journal-") ? Number(name.slice("journal-".length)) : undefined;
}

function endsWithSeal(bytes: Uint8Array, sequence: number): boolean {
  for (let at = SEGMENT_HEADER_BYTES; at < bytes.length;) {
    const frame = decodeFrame(bytes, at);
    if (frame === undefined) return false;
    at += frameBytes(frame);
    if (frame.kind === "seal") return frame.sequence === sequence && isRoom(bytes.subarray(at));
  }
  return false;
}
