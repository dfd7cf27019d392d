/**
 * Reading all of what is there: one read may give less.
 */
import type { StorageFile } from "./storage.ts";

/** Up to `length` bytes from `offset`, put into `bytes`, by default new ones; fewer only where the file ends. */
export function readAt(
  file: StorageFile,
  offset: number,
  length: number,
  bytes: Uint8Array = new Uint8Array(length),
): Uint8Array {
  let filled = 0;
  while (filled < length) {
    const read = file.read(offset + filled, bytes.subarray(filled));
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}
