/**
 * What takes in a journal as it is read.
 */
import type { SegmentHeader } from "./segment.ts";

/** Is called with what reading meets, in order. */
export interface JournalVisitor {
  /** A segment begins: its records are rows of `schemaVersion`. */
  segment(header: SegmentHeader): void;
  /** A commit's payload; valid during the call only. */
  record(payload: Uint8Array, sequence: number): void;
}
