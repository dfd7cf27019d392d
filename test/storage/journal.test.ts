/**
 * What a journal vouches for.
 */
import { assertEquals } from "@std/assert";
import { Journal } from "../../src/storage/journal.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";

const VISITOR = { segment: (): void => {}, record: (): void => {} };

Deno.test("an fsync vouches for records of others only once they were there under the lock", async () => {
  const disk = new MemoryDisk();
  const [writer, reader] = [openJournal(disk), openJournal(disk)];
  writer.prepareAppend(VISITOR);
  writer.append(new Uint8Array(10));
  writer.append(new Uint8Array(10));
  assertEquals(reader.read(VISITOR), "current");
  await reader.sync();
  assertEquals([reader.sequence, reader.durableSequence], [2, 0]);
  reader.prepareAppend(VISITOR);
  assertEquals([reader.sequence, reader.durableSequence], [2, 2]);
});

function openJournal(disk: MemoryDisk): Journal {
  const identity = { queueId: "ab".repeat(16), schemaVersion: 1 };
  return Journal.open(new MemoryStorage(disk), { sequence: 0, identity, hasSnapshot: false })!;
}
