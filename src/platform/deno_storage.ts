/**
 * Storage in files, on Deno: Windows, Linux and macOS.
 *
 * The snapshot is the queue's own path; everything else stands beside it with a longer name. Locks have files of their
 * own, because a lock on Windows also forbids reading.
 */
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, StorageError } from "../domain/errors.ts";
import type {
  FileName,
  FileWatch,
  Lock,
  LockName,
  Storage,
  StorageFile,
} from "../storage/storage.ts";
import { accessOf, type FileAccess, makeFile } from "./file_access.ts";
import { FolderWatch, type WatchTrust } from "./folder_watch.ts";
import { makeFolder, renameOver, syncFolder, writeDurably } from "./durable_rename.ts";

/**
 * An fsync that may hold up this thread does, as long as one takes less than this on average: a hop to another thread and
 * back costs as much. A slower disk gets the other thread, so that handlers go on.
 */
const INLINE_SYNC_MS = 0.5;
const SYNC_SMOOTHING = 0.1;

/** How long an fsync takes here, a moving average. */
interface DiskSpeed {
  syncMs: number;
}

const IS_WINDOWS = Deno.build.os === "windows";

/** Windows and macOS usually take names that differ in case for the same file. */
const IGNORES_CASE = IS_WINDOWS || Deno.build.os === "darwin";

/** The form in which two names of the same file are equal. */
function foldCase(name: string): string {
  return IGNORES_CASE ? name.toLowerCase() : name;
}

/** The same text for every way to write the path of a queue. */
export function queueKey(path: string): string {
  return foldCase(resolve(path));
}

/**
 * How a process takes part in a queue: `shared` with others, `exclusive` when nobody else may have it open, or `unseen`,
 * so that neither matters.
 */
export type Presence = "shared" | "exclusive" | "unseen";

/** The files of the queue at a path. */
export class DenoStorage implements Storage {
  readonly #mustExist: boolean;
  readonly #presence: Presence;
  #presenceFile: Deno.FsFile | undefined;
  #watchTrust: WatchTrust = "untried";
  #location: string;
  /** Those of a queue that is open; each is opened when it is asked for. */
  readonly #lockFiles = new Map<LockName, Deno.FsFile>();
  #isOpen = false;
  readonly #disk: DiskSpeed = { syncMs: INLINE_SYNC_MS };

  /**
   * @param options.mustExist Whether `open` refuses to begin a new queue; default false.
   * @param options.presence How this process takes part; default `shared`.
   */
  constructor(
    path: string,
    options: { readonly mustExist?: boolean; readonly presence?: Presence } = {},
  ) {
    this.#location = resolve(path);
    this.#presence = options.presence ?? "shared";
    this.#mustExist = options.mustExist ?? false;
  }

  get location(): string {
    return this.#location;
  }

  get #folder(): string {
    return dirname(this.#location);
  }

  get #name(): string {
    return basename(this.#location);
  }

  /** A link to a queue means the queue it leads to: all who open it must find the same files beside it. */
  open(): Promise<void> {
    return this.#attempt("open", this.location, async () => {
      const entry = await Deno.lstat(this.location).catch(ignoreMissing);
      if (entry?.isSymlink) this.#location = await Deno.realPath(this.location);
      const found = await Deno.stat(this.location).catch(ignoreMissing);
      if (found?.isDirectory) throw new Error("it is a folder, and the path of a queue is a file");
      if (this.#mustExist && found === undefined) await this.#checkJournal();
      await makeFolder(this.#folder);
      if (found === undefined) this.#holdPlace();
      await this.#enter();
      this.#isOpen = true;
      for (const name of ["commit", "checkpoint"] as const) this.#lockFile(name);
    });
  }

