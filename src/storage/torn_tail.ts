/**
 * Torn tail or damage: what the bytes behind the last whole frame prove.
 */
import { decodeFrame, findFrameStart } from "./frame.ts";

/**
 * Whether a whole frame in `tail` says that record `sequence`, the damaged one, was durable. Without such a frame, every
 * record from there on was still unsynced, and a power cut may have kept a later one and not an earlier.
 */
export function provesDurable(tail: Uint8Array, sequence: number): boolean {
  for (let at = findFrameStart(tail, 0); at >= 0; at = findFrameStart(tail, at + 1)) {
    const frame = decodeFrame(tail, at);
    if (frame !== undefined && frame.sequence > sequence && frame.durableSequence >= sequence) {
      return true;
    }
  }
  return false;
}
