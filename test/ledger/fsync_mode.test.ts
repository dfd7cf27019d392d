/**
 * When an fsync may hold up the thread: not while others want something.
 */
import { assert, assertEquals } from "@std/assert";
import { Ledger } from "../../src/ledger/ledger.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import type { FileName, StorageFile } from "../../src/storage/storage.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { addNote, NOTES } from "../support/ledgers.ts";

/** Notes for each fsync of the journal whether it might have held up the thread; during one that does not, others come in. */
class WatchedStorage extends MemoryStorage {
  readonly manners: boolean[] = [];
  whileSyncing: () => void = () => {};

  override createFile(name: FileName): StorageFile {
    const file = super.createFile(name);
    const sync = file.sync.bind(file);
    file.sync = (mayBlock = false) => {
      this.manners.push(mayBlock);
      if (!mayBlock) this.whileSyncing();
      return sync();
    };
    return file;
  }
}

async function withLedger(
  test: (ledger: Ledger, storage: WatchedStorage) => Promise<void>,
): Promise<void> {
  const storage = new WatchedStorage();
  const ledger = await Ledger.open({
    storage,
    engine: await loadSqlJsEngine(),
    schema: NOTES,
    clock: new FakeClock(),
    newQueueId: () => "0f".repeat(16),
    onBackgroundError: (error) => {
      throw error;
    },
  });
  storage.manners.length = 0;
  await test(ledger, storage);
  await ledger.close();
}

Deno.test("one caller's fsyncs may hold up the thread, but now and then one lets others in, ever more seldom", async () => {
  await withLedger(async (ledger, storage) => {
    const before = storage.manners.length;
    for (let i = 0; i < 200; i++) await addNote(ledger, "note");
    assertEquals(storage.manners.length, before + 200);
    const free = storage.manners.flatMap((mayBlock, i) => mayBlock ? [] : [i]);
    const gaps = free.slice(1).map((at, i) => at - free[i]! - 1);
    assertEquals(gaps, [1, 2, 4, 8, 16, 32, 32, 32, 32]);
  });
});

Deno.test("an fsync during which several callers came lets others in from then on, until none come", async () => {
  await withLedger(async (ledger, storage) => {
    const others: Promise<number>[] = [];
    let left = 40;
    storage.whileSyncing = () => {
      for (let i = 0; i < 4 && left > 0; i++, left--) others.push(addNote(ledger, "another's"));
    };
    await addNote(ledger, "first");
    for (let round = 0; round < 20; round++) await Promise.all(others);
    assertEquals(left, 0);
    const crowded = storage.manners.length;
    assert(storage.manners.every((mayBlock) => !mayBlock), `${storage.manners}`);
    assertEquals(crowded, 11);
    await addNote(ledger, "alone again");
    await addNote(ledger, "alone again");
    await addNote(ledger, "alone again");
    assertEquals(storage.manners.slice(crowded), [true, false, true]);
  });
});
