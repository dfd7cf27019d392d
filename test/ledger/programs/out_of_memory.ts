/**
 * A thread whose SQLite gets 6 MB: what a writer and a follower say when memory runs out. The limit of an engine cannot be
 * raised again, and a thread has an engine of its own.
 */
import { StorageError } from "../../../src/domain/errors.ts";
import { MemoryDisk, MemoryStorage } from "../../../src/storage/memory_storage.ts";
import { addNote, openLedger, readNotes } from "../../support/ledgers.ts";

/** How a call ended: what it gave, or the operation of its `StorageError`, or any other error. */
async function outcomeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return error instanceof StorageError ? `${error.name}: ${error.operation}` : String(error);
  }
}

const disk = new MemoryDisk();
const [writer, follower] = [
  await openLedger(new MemoryStorage(disk)),
  await openLedger(new MemoryStorage(disk)),
];
await writer.write((tx) => tx.read("PRAGMA hard_heap_limit = 6000000"));
for (let n = 0; n < 32; n++) await addNote(writer, "x".repeat(100_000));
const outcomes = [
  await outcomeOf(async () => (await readNotes(follower)).length),
  await outcomeOf(() => addNote(follower, "after")),
  await outcomeOf(() => addNote(writer, "x".repeat(4_000_000))),
  await outcomeOf(() => addNote(writer, "after")),
];
(self as unknown as Pick<Worker, "postMessage">).postMessage({
  outcomes,
  sequence: writer.stats().sequence,
});
