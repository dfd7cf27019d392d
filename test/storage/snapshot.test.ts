import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CorruptionError, StorageError } from "../../src/domain/errors.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import {
  type OpenSnapshot,
  openSnapshot,
  readSnapshot,
  type SnapshotImage,
  writeSnapshot,
} from "../../src/storage/snapshot.ts";
import { PIECE_BYTES, SnapshotPages } from "../../src/storage/snapshot_pages.ts";
import type { FileName, StorageFile } from "../../src/storage/storage.ts";
import { openLedger } from "../support/ledgers.ts";
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

/** Bytes of which no two pieces are the same. */
const PAGES = new Uint8Array(3 * PIECE_BYTES + 5000).map((_, at) => at * 31 + (at >> 9));

Deno.test("openSnapshot() gives any of the pages, in any order, also across pieces", async () => {
  const { snapshot } = await opened(PAGES);
  const { bytes } = snapshot;
  assert(bytes instanceof SnapshotPages);
  assertEquals(bytes.length, PAGES.length);
  const ends = [PAGES.length - 7, PAGES.length];
  const places = [[0, 100], [4096, 8192], ends, [PIECE_BYTES - 3, 2 * PIECE_BYTES + 4], [24, 40]];
  for (const [from, to] of places as [number, number][]) {
    assertEquals(bytes.subarray(from, to), PAGES.subarray(from, to), `${from} to ${to}`);
  }
  snapshot.check();
  snapshot.close();
});

Deno.test("a whole snapshot passes its check however much of it was asked for", async () => {
  for (const asked of [[], [0], [2 * PIECE_BYTES, 0]]) {
    const { snapshot } = await opened(PAGES);
    for (const from of asked) snapshot.bytes.subarray(from, from + 100);
    snapshot.check();
    snapshot.close();
  }
});

Deno.test("a snapshot with a byte flipped in any piece is refused, whether that was asked for or not", async () => {
  const size = PAGES.length + 40;
  for (const at of [0, PIECE_BYTES, 2 * PIECE_BYTES + 9, PAGES.length - 1, size - 17, size - 5]) {
    for (const asked of [[], [0], [3 * PIECE_BYTES], [PIECE_BYTES, 0]]) {
      const { snapshot, disk } = await opened(PAGES, (bytes) => bytes[at]! ^= 4);
      const read = (): void => {
        for (const from of asked) snapshot.bytes.subarray(from, from + 100);
        snapshot.check();
      };
      assertThrows(read, CorruptionError, "does not match its checksum");
      snapshot.close();
      await assertRejects(() => readSnapshot(new MemoryStorage(disk)), CorruptionError, "checksum");
    }
  }
});

Deno.test("a snapshot that another program changes or cuts while it is read is refused", async () => {
  for (const length of [PAGES.length + 40, 2 * PIECE_BYTES, 10]) {
    const { snapshot, disk } = await opened(PAGES);
    snapshot.bytes.subarray(0, 100);
    snapshot.bytes.subarray(PIECE_BYTES, PIECE_BYTES + 100);
    const file = new MemoryStorage(disk).openFile("snapshot")!;
    file.write(50, Uint8Array.of(PAGES[50]! ^ 1));
    file.truncate(length);
    const again = (): void => {
      snapshot.bytes.subarray(0, 100);
      snapshot.check();
    };
    assertThrows(again, CorruptionError, "does not match its checksum");
  }
});

Deno.test("a snapshot without a footer is given as it is, and an empty one is none", async () => {
  const storage = new MemoryStorage();
  await storage.writeFile("snapshot", [new Uint8Array(0)]);
  assertEquals(await openSnapshot(storage), undefined);
  await storage.writeFile("snapshot", [OLD]);
  const snapshot = await openSnapshot(storage);
  assertEquals([snapshot?.bytes, snapshot?.isVerified], [OLD, false]);
});

Deno.test("a storage that cannot open a file to read is asked for the whole snapshot", async () => {
  const storage = Object.assign(new MemoryStorage(), { openToRead: undefined });
  assertEquals(await openSnapshot(storage), undefined);
  await writeSnapshot(storage, image(NEW));
  const snapshot = await openSnapshot(storage);
  assertEquals([snapshot?.bytes, snapshot?.isVerified], [NEW, true]);
  snapshot?.check();
  snapshot?.close();
});

Deno.test("recovery lets go of the snapshot's file, whatever became of it", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk));
  await ledger.checkpoint();
  await ledger.close();
  const whole = disk.readBytes("snapshot")!;
  const flipped = whole.slice();
  flipped[100]! ^= 1;
  for (const bytes of [whole, flipped, whole.subarray(0, 100)]) {
    disk.writeBytes("snapshot", bytes);
    const storage = new CountingStorage(disk);
    const ledger = await openLedger(storage).catch(() => undefined);
    assertEquals([storage.opened, storage.closed], [1, 1]);
    await ledger?.close();
  }
});

Deno.test("recovery tells a read of the snapshot that fails as such, and not as damage", async () => {
  const disk = new MemoryDisk();
  const first = await openLedger(new MemoryStorage(disk));
  await first.checkpoint();
  await first.close();
  let isAtFault = true;
  let tried = 0;
  for (let failing = 0; isAtFault; failing++) {
    const storage = new FaultyStorage(new MemoryStorage(disk), ["read", "size"]);
    let reads = 0;
    isAtFault = false;
    storage.fault = (_, name) => {
      if (!name.endsWith("snapshot") || reads++ !== failing) return undefined;
      isAtFault = true;
      return { message: "EIO" };
    };
    const outcome = await openLedger(storage).catch((error: Error) => error);
    if (outcome instanceof Error) {
      assertEquals([outcome.name, /EIO/.test(outcome.message)], ["StorageError", true]);
    } else await outcome.close();
    assertEquals(outcome instanceof Error, isAtFault);
    tried = failing;
    assertEquals(storage.openFiles, 0);
  }
  assert(tried >= 3, `${tried} calls`); // its size, its footer, its pages
});

/** Counts how often the snapshot is opened to read, and let go of. */
class CountingStorage extends MemoryStorage {
  opened = 0;
  closed = 0;

  override async openToRead(name: FileName): Promise<StorageFile | undefined> {
    const file = await super.openToRead(name);
    if (file === undefined) return undefined;
    this.opened++;
    const close = file.close.bind(file);
    return Object.assign(file, { close: () => (this.closed++, close()) });
  }
}

/** A snapshot of `pages`, opened after `damage` has changed its bytes. */
async function opened(
  pages: Uint8Array,
  damage: (bytes: Uint8Array) => void = () => {},
): Promise<{ snapshot: OpenSnapshot; disk: MemoryDisk }> {
  const disk = new MemoryDisk();
  await writeSnapshot(new MemoryStorage(disk), image(pages));
  const bytes = disk.readBytes("snapshot")!;
  damage(bytes);
  disk.writeBytes("snapshot", bytes);
  const snapshot = await openSnapshot(new MemoryStorage(disk));
  return { snapshot: snapshot!, disk };
}
