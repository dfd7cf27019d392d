/**
 * Segments' headers.
 */
import { assertEquals } from "@std/assert";
import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import { createSegment, readSegmentHeader } from "../../src/storage/segment.ts";
import type { StorageFile } from "../../src/storage/storage.ts";

Deno.test("a header that is written, with records, while somebody reads it, is none yet and no damage", async () => {
  const header = { schemaVersion: 1, queueId: "ab".repeat(16), firstSequence: 3 };
  const whole = await createSegment(new MemoryStorage(), header);
  whole.write(whole.size(), new Uint8Array(100));
  let isWritten = false;
  const file: StorageFile = {
    ...whole,
    path: whole.path,
    size: () => isWritten ? whole.size() : 0,
    read: (offset, into) => {
      if (isWritten) return whole.read(offset, into);
      isWritten = true; // by another process, while this read found the file empty
      return 0;
    },
  };
  assertEquals(readSegmentHeader(file, 3), undefined);
  assertEquals(readSegmentHeader(file, 3), header);
});
