/**
 * What is cut off the journal stays cut: a power cut that forgets an unsynced truncation brings back nothing.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import type { FileName } from "../../src/storage/storage.ts";
import { settle } from "../support/fake_clock.ts";
import { type Fault, type FaultPoint, FaultyStorage } from "../support/faulty_storage.ts";
import { addNote, openLedger, readNotes } from "../support/ledgers.ts";

const SEGMENT: FileName = "journal-1";

/** A process on a disk whose power cuts keep every write and forget every truncation since the last fsync. */
class ForgetfulProcess {
  readonly storage: FaultyStorage;
  /** Lets a call fail. */
  fault: (point: FaultPoint) => Fault | undefined = () => undefined;
  readonly #memory: MemoryStorage;
  readonly #disk: MemoryDisk;
  /** What stood there before a truncation that is not durable yet. */
  #uncut: Uint8Array | undefined;

  constructor(disk: MemoryDisk) {
    this.#disk = disk;
    this.#memory = new MemoryStorage(disk);
    this.storage = new FaultyStorage(this.#memory);
    this.storage.fault = (point) => {
      if (point === "truncate") this.#uncut = this.#overlaid();
      return this.fault(point);
    };
    this.storage.beforeSyncNow = () => this.#uncut = undefined;
    this.storage.beforeSync = () => {
      this.#uncut = undefined;
      return Promise.resolve();
    };
  }

  cutPower(): void {
    this.#memory.kill();
    this.#disk.writeBytes(SEGMENT, this.#overlaid());
  }

  #overlaid(): Uint8Array {
    const now = this.#disk.readBytes(SEGMENT)!;
    const before = this.#uncut ?? now;
    return new Uint8Array([...now, ...before.subarray(now.length)]);
  }
}

Deno.test("a note whose append wrote all its bytes, failed and was refused does not come back after a power cut", async () => {
  const disk = new MemoryDisk();
  const process = new ForgetfulProcess(disk);
  const ledger = await openLedger(process.storage);
  await addNote(ledger, "kept");
  process.fault = wholeWriteFails;
  await assertRejects(() => addNote(ledger, "refused"), StorageError, "EIO");
  process.cutPower();
  assertEquals(await notesAfterwards(disk), ["kept"]);
});

Deno.test("a note whose append wrote all its bytes comes back when power is cut before its refusal is told", async () => {
  const disk = new MemoryDisk();
  const process = new ForgetfulProcess(disk);
  const ledger = await openLedger(process.storage);
  await addNote(ledger, "kept");
  process.fault = wholeWriteFails;
  process.storage.beforeSync = () => new Promise(() => {});
  let isTold = false;
  addNote(ledger, "in doubt").catch(() => isTold = true);
  await settle();
  assert(!isTold, "a refusal was told before it was durable");
  process.cutPower();
  assertEquals(await notesAfterwards(disk), ["kept", "in doubt"]);
});

Deno.test("a refusal whose undoing cannot be made durable is told as in doubt, and ends the ledger", async () => {
  const storage = new FaultyStorage(new MemoryStorage());
  const ledger = await openLedger(storage);
  await addNote(ledger, "kept");
  storage.fault = (point) =>
    point === "sync" ? { message: "EIO of the fsync" } : wholeWriteFails(point);
  const error = await assertRejects(
    () => addNote(ledger, "in doubt"),
    StorageError,
    "of the fsync",
  );
  assertEquals(error.operation, "sync");
  storage.fault = () => undefined;
  await assertRejects(() => addNote(ledger, "no"), StorageError, "open it again");
  await ledger.close();
});

Deno.test("a torn tail that was cut stays cut when power goes during the first append behind it", async () => {
  const { disk, keptBytes } = await diskWithLostRecord();
  const process = new ForgetfulProcess(disk);
  const ledger = await openLedger(process.storage);
  assertEquals([await readNotes(ledger), ledger.stats().tornTails], [["kept"], 1]);
  assertEquals(disk.readBytes(SEGMENT)!.length, keptBytes);
  process.storage.beforeSync = () => new Promise(() => {});
  ledger.write((tx) => tx.insert("notes", { text: "lose" }))
    .catch(() => {});
  await settle();
  process.cutPower();
  assertEquals(await notesAfterwards(disk), ["kept", "lose"]);
});

/** A journal in which an unsynced record was lost under a later one, which is whole, as a power cut may leave it. */
async function diskWithLostRecord(): Promise<{ disk: MemoryDisk; keptBytes: number }> {
  const disk = new MemoryDisk();
  const storages = [1, 2].map(() => new FaultyStorage(new MemoryStorage(disk)));
  const [first, second] = await Promise.all(storages.map((storage) => openLedger(storage)));
  await addNote(first!, "kept");
  const keptBytes = disk.readBytes(SEGMENT)!.length;
  for (const storage of storages) {
    storage.fault = (point) => point === "sync" ? { message: "EIO" } : undefined;
  }
  await assertRejects(() => addNote(first!, "lost"), StorageError);
  const lostBytes = disk.readBytes(SEGMENT)!.length;
  await assertRejects(() => addNote(second!, "kept by chance"), StorageError);
  const bytes = disk.readBytes(SEGMENT)!;
  bytes.fill(0, keptBytes, lostBytes);
  await closeAll([first!, second!]);
  disk.writeBytes(SEGMENT, bytes);
  return { disk, keptBytes };
}

function wholeWriteFails(point: FaultPoint): Fault | undefined {
  return point === "write" ? { message: "EIO", part: Infinity } : undefined;
}

async function notesAfterwards(disk: MemoryDisk): Promise<string[]> {
  const ledger = await openLedger(new MemoryStorage(disk));
  const notes = await readNotes(ledger);
  await ledger.close();
  return notes;
}

async function closeAll(ledgers: readonly Ledger[]): Promise<void> {
  for (const ledger of ledgers) await ledger.close();
}
