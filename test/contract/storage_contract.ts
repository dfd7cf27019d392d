/**
 * What every Storage must do, whatever it is made of.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { deferred } from "../../src/domain/deferred.ts";
import { StorageError } from "../../src/domain/errors.ts";
import { readAt } from "../../src/storage/read_at.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { until } from "../support/until.ts";

/** Two storages at the same place, as two processes would have them. */
export type UseStorages = (test: (one: Storage, other: Storage) => Promise<void>) => Promise<void>;

/** Registers the suite for one implementation; one that `isAlone` at its place has nobody to watch. */
export function storageContract(
  name: string,
  useStorages: UseStorages,
  { isAlone = false } = {},
): void {
  const behaviour = (what: string, test: (one: Storage, other: Storage) => Promise<void>): void => {
    Deno.test(`${name}: ${what}`, () => useStorages(test));
  };

  behaviour("a file that does not exist is undefined, not an error", async (storage) => {
    assertEquals(storage.openFile("journal-1"), undefined);
    assertEquals(await storage.readFile("snapshot"), undefined);
    await storage.remove("journal-1");
    assertEquals(storage.list(), []);
  });

  behaviour("what one process writes the other reads", async (one, other) => {
    const file = one.createFile("journal-7");
    file.write(0, bytes("hello"));
    file.write(5, bytes(" there"));
    const seen = other.openFile("journal-7")!;
    assertEquals(seen.size(), 11);
    assertEquals(readText(seen, 6, 100), "there");
    await file.sync();
    file.truncate(5);
    assertEquals(seen.size(), 5);
    assertEquals(readText(seen, 0, 100), "hello");
    assertEquals(readText(seen, 5, 10), "");
    file.close();
    seen.close();
    assertEquals(other.list(), ["journal-7"]);
  });

  behaviour("createFile() leaves a file alone that was there, and says so", async (storage) => {
    await storage.writeFile("journal-1", [bytes("old")]);
    const error = assertThrows(() => storage.createFile("journal-1"), StorageError);
    assertEquals(error.operation, "create");
    assertEquals(new TextDecoder().decode(await storage.readFile("journal-1")), "old");
  });

  behaviour("an open file is in place until it is removed or replaced", async (one, other) => {
    const file = one.createFile("journal-1");
    const again = other.openFile("journal-1")!;
    assertEquals([file.isInPlace(), again.isInPlace()], [true, true]);
    await other.remove("journal-1");
    assertEquals([file.isInPlace(), again.isInPlace()], [false, false]);
    const anew = other.createFile("journal-1");
    assertEquals([file.isInPlace(), anew.isInPlace()], [false, true]);
    for (const open of [file, again, anew]) open.close();
  });

  behaviour(
    "what stands at an open file's path is looked at in the file that is there now",
    async (one, other) => {
      const file = one.createFile("journal-1");
      file.write(0, bytes("hello"));
      assertEquals(file.hasAtPath !== undefined, one.prefersRoom !== undefined);
      if (file.hasAtPath === undefined) return file.close();
      const looks = (): boolean[] =>
        ([[0, "hello"], [1, "ell"], [1, "all"], [3, "lo, longer"], [9, "o"]] as const)
          .map(([offset, text]) => file.hasAtPath!(offset, bytes(text)));
      assertEquals(looks(), [true, true, false, false, false]);
      await other.remove("journal-1");
      assertEquals(looks(), [false, false, false, false, false]);
      const anew = other.createFile("journal-1");
      assertEquals(looks(), [false, false, false, false, false]);
      anew.write(0, bytes("xall"));
      assertEquals(looks(), [false, false, true, false, false]);
      for (const open of [file, anew]) open.close();
    },
  );

  behaviour("what is thrown right before a rename or a removal prevents it", async (storage) => {
    await storage.writeFile("snapshot", [bytes("old")]);
    await storage.writeFile("snapshot.new", [bytes("new")]);
    const refuse = (): void => {
      throw new StorageError("find", "snapshot", "it is another queue's");
    };
    for (
      const act of [
        () => storage.rename("snapshot.new", "snapshot", refuse),
        () => storage.remove("snapshot", refuse),
      ]
    ) {
      const error = await assertRejects(act, StorageError);
      assertEquals(error.operation, "find");
    }
    assertEquals(new TextDecoder().decode(await storage.readFile("snapshot")), "old");
    assertEquals(storage.list().toSorted(), ["snapshot", "snapshot.new"]);
  });

  behaviour(
    "writeFile() joins its chunks and rename() replaces in one step",
    async (one, other) => {
      await one.writeFile("snapshot", [bytes("old")]);
      await one.writeFile("snapshot.new", [bytes("a"), bytes("bc"), new Uint8Array(0), bytes("d")]);
      await one.rename("snapshot.new", "snapshot");
      await one.syncFolder();
      assertEquals(new TextDecoder().decode(await other.readFile("snapshot")), "abcd");
      assertEquals(other.list(), ["snapshot"]);
    },
  );

  behaviour(
    "openToRead(), where there is one, opens the file that is there now",
    async (one, other) => {
      assertEquals(await one.openToRead?.("journal-1"), undefined);
      await one.writeFile("snapshot", [bytes("old")]);
      const file = await other.openToRead?.("snapshot");
      await one.writeFile("snapshot.new", [bytes("new")]);
      await one.rename("snapshot.new", "snapshot");
      if (file === undefined) return;
      assertEquals(new TextDecoder().decode(readAt(file, 0, file.size())), "old");
      file.close();
    },
  );

  behaviour(
    "rename() of a file that is not there is a StorageError that names the operation",
    async (storage) => {
      const error = await assertRejects(
        () => storage.rename("snapshot.new", "snapshot"),
        StorageError,
      );
      assertEquals(error.operation, "rename");
    },
  );

  behaviour(
    "a lock is held by one at a time, and each name is a lock of its own",
    async (one, other) => {
      const lock = one.tryLock("commit")!;
      assertEquals(other.tryLock("commit"), undefined);
      const checkpoint = other.tryLock("checkpoint")!;
      const order: string[] = [];
      const waiting = other.lock("commit").then((granted) => {
        order.push("granted");
        granted.release();
      });
      await Promise.resolve();
      order.push("released");
      lock.release();
      await waiting;
      checkpoint.release();
      assertEquals(order, ["released", "granted"]);
      one.tryLock("commit")!.release();
    },
  );

  if (!isAlone) {
    behaviour(
      "a watch that is proven tells of what another writes, until it is stopped",
      tellsWhatAnotherWrites,
    );
  }

  behaviour("an open file outlives its removal and its replacement", async (one, other) => {
    await one.writeFile("journal-1", [bytes("kept")]);
    const file = other.openFile("journal-1")!;
    await one.remove("journal-1");
    assertEquals(readText(file, 0, 10), "kept");
    assertEquals(other.openFile("journal-1"), undefined);
    file.close();
  });
}

async function tellsWhatAnotherWrites(one: Storage, other: Storage): Promise<void> {
  const file = other.createFile("journal-1");
  const told = deferred<void>();
  const watch = one.watch(() => told.resolve())!;
  await until(() => watch.isProven);
  file.write(0, bytes("news"));
  await told.promise;
  watch.stop();
  const again = one.watch(() => {})!;
  assertEquals(again.isProven, true);
  again.stop();
  file.close();
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function readText(
  file: { read(offset: number, into: Uint8Array): number },
  offset: number,
  length: number,
): string {
  const into = new Uint8Array(length);
  return new TextDecoder().decode(into.subarray(0, file.read(offset, into)));
}
