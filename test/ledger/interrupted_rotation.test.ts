/**
 * A rotation that fails half-way leaves another process to finish it; nobody's records are lost by that.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";
import { addNote, openLedger, readNotes } from "../support/ledgers.ts";

Deno.test("who could not begin the next segment finds the one that another began since, when its own is deleted", async () => {
  const disk = new MemoryDisk();
  const faulty = new FaultyStorage(new MemoryStorage(disk));
  const one = await openLedger(faulty);
  const other = await openLedger(new MemoryStorage(disk));
  await addNote(one, "before");
  faulty.fault = (point) => point === "create" ? { message: "EIO" } : undefined;
  await assertRejects(() => one.checkpoint(), StorageError, "EIO");
  faulty.fault = () => undefined;
  await other.checkpoint();
  assertEquals(await addNote(other, "acknowledged"), 2);
  assertEquals(await addNote(one, "after"), 3);
  const notes = ["before", "acknowledged", "after"];
  assertEquals(await readNotes(one), notes);
  assertEquals(await readNotes(other), notes);
  await one.close();
  await other.close();
  const again = await openLedger(new MemoryStorage(disk));
  assertEquals(await readNotes(again), notes);
  await again.close();
});

Deno.test("who finds a seal that its writer did not live to make durable does so before it begins the next segment", async () => {
  const disk = new MemoryDisk();
  const storage = new FaultyStorage(new MemoryStorage(disk));
  const ledger = await openLedger(storage);
  await addNote(ledger, "first");
  await dieSealing(disk);
  assertEquals(await callsOf(storage, () => addNote(ledger, "second"), 2), [
    "sync memory/journal-1",
    "create journal-3",
  ]);
  await ledger.close();
});

Deno.test("who has written nothing in a sealed segment writes once more what nobody says is durable before it begins the next", async () => {
  const disk = new MemoryDisk();
  const storage = new FaultyStorage(new MemoryStorage(disk));
  const late = await openLedger(storage);
  await addNote(late, "first");
  await dieSealing(disk, async (sealing) => {
    await sealing.checkpoint();
    await addNote(sealing, "second");
  });
  assertEquals(await callsOf(storage, () => addNote(late, "third"), 3), [
    "write memory/journal-3",
    "sync memory/journal-3",
    "create journal-5",
  ]);
  await late.close();
});

/** A process does its work, seals the segment, and dies before the seal is durable. */
async function dieSealing(
  disk: MemoryDisk,
  work: (ledger: Ledger) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const mortal = new MemoryStorage(disk);
  const faulty = new FaultyStorage(mortal);
  const ledger = await openLedger(faulty);
  await work(ledger);
  faulty.fault = (point) => {
    if (point !== "sync") return undefined;
    mortal.kill();
    return { message: "killed" };
  };
  await assertRejects(() => ledger.checkpoint(), StorageError);
}

/** The first calls that `work` makes to a storage. */
async function callsOf(
  storage: FaultyStorage,
  work: () => Promise<unknown>,
  count: number,
): Promise<string[]> {
  const calls: string[] = [];
  storage.fault = (point, name) => void calls.push(`${point} ${name}`);
  await work();
  return calls.slice(0, count);
}

Deno.test("closing says so when what relaxed durability acknowledged could not be made durable", async () => {
  const faulty = new FaultyStorage(new MemoryStorage());
  const ledger = await openLedger(faulty, { durability: "relaxed", onBackgroundError: () => {} });
  await addNote(ledger, "acknowledged");
  faulty.fault = (point) => point === "sync" ? { message: "EIO" } : undefined;
  await assertRejects(() => ledger.flush(), StorageError, "EIO");
  await assertRejects(() => ledger.close(), StorageError, "left it in doubt");
  assertEquals(faulty.openFiles, 0);
});
