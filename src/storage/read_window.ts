/**
 * Reading a segment by windows, so that a long one is not in memory as a whole.
 */
import { decodeHeader, FRAME_HEADER_BYTES } from "./frame.ts";
import { readAt } from "./read_at.ts";
import type { StorageFile } from "./storage.ts";

/** How much of a segment is read at once. */
const WINDOW_BYTES = 1024 * 1024;

/** The bytes from `offset`, at least one whole frame of them if there is one. */
export function readWindow(file: StorageFile, offset: number, size: number): Uint8Array {
  const window = readAt(file, offset, Math.min(WINDOW_BYTES, size - offset));
  const header = decodeHeader(window, 0);
  if (header === undefined) return window;
  const needed = FRAME_HEADER_BYTES + header.payloadBytes;
  return needed <= window.length ? window : readAt(file, offset, Math.min(needed, size - offset));
}
