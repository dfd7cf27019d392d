/**
 * Segments: the files that make up a journal, each named by the sequence number of its first record.
 *
 * A segment's header is durable before any record follows it, and a segment exists only when all before it are durable
 * and sealed. So a crash can leave a damaged end in the last segment only.
 */
import { fromHex, toHex } from "../domain/hex.ts";
import { CorruptionError, StorageError } from "../domain/errors.ts";
import { crc32 } from "./crc32.ts";
import { foreign } from "./place.ts";
import { readAt } from "./read_at.ts";
import type { FileName, Storage, StorageFile } from "./storage.ts";

/** Bytes before a segment's first frame. */
export const SEGMENT_HEADER_BYTES = 64;

/** Which layout of bytes this is; another number is refused. */
export const FORMAT_VERSION = 2;

const MAGIC = new TextEncoder().encode("HOLDFAST");

/** What a segment says of itself. */
export interface SegmentHeader {
  /** The version of the tables whose rows the records hold. */
  readonly schemaVersion: number;
  /** Sixteen random bytes, in hexadecimal: the same in every file of one queue. */
  readonly queueId: string;
  /** The sequence number of the first record. */
  readonly firstSequence: number;
}

/** The name of the segment that begins with record `firstSequence`. */
export function segmentName(firstSequence: number): FileName {
  return `journal-${firstSequence}`;
}

/** The first sequence numbers of the segments there are, ascending. */
export function listSegments(storage: Storage): number[] {
  return storage.list()
    .flatMap((name) => name.startsWith("journal-") ? [Number(name.slice("journal-".length))] : [])
    .filter(Number.isSafeInteger)
    .sort((a, b) => a - b);
}

/**
 * Makes a segment, which is durable then: a new file, or one that a crash has left without records.
 *
 * @throws CorruptionError when there is one that has records.
 * @throws StorageError (`find`) when there is one of another queue.
 */
export function createSegment(storage: Storage, header: SegmentHeader): StorageFile {
  const name = segmentName(header.firstSequence);
  const file = storage.openFile(name) ?? storage.createFile(name);
  try {
    checkUnused(file, header);
    file.write(0, encodeHeader(header));
    file.syncNow();
    storage.syncFolderNow();
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * The header of a segment; `undefined` when its creation was interrupted, so that it holds nothing.
 *
 * @throws CorruptionError when the header is damaged and records follow it.
 * @throws StorageError when another version of Holdfast wrote it.
 */
export function readSegmentHeader(
  file: StorageFile,
  firstSequence: number,
): SegmentHeader | undefined {
  const size = file.size(); // asked first: both the header and records may come meanwhile
  const bytes = readAt(file, 0, SEGMENT_HEADER_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!isWholeHeader(bytes)) {
    if (size <= SEGMENT_HEADER_BYTES) return undefined;
    throw new CorruptionError(file.path, 0, "the segment's header does not match its checksum");
  }
  const formatVersion = view.getUint32(8);
  if (formatVersion !== FORMAT_VERSION) {
    throw new StorageError(
      "read",
      file.path,
      `its format is ${formatVersion}, this version of Holdfast reads ${FORMAT_VERSION}`,
    );
  }
  const header = {
    schemaVersion: view.getUint32(12),
    queueId: toHex(bytes.subarray(16, 32)),
    firstSequence: Number(view.getBigUint64(32)),
  };
  if (header.firstSequence !== firstSequence) {
    throw new CorruptionError(
      file.path,
      32,
      `it begins with record ${header.firstSequence}, its name says ${firstSequence}`,
    );
  }
  return header;
}

/** @throws StorageError (`find`) unless the segment is of this queue, has no header, or there is none. */
export function checkSegmentIsOf(storage: Storage, firstSequence: number, queueId: string): void {
  const file = storage.openFile(segmentName(firstSequence));
  if (file === undefined) return;
  try {
    checkOwner(file, queueId);
  } finally {
    file.close();
  }
}

/** A segment that has records is never begun anew, nor one of another queue. */
function checkUnused(file: StorageFile, { queueId }: SegmentHeader): void {
  const bytes = file.size();
  if (bytes > SEGMENT_HEADER_BYTES) {
    throw new CorruptionError(file.path, 0, `it has ${bytes} bytes that have not been read`);
  }
  checkOwner(file, queueId);
}

function checkOwner(file: StorageFile, queueId: string): void {
  const bytes = readAt(file, 0, SEGMENT_HEADER_BYTES);
  if (!isWholeHeader(bytes)) return;
  const found = toHex(bytes.subarray(16, 32));
  if (found !== queueId) throw foreign(file.path, `a file of queue ${found}`, queueId);
}

/** Whether `bytes` are a segment's header. */
export function isWholeHeader(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return bytes.length === SEGMENT_HEADER_BYTES && MAGIC.every((byte, i) => bytes[i] === byte) &&
    view.getUint32(60) === crc32(bytes.subarray(0, 60));
}

function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, FORMAT_VERSION);
  view.setUint32(12, header.schemaVersion);
  bytes.set(fromHex(header.queueId), 16);
  view.setBigUint64(32, BigInt(header.firstSequence));
  view.setUint32(60, crc32(bytes.subarray(0, 60)));
  return bytes;
}
