/**
 * A record that was read and is then no longer there: its append was refused, or its fsync failed and the system forgot it.
 * Who has read it builds nothing upon it, and least of all cuts what others have written in its place.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";
import { addNote, openLedger, readNotes } from "../support/ledgers.ts";

/** What is written in the place of a note "lost": with a record as long, longer, shorter. */
const REPLACEMENTS = ["kept", "kept, and longer than what it replaces", "k"];

for (const replacement of REPLACEMENTS) {
  Deno.test(`a refused append that another process has read is forgotten there; in its place stands "${replacement}"`, async () => {
    const disk = new MemoryDisk();
    const faulty = new FaultyStorage(new MemoryStorage(disk));
    const writer = await openLedger(faulty);
    const reader = await openLedger(new MemoryStorage(disk));
    await addNote(writer, "first");
    let seen: Promise<string[]> | undefined;
    faulty.fault = (point) => {
      if (point === "write") return { message: "EIO", part: Infinity };
      if (point === "truncate") seen = readNotes(reader); // in between: processes run side by side
      return undefined;
    };
    await assertRejects(() => addNote(writer, "lost"), StorageError, "EIO");
    faulty.fault = () => undefined;
    assertEquals(await seen, ["first", "lost"]);
    await addNote(writer, replacement);
    assertEquals(await readNotes(reader), ["first", replacement]);
    await addNote(reader, "last");
    const notes = ["first", replacement, "last"];
    assertEquals(await readNotes(writer), notes);
    assertEquals(await notesAfterwards(disk), notes);
    await reader.close();
    await writer.close();
  });

  Deno.test(`a record whose fsync failed is forgotten where it was read; in its place stands "${replacement}"`, async () => {
    const disk = new MemoryDisk();
    const reader = await openLedger(new MemoryStorage(disk));
    await addNote(reader, "first");
    const { seen } = await failToSync(disk, () => readNotes(reader));
    assertEquals(await seen, ["first", "lost"]);
    const other = await openLedger(new MemoryStorage(disk));
    await addNote(other, replacement);
    await addNote(other, "acknowledged too");
    await addNote(reader, "last");
    const notes = ["first", replacement, "acknowledged too", "last"];
    assertEquals(await readNotes(reader), notes);
    assertEquals(await notesAfterwards(disk), notes);
    await other.close();
    await reader.close();
  });
}

Deno.test("what a process wrote and is gone is an error there, not silently undone", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk), { durability: "relaxed" });
  await addNote(ledger, "acknowledged, not durable yet");
  disk.forgetUnsynced("journal-1");
  await assertRejects(() => readNotes(ledger), StorageError, "written here, is gone");
  await assertRejects(() => addNote(ledger, "more"), StorageError, "left it in doubt");
  await assertRejects(() => ledger.close(), StorageError, "left it in doubt");
});

Deno.test("a record that is gone when it would be written once more is not taken for durable", async () => {
  const disk = new MemoryDisk();
  const late = await openLedger(new MemoryStorage(disk));
  await addNote(late, "first");
  const other = await openLedger(new MemoryStorage(disk));
  await other.checkpoint(); // `late` has written nothing in the segment that begins here
  await failToSync(disk, () => readNotes(late), "journal-3");
  await addNote(late, "last");
  assertEquals(await notesAfterwards(disk), ["first", "last"]);
  await other.close();
  await late.close();
});

Deno.test("a record that is gone under a later one is not written once more, and not built upon", async () => {
  const disk = new MemoryDisk();
  const late = await openLedger(new MemoryStorage(disk));
  await addNote(late, "first");
  const other = await openLedger(new MemoryStorage(disk), { durability: "relaxed" });
  await other.checkpoint();
  for (const text of ["lost", "kept, but not reached any more"]) await addNote(other, text);
  assertEquals((await readNotes(late)).length, 3);
  disk.forgetUnsynced("journal-3", 40);
  await addNote(late, "last");
  assertEquals(await notesAfterwards(disk), ["first", "last"]);
  await assertRejects(() => readNotes(other), StorageError, "written here, is gone");
  await assertRejects(() => other.close(), StorageError, "left it in doubt");
  await late.close();
});

for (const look of ["exportDurable", "verify"] as const) {
  Deno.test(`${look}() in a segment that this process has not written in makes durable what it finds there as a write does: by writing it once more`, async () => {
    const disk = new MemoryDisk();
    const faulty = new FaultyStorage(new MemoryStorage(disk));
    const late = await openLedger(faulty);
    await addNote(late, "first");
    const other = await openLedger(new MemoryStorage(disk));
    await other.checkpoint();
    await addNote(other, "second");
    const writesBefore = faulty.count("write");
    await late[look]();
    assert(faulty.count("write") > writesBefore, "nothing was written once more");
    await other.close();
    await late.close();
  });
}

/** A process adds a note "lost", and its fsync fails after another has had its `look`; the system forgets the record. */
async function failToSync<T>(
  disk: MemoryDisk,
  look: () => Promise<T>,
  segment: "journal-1" | "journal-3" = "journal-1",
): Promise<{ readonly seen: Promise<T> }> {
  const faulty = new FaultyStorage(new MemoryStorage(disk));
  const ledger = await openLedger(faulty);
  let seen: Promise<T> | undefined;
  faulty.fault = (point) => {
    if (point !== "sync") return undefined;
    seen = look();
    disk.forgetUnsynced(segment);
    return { message: "EIO" };
  };
  await assertRejects(() => addNote(ledger, "lost"), StorageError, "EIO");
  await ledger.close();
  return { seen: seen! };
}

async function notesAfterwards(disk: MemoryDisk): Promise<string[]> {
  const ledger = await openLedger(new MemoryStorage(disk));
  const notes = await readNotes(ledger);
  await ledger.close();
  return notes;
}
