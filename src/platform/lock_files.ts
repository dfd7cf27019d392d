/**
 * Lock files: a lock counts only while its file is at its path, where every other process looks for it.
 *
 * A file that was deleted or replaced is opened anew, unless the queue's other files are gone with it: then another
 * queue may stand there, whose locks are none of this process's business.
 */
import { StorageError } from "../domain/errors.ts";
import { displaced } from "../storage/place.ts";
import type { Lock, LockName } from "../storage/storage.ts";
import { attempt, attemptNow } from "./attempt.ts";
import { FilePlace } from "./file_place.ts";

interface LockFile {
  readonly file: Deno.FsFile;
  readonly place: FilePlace;
}

/** What lock files need. */
export interface LockFilesOptions {
  readonly pathOf: (name: LockName) => string;
  /** Opens a lock file, made if it is not there. */
  readonly openFile: (path: string) => Deno.FsFile;
  /** Whether a file of the queue that is open here is at its path, so that the queue still is. */
  readonly isQueueInPlace: () => boolean;
}

/** The lock files of a queue, as one process has them open. */
export class LockFiles {
  readonly #options: LockFilesOptions;
  readonly #open = new Map<LockName, LockFile>();
  #isClosed = true;

  constructor(options: LockFilesOptions) {
    this.#options = options;
  }

  /** From now on locks may be taken. @throws Error the system's */
  open(): void {
    this.#isClosed = false;
    for (const name of ["commit", "checkpoint"] as const) this.#lockFile(name);
  }

  /** Whether locks may be taken. */
  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /** Takes a lock if it is free. @throws StorageError */
  tryLock(name: LockName): Lock | undefined {
    return attemptNow("lock", this.#options.pathOf(name), () => {
      for (;;) {
        const lockFile = this.#lockFile(name);
        if (!lockFile.file.tryLockSync(true)) return undefined;
        const lock = this.#checked(name, lockFile);
        if (lock !== undefined) return lock;
      }
    });
  }

  /** Waits for a lock. @throws StorageError */
  lock(name: LockName): Promise<Lock> {
    return attempt("lock", this.#options.pathOf(name), async () => {
      for (;;) {
        const lockFile = this.#lockFile(name);
        await lockFile.file.lock(true);
        const lock = this.#checked(name, lockFile);
        if (lock !== undefined) return lock;
      }
    });
  }

  /** Whether a lock's file is still at its path. @throws StorageError */
  isInPlace(name: LockName): boolean {
    const open = this.#open.get(name);
    return open !== undefined && attemptNow("find", open.place.path, () => open.place.isKept());
  }

  close(): void {
    this.#isClosed = true;
    for (const { file } of this.#open.values()) file.close();
    this.#open.clear();
  }

  #lockFile(name: LockName): LockFile {
    const path = this.#options.pathOf(name);
    if (this.#isClosed) throw new StorageError("lock", path, "the queue is not open");
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const file = this.#options.openFile(path);
    const lockFile = { file, place: new FilePlace(path, file) };
    this.#open.set(name, lockFile);
    return lockFile;
  }

  /** The lock that has just been taken, unless it would no longer keep others out; then its file is to be opened anew. */
  #checked(name: LockName, { file, place }: LockFile): Lock | undefined {
    try {
      if (place.isKept()) return { release: () => this.#unlock(name, file) };
      if (!this.#options.isQueueInPlace()) throw displaced(place.path);
    } catch (error) {
      this.#unlock(name, file);
      throw error;
    }
    this.#closeFile(name, file);
  }

  /** A lock that stayed held would, on Windows, keep out this process too: a second lock of the same file is refused there. */
  #unlock(name: LockName, file: Deno.FsFile): void {
    try {
      file.unlockSync();
    } catch {
      this.#closeFile(name, file);
    }
  }

  /** Closing releases the lock in any case. */
  #closeFile(name: LockName, file: Deno.FsFile): void {
    if (this.#open.get(name)?.file !== file) return;
    file.close();
    this.#open.delete(name);
  }
}
