/**
 * Every byte of a small journal flipped, and every length it can be cut to.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CorruptionError, StorageError } from "../../src/domain/errors.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { encodeFrame } from "../../src/storage/frame.ts";
import { crc32 } from "../../src/storage/crc32.ts";
import { TAIL_BYTES } from "../../src/storage/footer.ts";
import { SEGMENT_HEADER_BYTES, segmentName } from "../../src/storage/segment.ts";
import type { FileName } from "../../src/storage/storage.ts";
import { addNote, openLedger, readNotes } from "../support/ledgers.ts";

const TEXTS = ["one", "two", "three", "four"];

Deno.test("a journal cut at any byte recovers exactly the whole records before the cut", async () => {
  const { bytes, ends } = await journalOf(TEXTS);
  for (let length = 0; length <= bytes.length; length++) {
    const disk = diskWith("journal-1", bytes.subarray(0, length));
    const whole = ends.filter((end) => end <= length).length;
    assertEquals(await notesOn(disk), TEXTS.slice(0, whole), `cut to ${length} bytes`);
  }
  console.log(`a small journal: cut to each of ${bytes.length + 1} lengths`);
});

Deno.test("a journal with any bit of any byte flipped recovers a prefix, or is refused and left as it is", async () => {
  const { bytes, ends } = await journalOf(TEXTS);
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [0, 3, 7]) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << bit;
      const disk = diskWith("journal-1", damaged);
      const before = ends.filter((end) => end <= at).length;
      const isLast = before === TEXTS.length - 1;
      if (at >= SEGMENT_HEADER_BYTES && isLast) {
        assertEquals(await notesOn(disk), TEXTS.slice(0, before), `byte ${at}`);
        continue;
      }
      const error = await assertRejects(() => notesOn(disk), CorruptionError);
      assert(error.offset <= at, `damage at ${at} is reported at ${error.offset}`);
      assertEquals(disk.readBytes("journal-1"), damaged, "nothing is overwritten");
      refused++;
    }
  }
  assertEquals(refused, 3 * ends.at(-2)!);
  console.log(`a small journal: ${3 * bytes.length} flips, ${refused} of them refused`);
});

Deno.test("damage among the records of processes that wrote one each is not a torn tail", async () => {
  const disk = new MemoryDisk();
  for (const text of TEXTS) {
    const storage = new MemoryStorage(disk);
    await addNote(await openLedger(storage), text);
    storage.kill();
  }
  const damaged = disk.readBytes("journal-1")!;
  damaged[SEGMENT_HEADER_BYTES + 20]! ^= 1;
  disk.writeBytes("journal-1", damaged);
  assertEquals(
    (await assertRejects(() => notesOn(disk), CorruptionError)).offset,
    SEGMENT_HEADER_BYTES,
  );
  assertEquals(disk.readBytes("journal-1"), damaged);
});

Deno.test("a journal with bytes duplicated anywhere recovers a prefix, or is refused", async () => {
  const { bytes } = await journalOf(TEXTS);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = new Uint8Array([...bytes.subarray(0, at + 1), ...bytes.subarray(at)]);
    const disk = diskWith("journal-1", damaged);
    let notes: string[] | undefined;
    try {
      notes = await notesOn(disk);
    } catch (error) {
      assert(error instanceof CorruptionError, `byte ${at}: ${error}`);
    }
    if (notes !== undefined) assertEquals(notes, TEXTS.slice(0, notes.length), `byte ${at}`);
  }
  console.log(`a small journal: each of its ${bytes.length} bytes duplicated`);
});

Deno.test("a whole record that stands twice, is left out or has changed places is refused", async () => {
  const { bytes, ends } = await journalOf(TEXTS);
  const starts = [SEGMENT_HEADER_BYTES, ...ends];
  const record = (nth: number): Uint8Array => bytes.subarray(starts[nth], starts[nth + 1]);
  const header = bytes.subarray(0, SEGMENT_HEADER_BYTES);
  for (const order of [[0, 0, 1, 2, 3], [0, 1, 2, 3, 3], [0, 2, 3], [1, 2, 3], [0, 2, 1, 3]]) {
    const damaged = new Uint8Array([...header, ...order.flatMap((nth) => [...record(nth)])]);
    const disk = diskWith("journal-1", damaged);
    await assertRejects(() => notesOn(disk), CorruptionError, "stands where");
    assertEquals(disk.readBytes("journal-1"), damaged, "nothing is overwritten");
  }
});

Deno.test("a whole record that is none of this ledger's is refused with its place, and changes nothing", async () => {
  const { bytes, ends } = await journalOf(TEXTS);
  const payloads = {
    [`there is no table "nowhere"`]: `[["notes",[5,"five"]],["nowhere",[1]]]`,
    "has 3 columns, 2 are known": `[["notes",[5,"five","six"]]]`,
    "NOT NULL": `[["notes",[5,null]]]`,
    "JSON": "five",
  };
  for (const [reason, text] of Object.entries(payloads)) {
    const payload = new TextEncoder().encode(text);
    const record = encodeFrame({ kind: "commit", sequence: 5, durableSequence: 4, payload });
    const disk = diskWith("journal-1", new Uint8Array([...bytes, ...record]));
    const error = await assertRejects(() => notesOn(disk), CorruptionError, "record 5");
    assertEquals([error.offset, error.message.includes(reason)], [ends.at(-1), true], text);
    assertEquals(disk.readBytes("journal-1")!.length, bytes.length + record.length);
  }
});

Deno.test("a snapshot with a byte flipped, or cut, is refused", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk));
  for (const text of TEXTS) await addNote(ledger, text);
  await ledger.checkpoint();
  await ledger.close();
  const bytes = disk.readBytes("snapshot")!;
  for (let at = 0; at < bytes.length; at += 97) {
    const flipped = bytes.slice();
    flipped[at]! ^= 0x55;
    for (const damaged of [flipped, bytes.subarray(0, at)]) {
      disk.writeBytes("snapshot", damaged);
      const error = await assertRejects(() => notesOn(disk), StorageError);
      const isVouchedFor = damaged === flipped && at < bytes.length - TAIL_BYTES;
      if (isVouchedFor) assertStringIncludes(error.message, "does not match its checksum");
      assertEquals(disk.readBytes("snapshot"), damaged, "nothing is overwritten");
    }
  }
});

Deno.test("a journal of another queue, a gap and a missing journal's successor are refused", async () => {
  const one = await checkpointedDisk();
  const other = await checkpointedDisk();
  const name = one.list().find((file) => file.startsWith("journal-"))!;
  one.writeBytes(name, other.readBytes(name)!);
  assertEquals((await assertRejects(() => notesOn(one), CorruptionError)).offset, 16);

  const gap = await checkpointedDisk();
  gap.removeFile("snapshot");
  await assertRejects(() => notesOn(gap), CorruptionError, "missing");
});

Deno.test("a journal that ends before its snapshot is refused: what would be appended is nowhere read", async () => {
  const { bytes, ends } = await journalOf(TEXTS);
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk));
  for (const text of TEXTS) await addNote(ledger, text);
  await ledger.checkpoint();
  await ledger.close();
  const identity = disk.readBytes(segmentName(TEXTS.length + 2))!.subarray(0, SEGMENT_HEADER_BYTES);
  disk.removeFile(segmentName(TEXTS.length + 2));
  const older = bytes.slice(0, ends[1]);
  older.set(headerOf(identity, 1));
  disk.writeBytes("journal-1", older);
  const error = await assertRejects(() => notesOn(disk), CorruptionError);
  assert(error.message.includes("ends with record 2, the snapshot includes 5"), error.message);
  assertEquals(disk.readBytes("journal-1"), older, "nothing is overwritten");
});

/** The header of a segment of the same queue that begins with another record. */
function headerOf(header: Uint8Array, firstSequence: number): Uint8Array {
  const bytes = header.slice();
  const view = new DataView(bytes.buffer);
  view.setBigUint64(32, BigInt(firstSequence));
  view.setUint32(60, crc32(bytes.subarray(0, 60)));
  return bytes;
}

/** A journal with one record for each text, each written when the one before was durable, and where each ends. */
async function journalOf(texts: readonly string[]): Promise<{ bytes: Uint8Array; ends: number[] }> {
  const disk = new MemoryDisk();
  const storage = new MemoryStorage(disk);
  const ledger = await openLedger(storage);
  const ends: number[] = [];
  for (const text of texts) {
    await addNote(ledger, text);
    ends.push(disk.readBytes("journal-1")!.length);
  }
  const bytes = disk.readBytes("journal-1")!;
  await ledger.close();
  return { bytes, ends };
}

async function checkpointedDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk));
  await addNote(ledger, "folded");
  await ledger.checkpoint();
  await addNote(ledger, "later");
  await ledger.close();
  return disk;
}

function diskWith(name: FileName, bytes: Uint8Array): MemoryDisk {
  const disk = new MemoryDisk();
  disk.writeBytes(name, bytes);
  return disk;
}

async function notesOn(disk: MemoryDisk): Promise<string[]> {
  const ledger = await openLedger(new MemoryStorage(disk));
  try {
    return await readNotes(ledger);
  } finally {
    await ledger.close();
  }
}
