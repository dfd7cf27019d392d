/**
 * Room: zeros behind the last record, which later ones are written over.
 *
 * An fsync of a file that has grown writes its new length, too, and on many file systems that is a second write to the disk.
 * A record that fits into what the file has already costs one. So a record that does not fit brings room for some more like it.
 * No frame begins with a zero, so room is never taken for one.
 */

/** For how many records like the last there is room. */
const ROOM_RECORDS = 16;
const ROOM_MIN_BYTES = 16 * 1024;
/** The most room that there may be. */
export const ROOM_MAX_BYTES = 64 * 1024;

/** Zeros are looked for so many bytes at a time. */
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/** A frame and the room behind it. A frame that is longer than the most room gets none: writing so much twice costs more. */
export function withRoom(frame: Uint8Array): Uint8Array {
  if (frame.length > ROOM_MAX_BYTES) return frame;
  const wanted = ROOM_RECORDS * frame.length;
  const bytes = new Uint8Array(
    frame.length + Math.min(ROOM_MAX_BYTES, Math.max(ROOM_MIN_BYTES, wanted)),
  );
  bytes.set(frame);
  return bytes;
}

/** Whether `bytes`, which reach to the file's end, are room: zeros, and not more than any record brings. */
export function isRoom(bytes: Uint8Array): boolean {
  if (bytes.length > ROOM_MAX_BYTES) return false;
  const aligned = bytes.byteOffset % WORD_BYTES === 0 ? bytes : bytes.slice();
  const wordCount = Math.floor(aligned.length / WORD_BYTES);
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, wordCount);
  for (let i = 0; i < wordCount; i++) if (words[i] !== 0) return false;
  for (let i = wordCount * WORD_BYTES; i < aligned.length; i++) if (aligned[i] !== 0) return false;
  return true;
}
