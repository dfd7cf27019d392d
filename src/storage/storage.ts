/**
 * Storage: the port for the few files of a queue, in the operations that durability is made of.
 *
 * Small operations on an open file are synchronous: they cost a microsecond, and a commit may not be interrupted
 * between its steps. Whatever can wait on the disk or on another process is asynchronous, and may wait for a thread of
 * the system's pool, which other work of the process may have used up. So none of it is awaited while the commit lock is
 * held, by which all processes would wait, too; what must happen there has a synchronous form (`…Now`). Every failure is a
 * `StorageError` that names the operation and the path; a short read is not a failure.
 */

/** The files of a queue. The implementation turns a name into a path beside the queue's. */
export type FileName = "snapshot" | "snapshot.new" | `journal-${number}`;

/**
 * The two locks of a queue. `commit` orders commits between processes and is held for microseconds; `checkpoint` lets one
 * process at a time replace the snapshot. A process that needs both takes `checkpoint` first.
 */
export type LockName = "commit" | "checkpoint";

/** With what the last 16 bytes of a snapshot and of a backup begin: a file without is another program's, or damaged. */
export const SNAPSHOT_MARK = "HOLDFAST";

/** An exclusive lock; the operating system releases it when its holder dies. */
export interface Lock {
  /** Lets the next one have it. */
  release(): void;
}

/** An open file. */
export interface StorageFile {
  /** The path, for messages. */
  readonly path: string;
  /** Its length in bytes. */
  size(): number;
  /** Fills `into` from `offset`; returns how many bytes there were, which may be fewer. */
  read(offset: number, into: Uint8Array): number;
  /** Writes all of `bytes` at `offset`. */
  write(offset: number, bytes: Uint8Array): void;
  /** Cuts the file to `size` bytes. */
  truncate(size: number): void;
  /** Whether it is still the file at its path: not deleted, moved or replaced since it was opened. */
  isInPlace(): boolean;
  /**
   * Whether the file at its path, this one or another, has `bytes` at `offset`. Where a storage prefers room, that is asked after
   * each fsync in the place of `isInPlace`, which makes the next fsync dearer on systems where it asks for a file's times.
   */
  hasAtPath?(offset: number, bytes: Uint8Array): boolean;
  /**
   * Waits until everything written so far is durable. A failure is never retried.
   *
   * @param mayBlock Whether it may hold up this thread if that is the fastest way; default false.
   */
  sync(mayBlock?: boolean): Promise<void>;
  /** The same while the commit lock is held: it holds up this thread. */
  syncNow(): void;
  /** Lets go of the file. */
  close(): void;
}

/** A watch on a queue's files. */
export interface FileWatch {
  /** Whether changes are known to be noticed here; until then they may not be. */
  readonly isProven: boolean;
  /** Ends it. */
  stop(): void;
}

/** Where a queue's files are. */
export interface Storage {
  /** The queue's path, for messages. */
  readonly location: string;
  /** Whether an fsync of a file that has not grown costs less here than one of a file that has; default false. */
  readonly prefersRoom?: boolean;
  /** Makes the folder and the lock files. Called once, before anything else. */
  open(): Promise<void>;
  /** Takes a lock if it is free. @throws StorageError (`find`) when its file is gone, and the other files with it. */
  tryLock(name: LockName): Lock | undefined;
  /** Waits for a lock. @throws StorageError as `tryLock` */
  lock(name: LockName): Promise<Lock>;
  /** Whether the file of a lock that is held here is still the one at its path: otherwise it keeps no other process out. */
  isLockInPlace(name: LockName): boolean;
  /** Opens a file, the snapshot to read only, or gives `undefined` when it does not exist. */
  openFile(name: FileName): StorageFile | undefined;
  /** Makes a file and opens it. @throws StorageError when there is one already */
  createFile(name: FileName): StorageFile;
  /** The whole of a file, or `undefined` when it does not exist. */
  readFile(name: FileName): Promise<Uint8Array | undefined>;
  /**
   * Opens a file to read only, or gives `undefined` when it does not exist. A storage that has it is not asked for the whole of a
   * large file; default: `readFile` is used.
   */
  openToRead?(name: FileName): Promise<StorageFile | undefined>;
  /** Makes a file of these bytes, taken one after the other; durable before it resolves. */
  writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void>;
  /** Gives a file another's name, replacing that one in one step. `check` runs right before; what it throws prevents it. */
  rename(from: FileName, to: FileName, check?: () => void): Promise<void>;
  /** Makes creations, renames and removals durable. */
  syncFolder(): Promise<void>;
  /** The same while the commit lock is held: it holds up this thread. */
  syncFolderNow(): void;
  /** Deletes a file; harmless when it does not exist. `check` as with `rename`. */
  remove(name: FileName, check?: () => void): Promise<void>;
  /** The same while the commit lock is held: it holds up this thread. */
  removeNow(name: FileName): void;
  /** A file's length in bytes, or `undefined` when it does not exist. */
  fileSize(name: FileName): number | undefined;
  /** The names of the files there are. */
  list(): FileName[];
  /**
   * Calls `onChange` soon after a journal file has changed, by whomever; some changes may be told twice, several as one,
   * and a few never. `undefined` where the system cannot tell.
   */
  watch(onChange: () => void): FileWatch | undefined;
  /** Closes the lock files. */
  close(): void;
}
