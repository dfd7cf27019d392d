import { assert, assertEquals, assertRejects } from "@std/assert";
import { CorruptionError, QueueError, StorageError } from "../../src/domain/errors.ts";
import type { Change } from "../../src/ledger/change.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { LEDGER_DEFAULTS } from "../../src/ledger/ledger_options.ts";
import { LOOKOUT_TIMES } from "../../src/ledger/lookout.ts";
import type { Schema } from "../../src/ledger/schema.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";
import { addNote, NOTES, openLedger, readNotes } from "../support/ledgers.ts";
import { thoroughTest } from "../support/thorough.ts";

/** More than there are storage calls in the scenario whose process is killed at each. */
const KILLS_MAX = 200;

Deno.test("write() resolves when the note survives a power cut", async () => {
  const disk = new MemoryDisk();
  const storage = new MemoryStorage(disk);
  const ledger = await openLedger(storage);
  await addNote(ledger, "kept");
  const unacknowledged = assertRejects(() => addNote(ledger, "perhaps"), StorageError);
  storage.kill();
  disk.cutPower();
  await unacknowledged;
  await ledger.close();
  const again = await openLedger(new MemoryStorage(disk));
  assertEquals(await readNotes(again), ["kept"]);
  await again.close();
});

Deno.test("relaxed durability acknowledges before the fsync, which follows within its bound", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const storage = new FaultyStorage(new MemoryStorage(disk));
  const ledger = await openLedger(storage, { clock, durability: "relaxed" });
  const before = storage.count("sync");
  await addNote(ledger, "soon durable");
  assertEquals(storage.count("sync"), before);
  await clock.advance(LEDGER_DEFAULTS.relaxedSyncMs);
  assertEquals(storage.count("sync"), before + 1);
  await addNote(ledger, "flushed");
  await ledger.flush();
  assertEquals(storage.count("sync"), before + 2);
  await ledger.close();
});

Deno.test("relaxed durability keeps its bound while a write waits for a suspended process", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const storage = new FaultyStorage(new MemoryStorage(disk));
  const ledger = await openLedger(storage, { durability: "relaxed", clock });
  const suspended = new MemoryStorage(disk);
  await addNote(ledger, "acknowledged");
  const syncsBefore = storage.count("sync");
  const lock = suspended.tryLock("commit")!;
  const waiting = addNote(ledger, "waits");
  await settle();
  await clock.advance(50);
  assertEquals(storage.count("sync") - syncsBefore, 1);
  lock.release();
  assertEquals(await waiting, 2);
  await ledger.close();
});

Deno.test("operations that wait together share one append and one fsync", async () => {
  const storage = new FaultyStorage(new MemoryStorage());
  const ledger = await openLedger(storage);
  const [writes, syncs] = [storage.count("write"), storage.count("sync")];
  await Promise.all(Array.from({ length: 100 }, (_, i) => addNote(ledger, `note ${i}`)));
  assertEquals([storage.count("write") - writes, storage.count("sync") - syncs], [1, 1]);
  await ledger.close();
});

thoroughTest(
  "operations of many megabytes that wait together are shared out over several records",
  async () => {
    const disk = new MemoryDisk();
    const ledger = await openLedger(new MemoryStorage(disk));
    const before = ledger.stats().commits;
    const texts = ["a", "b", "c"].map((letter) => letter.repeat(5 * 1024 * 1024));
    assertEquals(await Promise.all(texts.map((text) => addNote(ledger, text))), [1, 2, 3]);
    assertEquals(ledger.stats().commits - before, 2);
    await ledger.close();
    const again = await openLedger(new MemoryStorage(disk));
    assertEquals((await readNotes(again)).map((text) => text[0]), ["a", "b", "c"]);
    await again.close();
  },
);

Deno.test("an operation that throws undoes its own changes and nobody else's", async () => {
  const ledger = await openLedger(new MemoryStorage());
  const refused = ledger.write((tx) => {
    tx.insert("notes", { text: "gone" });
    throw new QueueError("task_not_found", "no");
  });
  const results = await Promise.allSettled([addNote(ledger, "a"), refused, addNote(ledger, "b")]);
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assertEquals(await readNotes(ledger), ["a", "b"]);
  await ledger.close();
});

