import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { StorageError } from "../../src/domain/errors.ts";
import { DenoStorage } from "../../src/platform/deno_storage.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { storageContract } from "../contract/storage_contract.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { until } from "../support/until.ts";

storageContract("MemoryStorage", async (test) => {
  const disk = new MemoryDisk();
  await test(new MemoryStorage(disk), new MemoryStorage(disk));
});

storageContract("DenoStorage", (test) =>
  withTemporaryPath(async (path) => {
    const [one, other] = [new DenoStorage(path), new DenoStorage(path)];
    try {
      await one.open();
      await other.open();
      await test(one, other);
    } finally {
      one.close();
      other.close();
    }
  }));

Deno.test("DenoStorage refuses a folder where the queue's file should be, and makes missing folders", () =>
  withTemporaryPath(async (path) => {
    const atFolder = new DenoStorage(dirname(path));
    const error = await assertRejects(() => atFolder.open(), StorageError);
    assertEquals(error.path, dirname(path));
    assertStringIncludes(error.message, "it is a folder");
    const deep = new DenoStorage(join(dirname(path), "a", "b", "queue.db"));
    await deep.open();
    deep.close();
    assertEquals((await Deno.stat(join(dirname(path), "a", "b"))).isDirectory, true);
  }));

Deno.test("DenoStorage lets go of a lock also when the system refuses to unlock it", () =>
  withTemporaryPath(async (path) => {
    const [one, other] = [new DenoStorage(path), new DenoStorage(path)];
    const { unlockSync } = Deno.FsFile.prototype;
    try {
      await one.open();
      await other.open();
      const lock = one.tryLock("commit");
      Deno.FsFile.prototype.unlockSync = () => {
        throw new Error("the lock is not held");
      };
      lock!.release();
      Deno.FsFile.prototype.unlockSync = unlockSync;
      other.tryLock("commit")!.release();
      one.tryLock("commit")!.release();
    } finally {
      Deno.FsFile.prototype.unlockSync = unlockSync;
      one.close();
      other.close();
    }
  }));

Deno.test({
  name: "DenoStorage: a watch is proven also when the path is written in another case",
  ignore: Deno.build.os === "linux", // there it is another file
  fn: () =>
    withTemporaryPath(async (path) => {
      const storage = new DenoStorage(path);
      await storage.open();
      storage.close();
      const other = new DenoStorage(join(dirname(path), "QUEUE.DB"));
      await other.open();
      const watch = other.watch(() => {})!;
      await until(() => watch.isProven);
      watch.stop();
      other.close();
    }),
});

Deno.test("StorageError shows the backslashes of a path as they are", () => {
  const { message } = new StorageError("open", "C:\\data\\a\nb.db", "no");
  assertEquals(message, 'Cannot open "C:\\data\\a\\nb.db": no');
});

Deno.test("DenoStorage ignores files beside it that are not the queue's", () =>
  withTemporaryPath(async (path) => {
    for (
      const name of [
        "queue.db.journal-x",
        "queue.db.journal-1.bak",
        "other.db.journal-1",
        "queue.db-journal",
      ]
    ) {
      await Deno.writeTextFile(join(dirname(path), name), "not ours");
    }
    const storage = new DenoStorage(path);
    await storage.open();
    assertEquals(storage.list(), []);
    storage.close();
  }));

Deno.test("MemoryDisk.cutPower() keeps what was synced: bytes, and names once the folder was", async () => {
  const disk = new MemoryDisk();
  const storage = new MemoryStorage(disk);
  const file = storage.createFile("journal-1");
  file.write(0, new Uint8Array([1, 2]));
  await file.sync();
  await storage.syncFolder();
  file.write(2, new Uint8Array([3]));
  storage.createFile("journal-2");
  storage.kill();
  disk.cutPower();
  assertEquals(disk.list(), ["journal-1"]);
  assertEquals([...disk.readBytes("journal-1")!], [1, 2]);
});

Deno.test("a killed MemoryStorage has no effect any more and frees its locks", async () => {
  const disk = new MemoryDisk();
  const [victim, other] = [new MemoryStorage(disk), new MemoryStorage(disk)];
  const file = victim.createFile("journal-1");
  victim.tryLock("commit");
  const waiting = other.lock("commit");
  victim.kill();
  (await waiting).release();
  for (
    const act of [
      () => file.write(0, new Uint8Array(1)),
      () => victim.list(),
      () => victim.tryLock("commit"),
    ]
  ) {
    let thrown: unknown;
    try {
      act();
    } catch (error) {
      thrown = error;
    }
    assertEquals(thrown instanceof StorageError, true);
  }
  assertEquals(disk.readBytes("journal-1")!.length, 0);
});
