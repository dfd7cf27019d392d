/**
 * Queue ids: which queue a file belongs to.
 */
import { toHex } from "./hex.ts";

/** A random id: 16 bytes as 32 hexadecimal digits. */
export function newQueueId(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)));
}
