/**
 * Snapshots: the queue as an ordinary SQLite file, replaced in one step.
 *
 * A footer after SQLite's last page holds a checksum and the queue's id; SQLite itself looks at the pages it counts and no further. A
 * snapshot without one has been cut, or another program has written it.
 */
import { crc32 } from "./crc32.ts";
import {
  decodeFooter,
  encodeFooter,
  FOOTER_BYTES,
  type SnapshotIdentity,
  TAIL_BYTES,
} from "./footer.ts";
import { displaced, foreign } from "./place.ts";
import { readAt } from "./read_at.ts";
import { checksumError, pagesEnd, SnapshotPages } from "./snapshot_pages.ts";
import type { Storage, StorageFile } from "./storage.ts";

/** How much is written at once; other work goes on in between. */
const CHUNK_BYTES = 1024 * 1024;

/** A whole queue as a SQLite file, and whose it is. */
export interface SnapshotImage extends SnapshotIdentity {
  readonly bytes: Uint8Array;
}

/** How a snapshot is put in its place. */
export interface WriteSnapshotOptions {
  /** Throws when what stands there may not be replaced, or not any more; runs before each step that would. */
  readonly check?: () => void;
  /** Is called when the new file is there, before it takes the snapshot's place, or when it could not be written. */
  readonly onWritten?: () => void;
}

/**
 * Puts `image` in the place of the snapshot: a new file, fsynced, renamed, the folder fsynced. Resolves to its size. The
 * caller holds the checkpoint lock.
 *
 * @throws StorageError; what was written is removed again if it can be, so that a full disk has room for the journal.
 */
export async function writeSnapshot(
  storage: Storage,
  image: SnapshotImage,
  { check, onWritten }: WriteSnapshotOptions = {},
): Promise<number> {
  const write = async (): Promise<void> => {
    check?.();
    await storage.writeFile("snapshot.new", chunksWithFooter(image));
  };
  try {
    await write().finally(onWritten);
    await storage.rename("snapshot.new", "snapshot", check);
  } catch (error) {
    // Why it could not be written matters more than whether the rest of it could be removed.
    const removal = storage.remove("snapshot.new", () => {
      if (!storage.isLockInPlace("checkpoint")) throw displaced(storage.location);
    });
    await Promise.allSettled([removal]);
    throw error;
  }
  await storage.syncFolder();
  return image.bytes.length + FOOTER_BYTES;
}

/**
 * The last record that the snapshot says it includes: 0 when there is none, `undefined` when it does not say (an older
 * version wrote it). Reads its last bytes only.
 *
 * @throws StorageError (`find`) when what stands there is not this queue's.
 */
export function includedSequence(storage: Storage, queueId: string): number | undefined {
  const file = storage.openFile("snapshot");
  if (file === undefined) return 0;
  try {
    const size = file.size();
    if (size === 0) return 0;
    const footer = decodeFooter(readAt(file, Math.max(0, size - FOOTER_BYTES), FOOTER_BYTES));
    if (footer === undefined) throw foreign(file.path, "a file that is not a snapshot", queueId);
    if (footer.identity === undefined) return undefined;
    const found = footer.identity.queueId;
    if (found !== queueId) throw foreign(file.path, `a file of queue ${found}`, queueId);
    return footer.identity.sequence;
  } finally {
    file.close();
  }
}

/** What stands in the snapshot's place. */
export interface SnapshotContent {
  /** A SQLite file, if it is what it should be. */
  readonly bytes: Uint8Array | SnapshotPages;
  /** Whether a footer of ours vouches for the bytes. */
  readonly isVerified: boolean;
}

/** A snapshot that is in memory as a whole. */
export interface WholeSnapshot extends SnapshotContent {
  readonly bytes: Uint8Array;
}

/** A snapshot that may still have to be read. */
export interface OpenSnapshot extends SnapshotContent {
  /** Reads the rest. @throws CorruptionError when something that was read does not match its checksum. */
  check(): void;
  /** Lets go of the file. */
  close(): void;
}

/**
 * Opens the snapshot, or gives `undefined` when there is none. Where the storage can, one that has a footer is not read before its
 * pages are asked for, so it has to be checked afterwards; anything else is read as a whole.
 *
 * @throws CorruptionError when it does not match its checksum.
 */
export async function openSnapshot(storage: Storage): Promise<OpenSnapshot | undefined> {
  if (storage.openToRead === undefined) return alreadyChecked(await readSnapshot(storage));
  const file = await storage.openToRead("snapshot");
  if (file === undefined) return undefined;
  try {
    const opened = openFile(file, storage.location);
    if (!(opened?.bytes instanceof SnapshotPages)) file.close();
    return opened;
  } catch (error) {
    file.close();
    throw error;
  }
}

function openFile(file: StorageFile, path: string): OpenSnapshot | undefined {
  const size = file.size();
  if (size === 0) return undefined;
  const footer = decodeFooter(readAt(file, Math.max(0, size - FOOTER_BYTES), FOOTER_BYTES));
  if (footer === undefined) {
    return alreadyChecked({ bytes: readAt(file, 0, size), isVerified: false });
  }
  const bytes = new SnapshotPages(file, path, footer);
  return { bytes, isVerified: true, check: () => bytes.check(), close: () => file.close() };
}

function alreadyChecked(snapshot: SnapshotContent | undefined): OpenSnapshot | undefined {
  return snapshot && { ...snapshot, check: () => {}, close: () => {} };
}

/**
 * What the snapshot holds, or `undefined` when there is none: an empty file is none.
 *
 * @throws CorruptionError when it does not match its checksum.
 */
export async function readSnapshot(storage: Storage): Promise<WholeSnapshot | undefined> {
  const bytes = await storage.readFile("snapshot");
  if (bytes === undefined || bytes.length === 0) return undefined;
  return checkSnapshot(bytes, storage.location);
}

/** What a snapshot's or a backup's file holds. @throws CorruptionError when it does not match its checksum. */
export function checkSnapshot(bytes: Uint8Array, path: string): WholeSnapshot {
  const footer = decodeFooter(bytes);
  if (footer === undefined) return { bytes, isVerified: false };
  const end = bytes.length - TAIL_BYTES;
  if (footer.crc !== crc32(bytes.subarray(0, end))) {
    throw checksumError(path, end);
  }
  return { bytes: bytes.subarray(0, pagesEnd(footer, bytes.length)), isVerified: true };
}

/** A SQLite file and its footer, in the chunks in which it is written. */
export function* chunksWithFooter(
  { bytes, ...identity }: SnapshotImage,
  kind: "snapshot" | "backup" = "snapshot",
): Iterable<Uint8Array> {
  let crc = 0;
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const chunk = bytes.subarray(at, at + CHUNK_BYTES);
    crc = crc32(chunk, crc);
    yield chunk;
  }
  yield encodeFooter(kind, identity, crc);
}
