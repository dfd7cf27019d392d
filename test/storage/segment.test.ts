/**
 * Segments' headers.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { CorruptionError, StorageError } from "../../src/domain/errors.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { readAt } from "../../src/storage/read_at.ts";
import {
  createSegment,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
} from "../../src/storage/segment.ts";
import type { StorageFile } from "../../src/storage/storage.ts";

Deno.test("a header that is written, with records, while somebody reads it, is none yet and no damage", () => {
  const header = { schemaVersion: 1, queueId: "ab".repeat(16), firstSequence: 3 };
  const whole = createSegment(new MemoryStorage(), header);
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

Deno.test("a segment is begun where a crash has left none or a part, and never over another queue's or over records", () => {
  const header = { schemaVersion: 1, queueId: "ab".repeat(16), firstSequence: 3 };
  const disk = new MemoryDisk();
  const begin = (): StorageFile => createSegment(new MemoryStorage(disk), header);
  const whole = readAt(begin(), 0, SEGMENT_HEADER_BYTES);
  for (const left of [whole.slice(0, 20), new Uint8Array(0), whole]) {
    disk.writeBytes("journal-3", left);
    assertEquals(readAt(begin(), 0, 100), whole);
  }
  disk.writeBytes("journal-3", new Uint8Array(65));
  assertThrows(begin, CorruptionError, "65 bytes that have not been read");
  disk.removeFile("journal-3");
  createSegment(new MemoryStorage(disk), { ...header, queueId: "cd".repeat(16) });
  const strangers = disk.readBytes("journal-3");
  assertThrows(begin, StorageError, `a file of queue ${"cd".repeat(16)} stands there`);
  assertEquals(disk.readBytes("journal-3"), strangers);
});