Deno.test("an append that fails rejects every caller of the batch and leaves memory and disk as they were", async () => {
  for (const part of [0, 1, 20, 60]) {
    const disk = new MemoryDisk();
    const storage = new FaultyStorage(new MemoryStorage(disk));
    const ledger = await openLedger(storage);
    await addNote(ledger, "before");
    const journal = disk.readBytes("journal-1");
    storage.fault = (point) =>
      point === "write" ? { message: "No space left on device (os error 28)", part } : undefined;
    const results = await Promise.allSettled([addNote(ledger, "a"), addNote(ledger, "b")]);
    for (const result of results) {
      assert(result.status === "rejected" && result.reason instanceof StorageError);
      assertEquals(result.reason.operation, "append to");
      assertEquals(result.reason.path, "memory/journal-1");
    }
    assertEquals(disk.readBytes("journal-1"), journal);
    assertEquals(await readNotes(ledger), ["before"]);
    storage.fault = () => undefined;
    await addNote(ledger, "after");
    assertEquals(await readNotes(ledger), ["before", "after"]);
    await ledger.close();
  }
});

Deno.test("after a failed fsync every read and write is refused until the ledger is opened again", async () => {
  const disk = new MemoryDisk();
  const storage = new FaultyStorage(new MemoryStorage(disk));
  const ledger = await openLedger(storage);
  await addNote(ledger, "kept");
  storage.fault = (point) => point === "sync" ? { message: "EIO" } : undefined;
  await assertRejects(() => addNote(ledger, "in doubt"), StorageError, "EIO");
  storage.fault = () => undefined;
  const syncs = storage.count("sync");
  await assertRejects(() => addNote(ledger, "refused"), StorageError, "open it again");
  await assertRejects(() => readNotes(ledger), StorageError, "open it again");
  assertEquals(storage.count("sync"), syncs, "an fsync is never retried");
  await ledger.close();
  const again = await openLedger(new MemoryStorage(disk));
  assertEquals((await readNotes(again))[0], "kept");
  await again.close();
});

Deno.test("an append whose undoing fails too poisons the ledger, and the next process cuts the torn tail", async () => {
  const disk = new MemoryDisk();
  const storage = new FaultyStorage(new MemoryStorage(disk));
  const ledger = await openLedger(storage);
  await addNote(ledger, "kept");
  storage.fault = (point) =>
    point === "write" || point === "truncate" ? { message: "EIO", part: 10 } : undefined;
  await assertRejects(() => addNote(ledger, "torn"), StorageError);
  storage.fault = () => undefined;
  await assertRejects(() => addNote(ledger, "refused"), StorageError, "open it again");
  await ledger.close();
  const again = await openLedger(new MemoryStorage(disk));
  assertEquals([await readNotes(again), again.stats().tornTails], [["kept"], 1]);
  await addNote(again, "after");
  await again.close();
});

Deno.test("each process sees what the others wrote, without running it again", async () => {
  const disk = new MemoryDisk();
  const [one, other] = [
    await openLedger(new MemoryStorage(disk)),
    await openLedger(new MemoryStorage(disk)),
  ];
  const texts: string[] = [];
  for (let i = 0; i < 20; i++) {
    const text = `note ${i} ${Math.random()}`;
    assertEquals(await addNote(i % 3 === 0 ? one : other, text), i + 1);
    texts.push(text);
    assertEquals(await readNotes(one), texts);
    assertEquals(await readNotes(other), texts);
  }
  await one.write((tx) => {
    for (const key of tx.read("SELECT id FROM notes WHERE id > 5")) tx.remove("notes", key);
  });
  assertEquals(await readNotes(other), texts.slice(0, 5));
  assertEquals(await addNote(other, "ids are never used again"), 21);
  await one.close();
  await other.close();
});

