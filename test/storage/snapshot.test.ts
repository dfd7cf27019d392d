import { assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { readSnapshot, type SnapshotImage, writeSnapshot } from "../../src/storage/snapshot.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";

const OLD = new Uint8Array(100).fill(1);
const NEW = new Uint8Array(2_500_000).fill(2);

function image(bytes: Uint8Array): SnapshotImage {
  return { bytes, queueId: "ab".repeat(16), sequence: 7 };
}

Deno.test("writeSnapshot() that fails leaves the old snapshot, and no part of the new one on a disk that is full", async () => {
  for (const failing of ["rename", "folder"] as const) {
    const disk = new MemoryDisk();
    const storage = new FaultyStorage(new MemoryStorage(disk));
    await writeSnapshot(storage, image(OLD));
    const point = failing === "folder" ? "syncFolder" : failing;
    storage.fault = (at) => at === point ? { message: "ENOSPC" } : undefined;
    await assertRejects(() => writeSnapshot(storage, image(NEW)), StorageError, "ENOSPC");
    assertEquals(disk.list(), ["snapshot"]);
    storage.fault = () => undefined;
    const found = await readSnapshot(storage);
    assertEquals(found, { bytes: failing === "folder" ? NEW : OLD, isVerified: true });
  }
});

Deno.test("writeSnapshot() that cannot remove what it wrote says why it could not be put in place", async () => {
  const storage = new FaultyStorage(new MemoryStorage());
  storage.fault = (point) =>
    point === "rename" || point === "remove" ? { message: `no ${point}` } : undefined;
  await assertRejects(() => writeSnapshot(storage, image(NEW)), StorageError, "no rename");
});
