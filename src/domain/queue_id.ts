/**
 * Queue ids: which queue a file belongs to.
 */

/** A random id: 16 bytes as 32 hexadecimal digits. */
export function newQueueId(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}
