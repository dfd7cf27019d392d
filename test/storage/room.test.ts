/**
 * The room behind a journal's last record: zeros that later records are written over, and that are never taken for damage.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { CorruptionError, StorageError } from "../../src/domain/errors.ts";
import { Journal } from "../../src/storage/journal.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { isRoom } from "../../src/storage/room.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/storage/segment.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";

const VISITOR = { segment: (): void => {}, record: (): void => {} };
const NAME = "journal-1";

Deno.test("records are written over the room that one of them has brought, and the file does not grow", () => {
  const { disk, journal } = newJournal();
  append(journal, 100);
  const bytes = disk.readBytes(NAME)!.length;
  assert(bytes > SEGMENT_HEADER_BYTES + journal.segmentBytes + 100);
  let appended = 0;
  for (; disk.readBytes(NAME)!.length === bytes; appended++) append(journal, 100);
  assert(appended > 10, `${appended} records`);
  assertEquals(sequenceOf(disk), appended + 1);
});

Deno.test("a process that has not brought the room writes into it, too", () => {
  const { disk, journal } = newJournal();
  append(journal, 100);
  const bytes = disk.readBytes(NAME)!.length;
  append(open(disk), 100);
  assertEquals([disk.readBytes(NAME)!.length, sequenceOf(disk)], [bytes, 2]);
});

Deno.test("a record longer than the most room brings none", () => {
  const { disk, journal } = newJournal();
  append(journal, 100_000);
  assertEquals(disk.readBytes(NAME)!.length, SEGMENT_HEADER_BYTES + journal.segmentBytes);
});

Deno.test("what a torn write has left in the room is cut", () => {
  const { disk, journal } = newJournal();
  append(journal, 100);
  const [bytes, end] = [disk.readBytes(NAME)!, SEGMENT_HEADER_BYTES + journal.segmentBytes];
  bytes[end + 3000] = 1;
  disk.writeBytes(NAME, bytes);
  const next = open(disk);
  assertEquals(next.prepareAppend(VISITOR), { isReady: true, cutBytes: bytes.length - end });
  assertEquals(disk.readBytes(NAME)!.length, end);
});

Deno.test("a record in the room that a power cut has kept without the one before it is cut, and does not come back", () => {
  const { disk, journal } = newJournal();
  append(journal, 100);
  const from = SEGMENT_HEADER_BYTES + journal.segmentBytes;
  append(journal, 100);
  const to = SEGMENT_HEADER_BYTES + journal.segmentBytes;
  append(journal, 100);
  disk.writeBytes(NAME, disk.readBytes(NAME)!.fill(0, from, to));
  const next = open(disk);
  assertEquals(next.sequence, 1);
  next.prepareAppend(VISITOR);
  next.append(new Uint8Array(100));
  assertEquals(sequenceOf(disk), 2);
});

Deno.test("zeros in the place of a record that later ones say was durable are damage", async () => {
  const { disk, journal } = newJournal();
  append(journal, 100);
  const from = SEGMENT_HEADER_BYTES + journal.segmentBytes;
  append(journal, 100);
  const to = SEGMENT_HEADER_BYTES + journal.segmentBytes;
  await journal.sync();
  append(journal, 100);
  disk.writeBytes(NAME, disk.readBytes(NAME)!.fill(0, from, to));
  const error = assertThrows(() => open(disk).prepareAppend(VISITOR), CorruptionError);
  assertEquals(error.offset, from);
});

Deno.test("an older state of the file, as long as the newer one, is noticed by who has read further", async () => {
  const { disk, journal } = newJournal();
  append(journal, 100);
  const older = disk.readBytes(NAME)!;
  append(journal, 100);
  await journal.sync();
  const reader = open(disk);
  assertEquals([reader.sequence, reader.mayHaveMore], [2, false]);
  const bytes = disk.readBytes(NAME)!;
  assertEquals(bytes.length, older.length);
  disk.find(NAME)!.bytes.set(older);
  assert(reader.mayHaveMore);
});

Deno.test("an append needs no preparation only while the end is as this process left it", () => {
  const { disk, journal } = newJournal();
  assertEquals(journal.isReadyForAppend(), false, "before the first record");
  append(journal, 101);
  assertEquals(journal.isReadyForAppend(), true);
  const end = SEGMENT_HEADER_BYTES + journal.segmentBytes;
  const whole = disk.readBytes(NAME)!;
  const changes: Record<string, Uint8Array> = {
    "another record in its place": whole.slice().fill(9, end - 105, end - 101),
    "something right behind it": whole.slice().fill(1, end, end + 1),
    "something at the end of the room": whole.slice().fill(1, -1),
    "a part of it missing": whole.slice(0, end - 1),
    "more than room behind it": new Uint8Array([...whole, ...new Uint8Array(300_000), 1]),
  };
  for (const [name, changed] of Object.entries(changes)) {
    setBytes(disk, changed);
    assertEquals(journal.isReadyForAppend(), false, name);
    setBytes(disk, whole);
    assertEquals(journal.isReadyForAppend(), true);
  }
});

Deno.test("an append behind a long record is prepared for more than room, also where its first part is zeros", () => {
  const { disk, journal } = newJournal();
  append(journal, 100_000);
  const whole = disk.readBytes(NAME)!;
  assertEquals(journal.isReadyForAppend(), true);
  setBytes(disk, new Uint8Array([...whole, ...new Uint8Array(100_000), 1]));
  assertEquals(journal.isReadyForAppend(), false);
});

Deno.test("an append is prepared for what others have left, and for a cut that is not durable", async () => {
  const { disk, journal } = newJournal();
  append(journal, 100);
  const other = open(disk);
  assertEquals(other.isReadyForAppend(), false, "what it found is not secured");
  append(other, 100);
  assertEquals([other.isReadyForAppend(), journal.isReadyForAppend()], [true, false]);
  await other.sync();
  const storage = new FaultyStorage(new MemoryStorage(disk));
  const failing = open(disk, storage);
  append(failing, 100);
  storage.fault = (point) => point === "write" ? { message: "EIO" } : undefined;
  assertThrows(() => failing.append(new Uint8Array(10)), StorageError);
  storage.fault = () => undefined;
  assertEquals(failing.isReadyForAppend(), false, "a cut");
  assert(failing.prepareAppend(VISITOR).isReady);
  assertEquals(failing.isReadyForAppend(), true);
});

Deno.test("room is zeros only, wherever they stand, and not more than a record brings", () => {
  for (const length of [0, 1, 3, 4, 5, 63, 16_384, 65_536]) {
    for (const from of [0, 1, 2, 3]) {
      const bytes = new Uint8Array(length + from).subarray(from);
      assertEquals(isRoom(bytes), true, `${length} from ${from}`);
      for (const at of [0, Math.floor(length / 2), length - 1]) {
        if (at < 0 || at >= length) continue;
        bytes[at] = 1;
        assertEquals(isRoom(bytes), false, `${length} from ${from}, ${at}`);
        bytes[at] = 0;
      }
    }
  }
  assertEquals(isRoom(new Uint8Array(65_537)), false);
});

function newJournal(): { readonly disk: MemoryDisk; readonly journal: Journal } {
  const disk = new MemoryDisk();
  return { disk, journal: open(disk) };
}

/** A journal that has read everything. */
function open(disk: MemoryDisk, storage: Storage = new MemoryStorage(disk)): Journal {
  const identity = { queueId: "ab".repeat(16), schemaVersion: 1 };
  const journal = Journal.open(storage, {
    sequence: 0,
    identity,
    hasSnapshot: false,
    keepsRoom: true,
  })!;
  assertEquals(journal.read(VISITOR), "current");
  return journal;
}

function append(journal: Journal, bytes: number): void {
  assert(journal.prepareAppend(VISITOR).isReady);
  journal.append(new Uint8Array(bytes).fill(7));
}

/** The last record that a new reader finds. */
function sequenceOf(disk: MemoryDisk): number {
  return open(disk).sequence;
}

/** What the open file has from now on. */
function setBytes(disk: MemoryDisk, bytes: Uint8Array): void {
  Object.assign(disk.find(NAME)!, { bytes: bytes.slice(), size: bytes.length });
}
