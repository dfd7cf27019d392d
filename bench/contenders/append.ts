/**
 * The floor: a file that grows by as many bytes as Holdfast's journal does for a task, and an fsync after each. It keeps no
 * order, no state and no index, so nothing can be claimed of it.
 */
import type { Contender } from "./contender.ts";

/** Its name. */
export const APPEND_NAME = "append + syncDataSync";

/** What one enqueued task of the bench adds to the journal. */
const RECORD_BYTES = 365;

/** A file at `path`. */
export function append(path: string): Contender {
  const file = Deno.openSync(path, { create: true, write: true, append: true });
  let syncs = 0;
  const write = (count: number): Promise<void> => {
    file.writeSync(new Uint8Array(RECORD_BYTES * count).fill(65));
    file.syncDataSync();
    syncs++;
    return Promise.resolve();
  };
  return {
    name: APPEND_NAME,
    survives: "power cut",
    enqueue: () => write(1),
    enqueueBatch: write,
    syncs: () => Promise.resolve(syncs),
    close: () => Promise.resolve(file.close()),
  };
}