  tryLock(name: LockName): Lock | undefined {
    return attemptNow("lock", this.#lockPath(name), () => {
      for (;;) {
        const file = this.#lockFile(name);
        if (!file.tryLockSync(true)) return undefined;
        const lock = this.#checked(name, file);
        if (lock !== undefined) return lock;
      }
    });
  }

  async lock(name: LockName): Promise<Lock> {
    return await this.#attempt("lock", this.#lockPath(name), async () => {
      for (;;) {
        const file = this.#lockFile(name);
        await file.lock(true);
        const lock = this.#checked(name, file);
        if (lock !== undefined) return lock;
      }
    });
  }

  openFile(name: FileName): StorageFile | undefined {
    const path = this.#path(name);
    return attemptNow("open", path, () => {
      try {
        return new DenoFile(path, Deno.openSync(path, { read: true, write: true }), this.#disk);
      } catch (error) {
        return ignoreMissing(error);
      }
    });
  }

  createFile(name: FileName): StorageFile {
    const path = this.#path(name);
    return attemptNow("create", path, () => {
      makeFile(path, this.#access);
      const file = Deno.openSync(path, { read: true, write: true, truncate: true });
      return new DenoFile(path, file, this.#disk);
    });
  }

  readFile(name: FileName): Promise<Uint8Array | undefined> {
    const path = this.#path(name);
    return this.#attempt("read", path, async () => {
      const bytes = await Deno.readFile(path).catch(ignoreMissing);
      return bytes?.length === 0 ? undefined : bytes;
    });
  }

  writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void> {
    const path = this.#path(name);
    return this.#attempt("write", path, async () => {
      await Deno.remove(path).catch(ignoreMissing); // what is left of an earlier attempt may be another user's
      makeFile(path, this.#access);
      using file = await Deno.open(path, { write: true });
      await writeDurably(file, chunks);
    });
  }

  rename(from: FileName, to: FileName): Promise<void> {
    const target = this.#path(to);
    return this.#attempt("rename", target, () => renameOver(this.#path(from), target));
  }

  syncFolder(): Promise<void> {
    return this.#attempt("sync", this.#folder, () => syncFolder(this.#folder));
  }

  remove(name: FileName): Promise<void> {
    const path = this.#path(name);
    return this.#attempt("remove", path, () => Deno.remove(path).catch(ignoreMissing));
  }

  fileSize(name: FileName): number | undefined {
    const path = this.#path(name);
    return attemptNow("size", path, () => {
      try {
        return Deno.statSync(path).size;
      } catch (error) {
        return ignoreMissing(error);
      }
    });
  }

  list(): FileName[] {
    const entries = attemptNow("list", this.#folder, () => [...Deno.readDirSync(this.#folder)]);
    const names = entries.map(({ name }) => this.#nameOf(name)).filter(isFileName);
    return names.filter((name) => name !== "snapshot" || this.fileSize(name) !== 0);
  }

  /** A system that cannot watch, or refuses one watch more, leaves it at looking often. */
  watch(onChange: () => void): FileWatch | undefined {
    if (this.#watchTrust === "useless") return undefined;
    try {
      return new FolderWatch({
        folder: this.#folder,
        isWatched: (name) => this.#nameOf(name).startsWith("journal-"),
        onChange,
        proofPath: this.#lockPath("commit"),
        isProof: (name) => this.#nameOf(name) === "commit.lock",
        trust: this.#watchTrust,
        onTrust: (trust) => this.#watchTrust = trust,
      });
    } catch {
      this.#watchTrust = "useless";
      return undefined;
    }
  }

  close(): void {
    this.#isOpen = false;
    for (const file of this.#lockFiles.values()) file.close();
    this.#lockFiles.clear();
    this.#presenceFile?.close();
    this.#presenceFile = undefined;
  }

  /** Until there is a snapshot an empty file stands in its place, which counts as none: nobody else makes a folder there. */
  #holdPlace(): void {
    const [segment] = this.list();
    makeFile(this.#location, segment && accessOf(this.#path(segment)));
  }

  /** What a new file of this queue gets. */
  get #access(): FileAccess | undefined {
    return accessOf(this.#location);
  }

  /** A queue without a snapshot yet has a journal. */
  async #checkJournal(): Promise<void> {
    const folder = await Deno.stat(this.#folder).catch(ignoreMissing);
    if (folder === undefined || this.list().length === 0) throw new Error("there is no queue");
  }

  /** All who have the queue open hold a lock together; who must be alone asks for it alone. */
  async #enter(): Promise<void> {
    if (this.#presence === "unseen") return;
    const path = join(this.#folder, `${this.#name}.open.lock`);
    const file = this.#openLock(path);
    this.#presenceFile = file;
    if (this.#presence === "shared") await file.lock(false);
    else if (!file.tryLockSync(true)) throw new Error("it is open, here or in another process");
  }

  #path(name: FileName): string {
    return name === "snapshot" ? this.location : join(this.#folder, `${this.#name}.${name}`);
  }

  #lockPath(name: LockName): string {
    return join(this.#folder, `${this.#name}.${name}.lock`);
  }

  /** What stands in a folder entry of this queue; anything else gives no file's name. */
  #nameOf(entry: string): string {
    const [folded, own] = [foldCase(entry), foldCase(this.#name)];
    if (folded === own) return "snapshot";
    return folded.startsWith(`${own}.`) ? folded.slice(own.length + 1) : "";
  }

  #lockFile(name: LockName): Deno.FsFile {
    if (!this.#isOpen) {
      throw new StorageError("lock", this.#lockPath(name), "the queue is not open");
    }
    const file = this.#lockFiles.get(name) ?? this.#openLock(this.#lockPath(name));
    this.#lockFiles.set(name, file);
    return file;
  }

  #openLock(path: string): Deno.FsFile {
    makeFile(path, this.#access);
    return Deno.openSync(path, { read: true, write: true });
  }

  /** Closing lets go of the lock in any case; the next one who asks for it opens the file anew. */
  #closeLockFile(name: LockName): void {
    this.#lockFiles.get(name)?.close();
    this.#lockFiles.delete(name);
  }

  /**
   * The lock that has just been taken, unless somebody has deleted its file or put another in its place: then it would keep
   * nobody out any more.
   */
  #checked(name: LockName, file: Deno.FsFile): Lock | undefined {
    try {
      if (!isDeleted(file)) return { release: () => this.#unlock(name, file) };
    } catch (error) {
      this.#unlock(name, file);
      throw error;
    }
    this.#closeLockFile(name);
  }

  /** A lock that stayed held would, on Windows, keep out this process too: a second lock of the same file is refused there. */
  #unlock(name: LockName, file: Deno.FsFile): void {
    try {
      file.unlockSync();
    } catch {
      this.#closeLockFile(name);
    }
  }

  async #attempt<T>(operation: string, path: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw storageError(operation, path, error);
    }
  }
}

class DenoFile implements StorageFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #disk: DiskSpeed;

  constructor(path: string, file: Deno.FsFile, disk: DiskSpeed) {
    this.path = path;
    this.#file = file;
    this.#disk = disk;
  }

  size(): number {
    return attemptNow("read", this.path, () => this.#file.seekSync(0, Deno.SeekMode.End));
  }

  read(offset: number, into: Uint8Array): number {
    return attemptNow("read", this.path, () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      return this.#file.readSync(into) ?? 0;
    });
  }

  write(offset: number, bytes: Uint8Array): void {
    attemptNow("append to", this.path, () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      for (let written = 0; written < bytes.length;) {
        written += this.#file.writeSync(bytes.subarray(written));
      }
    });
  }

  truncate(size: number): void {
    attemptNow("truncate", this.path, () => this.#file.truncateSync(size));
  }

  async sync(mayBlock = false): Promise<void> {
    const startedAt = performance.now();
    try {
      if (mayBlock && this.#disk.syncMs < INLINE_SYNC_MS) this.#file.syncDataSync();
      else await this.#file.syncData();
    } catch (error) {
      throw storageError("sync", this.path, error);
    }
    if (!mayBlock) return;
    this.#disk.syncMs += (performance.now() - startedAt - this.#disk.syncMs) * SYNC_SMOOTHING;
  }

  close(): void {
    this.#file.close();
  }
}

/** Windows, too, lets an open file be deleted (since version 1809, on NTFS), and counts no name of it then. */
function isDeleted(file: Deno.FsFile): boolean {
  return file.statSync().nlink === 0;
}

function isFileName(name: string): name is FileName {
  if (name === "snapshot" || name === "snapshot.new") return true;
  const [, sequence] = /^journal-([1-9]\d*)$/.exec(name) ?? [];
  return Number.isSafeInteger(Number(sequence));
}

function attemptNow<T>(operation: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw storageError(operation, path, error);
  }
}

function storageError(operation: string, path: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  return new StorageError(operation, path, messageOf(error), { cause: error });
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Deno.errors.NotFound) return undefined;
  throw error;
}
