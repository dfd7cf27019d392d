/**
 * What a ledger's files come to when it shrinks, and while it grows faster than a snapshot is written.
 */
import { assert, assertEquals } from "@std/assert";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { LEDGER_DEFAULTS } from "../../src/ledger/ledger_options.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import type { FileName } from "../../src/storage/storage.ts";
import { until } from "../support/until.ts";
import { addNote, openLedger, readNotes } from "../support/ledgers.ts";
import { thoroughTest } from "../support/thorough.ts";

const MIB = 1024 * 1024;

/** Adds notes of 64 KiB, so many mebibytes of them; resolves to their ids. */
function addMebibytes(ledger: Ledger, mebibytes: number): Promise<number[]> {
  const texts = Array.from({ length: 16 * mebibytes }, () => "x".repeat(64 * 1024));
  return Promise.all(texts.map((text) => addNote(ledger, text)));
}

function removeNotes(ledger: Ledger, ids: readonly number[]): Promise<void> {
  return ledger.write((tx) => {
    for (const id of ids) tx.remove("notes", [id]);
  });
}

Deno.test("a snapshot and an export leave out the room of rows that are gone", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk));
  const follower = await openLedger(new MemoryStorage(disk));
  const ids = await addMebibytes(ledger, 3);
  assert((await ledger.checkpoint()).snapshotBytes > 3 * MIB);
  await removeNotes(ledger, ids.slice(1));
  assert((await ledger.checkpoint()).snapshotBytes < MIB / 4);
  assert((await follower.exportDurable()).bytes.length < MIB / 4);
  const late = await openLedger(new MemoryStorage(disk));
  const next = ids.at(-1)! + 1;
  const added = [
    await addNote(late, "late"),
    await addNote(ledger, "a"),
    await addNote(follower, "b"),
  ];
  assertEquals(added, [next, next + 1, next + 2]);
  for (const each of [ledger, follower, late]) {
    assertEquals((await readNotes(each)).slice(1), ["late", "a", "b"]);
    assertEquals(await each.verify(), []);
  }
  for (const each of [late, follower, ledger]) await each.close();
});

Deno.test("a journal is folded when it is larger than what is there now, however large the last snapshot is", async () => {
  const ledger = await openLedger(new MemoryStorage());
  const ids = await addMebibytes(ledger, 12);
  assert((await ledger.checkpoint()).snapshotBytes > 12 * MIB);
  await removeNotes(ledger, ids);
  await removeNotes(ledger, await addMebibytes(ledger, 5));
  await until(() => ledger.stats().snapshotBytes < MIB, "a small snapshot");
  assert(ledger.stats().journalBytes < MIB);
  await ledger.close();
});

/** A disk on which a snapshot takes until `finish` is called. */
class SlowStorage extends MemoryStorage {
  readonly begun = Promise.withResolvers<void>();
  readonly finish = Promise.withResolvers<void>();

  override async writeFile(name: FileName, chunks: Iterable<Uint8Array>): Promise<void> {
    this.begun.resolve();
    await this.finish.promise;
    await super.writeFile(name, chunks);
  }
}

thoroughTest(
  "writers that are faster than a checkpoint wait for it once the journal is as large as the snapshot",
  async () => {
    const storage = new SlowStorage();
    const ledger = await openLedger(storage);
    await addMebibytes(ledger, 1);
    const checkpoint = ledger.checkpoint();
    await storage.begun.promise;
    let answered = 0;
    const added = Array.from({ length: 30 }, () => addMebibytes(ledger, 1).then(() => answered++));
    await until(() => answered > 0, "the first batch");
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
    const batchBytes = 9 * MIB;
    assert(
      answered < 30 &&
        ledger.stats().journalBytes < LEDGER_DEFAULTS.checkpointMinBytes + batchBytes,
    );
    storage.finish.resolve();
    await checkpoint;
    await Promise.all(added);
    assertEquals((await readNotes(ledger)).length, 31 * 16);
    await ledger.close();
  },
);