Deno.test("a watcher is told of every change in order, by whichever process, without asking", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const [one, other] = [
    await openLedger(new MemoryStorage(disk), { clock }),
    await openLedger(new MemoryStorage(disk)),
  ];
  const seen: string[] = [];
  one.watch((changes) => {
    for (const { row } of changes as readonly Change[]) seen.push(String(row![1]));
  });
  await addNote(other, "theirs");
  await addNote(one, "mine");
  await addNote(other, "theirs again");
  assertEquals(seen, ["theirs", "mine"]);
  await clock.advance(LOOKOUT_TIMES.maxMs * 2);
  assertEquals(seen, ["theirs", "mine", "theirs again"]);
  await one.close();
  await other.close();
});

Deno.test("a watcher learns of this process's change only when it is durable", async () => {
  const storage = new FaultyStorage(new MemoryStorage());
  const ledger = await openLedger(storage);
  let told = 0;
  ledger.watch(() => told++);
  storage.fault = (point) => point === "sync" ? { message: "EIO" } : undefined;
  await assertRejects(() => addNote(ledger, "never durable"), StorageError);
  assertEquals(told, 0);
  await ledger.close();
});

Deno.test("checkpoint() folds the journal into the snapshot while others go on", async () => {
  const disk = new MemoryDisk();
  const [one, other] = [
    await openLedger(new MemoryStorage(disk)),
    await openLedger(new MemoryStorage(disk)),
  ];
  const texts: string[] = [];
  for (let round = 0; round < 5; round++) {
    const making = (round % 2 === 0 ? one : other).checkpoint();
    for (let i = 0; i < 10; i++) {
      texts.push(`${round}.${i}`);
      await addNote(i % 2 === 0 ? one : other, texts.at(-1)!);
    }
    const report = await making;
    assert(report.snapshotBytes > 0);
    assertEquals(await readNotes(one), texts);
    assertEquals(await readNotes(other), texts);
  }
  await one.checkpoint();
  assertEquals(disk.list().filter((name) => name.startsWith("journal-")).length, 1);
  const third = await openLedger(new MemoryStorage(disk));
  assertEquals(await readNotes(third), texts);
  for (const ledger of [one, other, third]) await ledger.close();
});

Deno.test("a process that slept through two checkpoints starts again from the snapshot and tells its watchers", async () => {
  const disk = new MemoryDisk();
  const [awake, asleep] = [
    await openLedger(new MemoryStorage(disk)),
    await openLedger(new MemoryStorage(disk)),
  ];
  const told: unknown[] = [];
  asleep.watch((changes) => told.push(changes));
  for (const text of ["a", "b"]) {
    await addNote(awake, text);
    await awake.checkpoint();
  }
  assertEquals(await readNotes(asleep), ["a", "b"]);
  assertEquals(told.includes("reset"), true);
  await addNote(asleep, "c");
  assertEquals(await readNotes(awake), ["a", "b", "c"]);
  await awake.close();
  await asleep.close();
});

Deno.test("a process that asks for nothing is told, too, that it has started again from the snapshot", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const [awake, asleep] = [
    await openLedger(new MemoryStorage(disk)),
    await openLedger(new MemoryStorage(disk), { clock }),
  ];
  const told: unknown[] = [];
  asleep.watch((changes) => told.push(changes));
  for (const text of ["a", "b"]) {
    await addNote(awake, text);
    await awake.checkpoint();
  }
  assertEquals(told, []);
  await clock.advance(200);
  assertEquals([told.at(-1), told.filter((changes) => changes === "reset").length], ["reset", 1]);
  assertEquals(await readNotes(asleep), ["a", "b"]);
  await awake.close();
  await asleep.close();
});

Deno.test("two checkpointers at once take turns", async () => {
  const disk = new MemoryDisk();
  const steps: string[] = [];
  const open = async (name: string): Promise<Ledger> => {
    const storage = new FaultyStorage(new MemoryStorage(disk));
    storage.fault = (point) => {
      if (point === "writeFile" || point === "rename" || point === "remove") steps.push(name);
      return undefined;
    };
    return await openLedger(storage);
  };
  const [one, other] = [await open("one"), await open("other")];
  await addNote(one, "a");
  await addNote(other, "b");
  const reports = await Promise.all([one.checkpoint(), other.checkpoint(), one.checkpoint()]);
  assertEquals(reports.length, 3);
  const turns = steps.filter((name, i) => name !== steps[i - 1]);
  assert(turns.length <= 3 && new Set(turns).size === 2, steps.join(", "));
  const third = await openLedger(new MemoryStorage(disk));
  assertEquals(await readNotes(third), ["a", "b"]);
  for (const ledger of [one, other, third]) await ledger.close();
});

