/**
 * Storage in files, on Deno: Windows, Linux and macOS.
 *
 * The snapshot is the queue's own path; everything else stands beside it with a longer name. Locks have files of their
 * own, because a lock on Windows also forbids reading.
 */
import { basename, dirname, join, resolve } from "node:path";
import { quotePath } from "../domain/errors.ts";
import {
  type FileName,
  type FileWatch,
  type Lock,
  type LockName,
  SNAPSHOT_MARK,
  type Storage,
  type StorageFile,
} from "../storage/storage.ts";
import { attempt, attemptNow, ignoreMissing } from "./attempt.ts";
import { DenoFile, newDiskSpeed } from "./deno_file.ts";
import { accessOf, type FileAccess, makeFile } from "./file_access.ts";
import { FilePlace } from "./file_place.ts";
import { FolderWatch, type WatchTrust } from "./folder_watch.ts";
import { LockFiles } from "./lock_files.ts";
import { brieflyPatient, patiently } from "./patience.ts";
import { checkOrdinary, checkStreamless, foldCase, truePath } from "./queue_path.ts";
import {
  makeFolder,
  renameOver,
  syncFolder,
  syncFolderNow,
  writeDurably,
} from "./durable_rename.ts";

const SNAPSHOT_FOOTER_BYTES = 16;

/** A file that is not removed does no harm: the next checkpoint removes it. */
const REMOVAL_PATIENCE_MS = 1000;

/**
 * How a process takes part in a queue: `shared` with others, `exclusive` when no other may have it open, or `unseen`,
 * so that neither matters.
 */
export type Presence = "shared" | "exclusive" | "unseen";

/** How the files of a queue are used. */
export interface DenoStorageOptions {
  readonly mustExist?: boolean;
  readonly presence?: Presence;
  readonly isReadOnly?: boolean;
}

