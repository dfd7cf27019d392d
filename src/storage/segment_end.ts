/**
 * The end of a segment: what stands behind the last record, and whether that is as it was left.
 */
import { beginsWith, type Landmark } from "./landmark.ts";
import { readAt } from "./read_at.ts";
import { isRoom, ROOM_MAX_BYTES } from "./room.ts";
import type { StorageFile } from "./storage.ts";

/** How much of an end, the last record included, is looked at in one step. */
const END_MAX_BYTES = 2 * ROOM_MAX_BYTES;

/** What was read: new memory for it at each append would take longer than reading it. */
const END = new Uint8Array(END_MAX_BYTES + Int32Array.BYTES_PER_ELEMENT);

/** How many bytes stand behind `offset`, 0 when they are room; fewer than 0 when the file is shorter. */
export function tailBytes(file: StorageFile, offset: number): number {
  const bytes = file.size() - offset;
  if (bytes < 0 || bytes > ROOM_MAX_BYTES) return bytes;
  return isRoom(readAt(file, offset, bytes, END.subarray(0, bytes))) ? 0 : bytes;
}

/** Whether `last`, which ends at `offset`, stands where it stood, and nothing but room behind it. `false` is no more than a doubt. */
export function endsAsLeft(file: StorageFile, last: Landmark, offset: number): boolean {
  const recordBytes = offset - last.offset;
  const bytes = file.size() - last.offset;
  if (bytes < recordBytes || bytes > END_MAX_BYTES) return false;
  const from = -recordBytes & (Int32Array.BYTES_PER_ELEMENT - 1); // so that the room is read to where words begin
  const end = readAt(file, last.offset, bytes, END.subarray(from, from + bytes));
  return beginsWith(end, last.header) && isRoom(end.subarray(recordBytes));
}
