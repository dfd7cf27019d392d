/**
 * Reading all of what is there: one read may give less.
 */
import type { StorageFile } from "./storage.ts";

/** Up to `length` bytes from `offset`; fewer only where the file ends. */
export function readAt(file: StorageFile, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const read = file.read(offset + filled, bytes.subarray(filled));
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}