Deno.test("a process killed at any storage call leaves a ledger in which others acknowledge and lose nothing, also by a power cut", async () => {
  let kills = 0;
  for (const isPowerCut of [false, true]) {
    for (let call = 1;; call++) {
      assert(call < KILLS_MAX, `after ${call} calls the scenario has not come to its end`);
      const disk = new MemoryDisk();
      const dying = new MemoryStorage(disk);
      const storage = new FaultyStorage(dying);
      let calls = 0;
      storage.fault = () => {
        if (++calls === call) dying.kill();
        return undefined;
      };
      const acknowledged: string[] = [];
      const isKilled = await scenario(storage, acknowledged).then(() => false, () => true);
      dying.kill();
      const survivor = new MemoryStorage(disk);
      const surviving = await openLedger(survivor);
      await addNote(surviving, "by the survivor");
      survivor.kill();
      if (isPowerCut) disk.cutPower();
      const again = await openLedger(new MemoryStorage(disk));
      const notes = await readNotes(again);
      assertEquals(notes.slice(0, acknowledged.length), acknowledged, `killed at call ${call}`);
      assertEquals(notes.at(-1), "by the survivor", `killed at call ${call}`);
      assert(
        notes.length <= acknowledged.length + 2,
        "at most the one that was not answered is there too",
      );
      await again.close();
      if (!isKilled) break;
      kills++;
    }
  }
  assert(kills > 40, `${kills} kills`);
});

async function scenario(storage: FaultyStorage, acknowledged: string[]): Promise<void> {
  const ledger = await openLedger(storage);
  for (const round of [1, 2]) {
    for (const text of [`${round}a`, `${round}b`]) {
      await addNote(ledger, text);
      acknowledged.push(text);
    }
    await ledger.checkpoint();
  }
  await ledger.close();
}

Deno.test("an unacknowledged record lost under one that was kept is a torn tail, not corruption", async () => {
  const disk = new MemoryDisk();
  const [one, other] = [
    new FaultyStorage(new MemoryStorage(disk)),
    new FaultyStorage(new MemoryStorage(disk)),
  ];
  const [first, second] = [await openLedger(one), await openLedger(other)];
  await addNote(first, "kept");
  const keptBytes = disk.readBytes("journal-1")!.length;
  for (const storage of [one, other]) {
    storage.fault = (point) => point === "sync" ? { message: "EIO" } : undefined;
  }
  await assertRejects(() => addNote(first, "lost"), StorageError);
  const lostBytes = disk.readBytes("journal-1")!.length;
  await assertRejects(() => addNote(second, "kept by chance"), StorageError);
  const bytes = disk.readBytes("journal-1")!;
  bytes.fill(0, keptBytes, lostBytes);
  await first.close();
  await second.close();
  disk.writeBytes("journal-1", bytes);
  const again = await openLedger(new MemoryStorage(disk));
  assertEquals([await readNotes(again), again.stats().tornTails], [["kept"], 1]);
  await again.close();
});

Deno.test("a newer schema is reached at the same place by every process, and refused by an older one", async () => {
  const newer: Schema = {
    tables: NOTES.tables,
    migrations: [
      ...NOTES.migrations,
      "ALTER TABLE notes ADD COLUMN length INTEGER; UPDATE notes SET length = length(text)",
    ],
  };
  const disk = new MemoryDisk();
  const old = await openLedger(new MemoryStorage(disk));
  await addNote(old, "four");
  const upgraded = await openLedger(new MemoryStorage(disk), { schema: newer });
  const lengths = () =>
    upgraded.read((reader) => reader.read("SELECT length FROM notes ORDER BY id").flat());
  assertEquals(await lengths(), [4]);
  await upgraded.write((tx) => tx.insert("notes", { text: "eleven", length: 6 }));
  await assertRejects(() => addNote(old, "too old"), StorageError, "schema version 2");
  await assertRejects(() => readNotes(old), StorageError, "schema version 2");
  const third = await openLedger(new MemoryStorage(disk), { schema: newer });
  assertEquals(await third.read((reader) => reader.read("SELECT text, length FROM notes")), [[
    "four",
    4,
  ], ["eleven", 6]]);
  await third.checkpoint();
  await assertRejects(
    () => openLedger(new MemoryStorage(disk)),
    StorageError,
    "schema version is 2",
  );
  for (const ledger of [old, upgraded, third]) await ledger.close();
});

