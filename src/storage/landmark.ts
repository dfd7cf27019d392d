/**
 * Landmarks: by what a record is known again in a file that other processes write and cut, too.
 *
 * A record's frame header has the checksum of all of it: another record in its place has another header.
 */
import { decodeFrame, FRAME_HEADER_BYTES } from "./frame.ts";
import { readAt } from "./read_at.ts";
import type { StorageFile } from "./storage.ts";

/** A record in a segment, by which it is known again. */
export interface Landmark {
  readonly sequence: number;
  readonly offset: number;
  /** The bytes of its frame's header. */
  readonly header: Uint8Array;
}

/** The landmark of record `sequence`, whose frame `bytes` begin with and which stands at `offset` of the file. */
export function landmark(sequence: number, offset: number, bytes: Uint8Array): Landmark {
  return { sequence, offset, header: bytes.slice(0, FRAME_HEADER_BYTES) };
}

/** Whether a record's header stands where it stood. */
export function isHeaderAt(file: StorageFile, { offset, header }: Landmark): boolean {
  return beginsWith(readAt(file, offset, FRAME_HEADER_BYTES), header);
}

/** Whether `bytes`, which stand at `from`, have all of these records, whole, where they stood. */
export function hasAll(bytes: Uint8Array, from: number, records: readonly Landmark[]): boolean {
  return records.every(({ offset, header }) =>
    beginsWith(bytes.subarray(offset - from), header) &&
    decodeFrame(bytes, offset - from) !== undefined
  );
}

/** Whether `bytes` begin with `start`. */
export function beginsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, i) => byte === bytes[i]);
}
