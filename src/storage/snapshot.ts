/**
 * Snapshots: the queue as an ordinary SQLite file, replaced in one step.
 *
 * A footer after SQLite's last page holds a checksum; SQLite itself looks at the pages it counts and no further. A
 * snapshot without one has been cut, or another program has written it.
 */
import { CorruptionError } from "../domain/errors.ts";
import { crc32 } from "./crc32.ts";
import { SNAPSHOT_MARK, type Storage } from "./storage.ts";

/** Bytes after the last page. */
export const FOOTER_BYTES = 16;

const MAGIC = new TextEncoder().encode(SNAPSHOT_MARK);

/** In the place of a snapshot's four zeros: a copy of a queue, not a part of one. */
const BACKUP_MARK = new TextEncoder().encode("BKUP");

/** How much is written at once; other work goes on in between. */
const CHUNK_BYTES = 1024 * 1024;

/**
 * Puts `bytes` in the place of the snapshot: a new file, fsynced, renamed, the folder fsynced. Resolves to its size; calls
 * `onWritten` when the new file is there, before it takes the snapshot's place.
 *
 * @throws StorageError; what was written is removed again if it can be, so that a full disk has room for the journal.
 */
export async function writeSnapshot(
  storage: Storage,
  bytes: Uint8Array,
  onWritten: () => void = () => {},
): Promise<number> {
  try {
    await storage.writeFile("snapshot.new", chunksWithFooter(bytes)).finally(onWritten);
    await storage.rename("snapshot.new", "snapshot");
  } catch (error) {
    // Why it could not be written matters more than whether the rest of it could be removed.
    await Promise.allSettled([storage.remove("snapshot.new")]);
    throw error;
  }
  await storage.syncFolder();
  return bytes.length + FOOTER_BYTES;
}

/** What stands in the snapshot's place. */
export interface SnapshotContent {
  /** A SQLite file, if it is what it should be. */
  readonly bytes: Uint8Array;
  /** Whether a footer of ours vouches for the bytes. */
  readonly isVerified: boolean;
}

/**
 * What the snapshot holds, or `undefined` when there is none: an empty file is none.
 *
 * @throws CorruptionError when it does not match its checksum.
 */
export async function readSnapshot(storage: Storage): Promise<SnapshotContent | undefined> {
  const bytes = await storage.readFile("snapshot");
  if (bytes === undefined || bytes.length === 0) return undefined;
  return checkSnapshot(bytes, storage.location);
}

/** Whether these last 16 bytes of a file say that it is a backup. */
export function isBackupFooter(footer: Uint8Array): boolean {
  return MAGIC.every((byte, i) => footer[i] === byte) &&
    BACKUP_MARK.every((byte, i) => footer[12 + i] === byte);
}

/** What a snapshot's or a backup's file holds. @throws CorruptionError when it does not match its checksum. */
export function checkSnapshot(bytes: Uint8Array, path: string): SnapshotContent {
  const end = bytes.length - FOOTER_BYTES;
  if (end < 0 || !MAGIC.every((byte, i) => bytes[end + i] === byte)) {
    return { bytes, isVerified: false };
  }
  const footer = new DataView(bytes.buffer, bytes.byteOffset + end, FOOTER_BYTES);
  const content = bytes.subarray(0, end);
  if (footer.getUint32(8) !== crc32(content)) {
    throw new CorruptionError(
      path,
      end,
      "the snapshot does not match its checksum: it is damaged, or another program changed it",
    );
  }
  return { bytes: content, isVerified: true };
}

/** A SQLite file and its footer, in the chunks in which it is written. */
export function* chunksWithFooter(
  bytes: Uint8Array,
  kind: "snapshot" | "backup" = "snapshot",
): Iterable<Uint8Array> {
  let crc = 0;
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    const chunk = bytes.subarray(at, at + CHUNK_BYTES);
    crc = crc32(chunk, crc);
    yield chunk;
  }
  const footer = new Uint8Array(FOOTER_BYTES);
  footer.set(MAGIC, 0);
  new DataView(footer.buffer).setUint32(8, crc);
  if (kind === "backup") footer.set(BACKUP_MARK, 12);
  yield footer;
}