Deno.test("open() refuses another program's database and leaves it alone", async () => {
  const disk = new MemoryDisk();
  const { loadSqlJsEngine } = await import("../../src/platform/sqljs_engine.ts");
  const foreign = (await loadSqlJsEngine()).open();
  foreign.run("CREATE TABLE task_queue (id INTEGER)");
  const bytes = foreign.export();
  foreign.close();
  disk.writeBytes("snapshot", bytes);
  await assertRejects(() => openLedger(new MemoryStorage(disk)), StorageError, "another program");
  disk.writeBytes(
    "snapshot",
    new TextEncoder().encode("no database at all, but long enough to be looked at".repeat(20)),
  );
  await assertRejects(
    () => openLedger(new MemoryStorage(disk)),
    CorruptionError,
    "not a SQLite database",
  );
  assertEquals(disk.list(), ["snapshot"]);
});

Deno.test("a checkpoint asked for before close() is made or refused, never half made", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk));
  await addNote(ledger, "kept");
  const [first, second] = [ledger.checkpoint(), ledger.checkpoint()];
  const closes = [ledger.close(), ledger.close()];
  assertEquals(closes[0], closes[1]);
  assertEquals((await first).removedSegments, 1);
  assertEquals((await assertRejects(() => second, QueueError)).code, "queue_closed");
  await Promise.all(closes);
  const again = await openLedger(new MemoryStorage(disk));
  assertEquals(await readNotes(again), ["kept"]);
  await again.close();
});

Deno.test("a closed ledger refuses everything, and closing again is harmless", async () => {
  const ledger = await openLedger(new MemoryStorage());
  const last = addNote(ledger, "still written");
  await ledger.close();
  assertEquals(await last, 1);
  await ledger.close();
  assertEquals((await assertRejects(() => readNotes(ledger), QueueError)).code, "queue_closed");
  assertEquals((await assertRejects(() => addNote(ledger, "no"), QueueError)).code, "queue_closed");
});

Deno.test("an operation that loses the whole transaction refuses its batch and all that follows", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk));
  await addNote(ledger, "kept");
  const journal = disk.readBytes("journal-1");
  const results = await Promise.allSettled([
    addNote(ledger, "undone with the rest"),
    ledger.write((tx) => {
      tx.read("ROLLBACK");
      throw new Error("out of memory");
    }),
  ]);
  assertEquals(results.map(({ status }) => status), ["rejected", "rejected"]);
  assertEquals(disk.readBytes("journal-1"), journal);
  await assertRejects(() => addNote(ledger, "refused"), StorageError, "open it again");
  await ledger.close();
  const again = await openLedger(new MemoryStorage(disk));
  assertEquals(await readNotes(again), ["kept"]);
  await again.close();
});

Deno.test("a write is acknowledged also when its segment was folded into a snapshot and removed before its fsync ended", async () => {
  const disk = new MemoryDisk();
  const storage = new FaultyStorage(new MemoryStorage(disk));
  const [writer, other] = [await openLedger(storage), await openLedger(new MemoryStorage(disk))];
  await addNote(writer, "one");
  storage.beforeSync = async () => {
    storage.beforeSync = () => Promise.resolve();
    await other.checkpoint();
  };
  await addNote(writer, "two");
  assertEquals(disk.list().filter((name) => name.startsWith("journal-")), ["journal-4"]);
  await addNote(writer, "three");
  assertEquals(await readNotes(other), ["one", "two", "three"]);
  await writer.close();
  await other.close();
});