/** The files of the queue at a path. */
export class DenoStorage implements Storage {
  /** Measured on Linux only (ext4). */
  readonly prefersRoom = Deno.build.os === "linux";
  readonly #mustExist: boolean;
  readonly #isReadOnly: boolean;
  readonly #presence: Presence;
  #presenceFile: Deno.FsFile | undefined;
  #watchTrust: WatchTrust = "untried";
  #location: string;
  readonly #disk = newDiskSpeed();
  readonly #openFiles = new Set<DenoFile>();
  readonly #lockFiles = new LockFiles({
    pathOf: (name) => this.#lockPath(name),
    openFile: (path) => this.#openLock(path),
    isQueueInPlace: () => this.#openFiles.values().some((file) => file.isInPlace()),
  });

  /**
   * @param options.mustExist Whether `open` refuses to begin a new queue; default false.
   * @param options.presence How this process takes part; default `shared`.
   * @param options.isReadOnly Whether nothing is made, locked or changed, so that reading is all that is needed; default false.
   */
  constructor(path: string, options: DenoStorageOptions = {}) {
    this.#location = resolve(path);
    this.#presence = options.presence ?? "shared";
    this.#isReadOnly = options.isReadOnly ?? false;
    this.#mustExist = this.#isReadOnly || (options.mustExist ?? false);
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

  /** A link to a queue means the queue it leads to. */
  open(): Promise<void> {
    return attempt("open", this.location, async () => {
      checkStreamless(this.location);
      const isLink = (await Deno.lstat(this.location).catch(ignoreMissing))?.isSymlink ?? false;
      const found = await Deno.stat(this.location).catch(ignoreMissing);
      checkOrdinary(found);
      if (found !== undefined) this.#location = await truePath(this.location, isLink);
      if (this.#mustExist && found === undefined) await this.#checkJournal();
      if (this.#isReadOnly || found !== undefined && this.#isForeign()) {
        return await this.#awaitSegments();
      }
      await makeFolder(this.#folder);
      if (found === undefined) await this.#holdPlace();
      await this.#enter();
      await patiently(() => this.#lockFiles.open());
      await this.#awaitSegments();
    });
  }

  /** Whether it takes part in a queue and can lock: not beside a file that is not a queue, and not when it only reads. */
  get takesPart(): boolean {
    return this.#lockFiles.isOpen;
  }

  tryLock(name: LockName): Lock | undefined {
    return this.#lockFiles.tryLock(name);
  }

  lock(name: LockName): Promise<Lock> {
    return this.#lockFiles.lock(name);
  }

  isLockInPlace(name: LockName): boolean {
    return this.#lockFiles.isInPlace(name);
  }

  openFile(name: FileName): StorageFile | undefined {
    const path = this.#path(name);
    return attemptNow("open", path, () => {
      try {
        const how = { read: true, write: name !== "snapshot" && !this.#isReadOnly };
        return this.#opened(path, brieflyPatient(() => openNoFolder(path, how)));
      } catch (error) {
        return ignoreMissing(error);
      }
    });
  }

  createFile(name: FileName): StorageFile {
    const path = this.#path(name);
    return attemptNow("create", path, () => {
      if (!makeFile(path, this.#access)) throw new Error("it is there already");
      return this.#opened(path, Deno.openSync(path, { read: true, write: true }));
    });
  }

  readFile(name: FileName): Promise<Uint8Array | undefined> {
    const path = this.#path(name);
    return attempt("read", path, async () => {
      const bytes = await patiently(() => Deno.readFile(path)).catch(ignoreMissing);
      return bytes?.length === 0 ? undefined : bytes;
    });
  }

  openToRead(name: FileName): Promise<StorageFile | undefined> {
    const path = this.#path(name);
    return attempt("read", path, async () => {
      const file = await patiently(() => Deno.open(path, { read: true })).catch(ignoreMissing);
      return file && this.#opened(path, file);
    });
  }

  writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void> {
    const path = this.#path(name);
    return attempt("write", path, async () => {
      await patiently(() => Deno.remove(path), { isRenaming: true }).catch(ignoreMissing); // what is left of an earlier attempt may be another user's
      makeFile(path, this.#access);
      using file = await Deno.open(path, { write: true });
      await writeDurably(file, chunks);
    });
  }

  rename(from: FileName, to: FileName, check?: () => void): Promise<void> {
    const target = this.#path(to);
    return attempt("rename", target, () => renameOver(this.#path(from), target, check));
  }

  syncFolder(): Promise<void> {
    return attempt("sync", this.#folder, () => syncFolder(this.#folder));
  }

  syncFolderNow(): void {
    attemptNow("sync", this.#folder, () => syncFolderNow(this.#folder));
  }

  remove(name: FileName, check?: () => void): Promise<void> {
    const path = this.#path(name);
    const remove = (): Promise<void> => {
      check?.();
      return Deno.remove(path);
    };
    return attempt("remove", path, () => {
      const options = { isRenaming: true, limitMs: REMOVAL_PATIENCE_MS };
      return patiently(remove, options).catch(ignoreMissing);
    });
  }

  removeNow(name: FileName): void {
    const path = this.#path(name);
    attemptNow("remove", path, () => {
      try {
        Deno.removeSync(path);
      } catch (error) {
        ignoreMissing(error);
      }
    });
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
    if (this.#watchTrust === "useless" || this.#isReadOnly) return undefined;
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
    this.#lockFiles.close();
    this.#presenceFile?.close();
    this.#presenceFile = undefined;
  }

  /** Until there is a snapshot an empty file stands in its place, which counts as none: so no other process makes a folder there. */
  async #holdPlace(): Promise<void> {
    makeFile(this.location, this.#access);
    this.#location = await truePath(this.location, false);
  }

  /** Nothing of ours stands beside another program's file: it will be refused when it is read, and gets no lock files before. */
  #isForeign(): boolean {
    if (this.list().some((name) => name !== "snapshot")) return false;
    if (exists(this.#lockPath("commit"))) return false;
    using file = Deno.openSync(this.location, { read: true });
    const { size } = file.statSync();
    if (size === 0) return false;
    const footer = new Uint8Array(SNAPSHOT_FOOTER_BYTES);
    file.seekSync(Math.max(0, size - footer.length), Deno.SeekMode.Start);
    file.readSync(footer);
    return !new TextDecoder().decode(footer).startsWith(SNAPSHOT_MARK);
  }

  /** From here on the journal is read without waiting, so other programs should have released it. */
  async #awaitSegments(): Promise<void> {
    if (Deno.build.os !== "windows") return;
    for (const name of this.list().filter((name) => name.startsWith("journal-"))) {
      await patiently(() => this.openFile(name)?.close());
    }
  }

  /** What a new file of this queue gets. */
  get #access(): FileAccess | undefined {
    const access = accessOf(this.#location);
    if (access !== undefined) return access;
    const [segment] = this.list();
    return segment && accessOf(this.#path(segment));
  }

  /** A queue without a snapshot yet has a journal. */
  async #checkJournal(): Promise<void> {
    const folder = await Deno.stat(this.#folder).catch(ignoreMissing);
    if (folder === undefined || this.list().length === 0) throw new Error("there is no queue");
  }

  /** All processes that have the queue open hold a lock together; one that must be alone takes it exclusively. */
  async #enter(): Promise<void> {
    if (this.#presence === "unseen") return;
    const path = join(this.#folder, `${this.#name}.open.lock`);
    for (;;) {
      const file = await patiently(() => this.#openLock(path));
      this.#presenceFile = file;
      if (this.#presence === "shared") await file.lock(false);
      else if (!file.tryLockSync(true)) throw new Error("it is open, here or in another process");
      if (new FilePlace(path, file).isKept()) return;
      file.close();
    }
  }

  #opened(path: string, opened: Deno.FsFile): DenoFile {
    const onClose = (file: DenoFile): void => void this.#openFiles.delete(file);
    const file = new DenoFile(path, opened, { disk: this.#disk, onClose });
    this.#openFiles.add(file);
    return file;
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

  #openLock(path: string): Deno.FsFile {
    makeFile(path, this.#access);
    return openNoFolder(path, { read: true, write: true });
  }
}

/** Windows opens a folder as if it were a file. @throws Error the system's */
function openNoFolder(path: string, how: Deno.OpenOptions): Deno.FsFile {
  const file = Deno.openSync(path, how);
  if (Deno.build.os !== "windows" || !file.statSync().isDirectory) return file;
  file.close();
  throw new Deno.errors.IsADirectory(`${quotePath(path)} is a folder`);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    return ignoreMissing(error) ?? false;
  }
}

function isFileName(name: string): name is FileName {
  if (name === "snapshot" || name === "snapshot.new") return true;
  const [, sequence] = /^journal-([1-9]\d*)$/.exec(name) ?? [];
  return Number.isSafeInteger(Number(sequence));
}
