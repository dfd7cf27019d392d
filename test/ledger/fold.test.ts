/**
 * Checkpoints that are folded from the files: the ledger goes on meanwhile, and gets the snapshot that an export would give.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Deferred, deferred } from "../../src/domain/deferred.ts";
import { StorageError } from "../../src/domain/errors.ts";
import { foldFiles, type Folding } from "../../src/ledger/fold.ts";
import type { RecoverySource } from "../../src/ledger/recovery.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import type { SnapshotIdentity } from "../../src/storage/footer.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import type { SnapshotImage } from "../../src/storage/snapshot.ts";
import { addNote, NOTES, openLedger, readNotes } from "../support/ledgers.ts";
import { until } from "../support/until.ts";

const engine = await loadSqlJsEngine();

/** A place for folding that waits until it is told to go on, and says what it was asked. */
class HeldFolding implements Folding {
  readonly minBytes = 0;
  prepared = 0;
  closed = 0;
  readonly asked: SnapshotIdentity[] = [];
  readonly answers: Deferred<SnapshotImage>[] = [];

  prepare(): void {
    this.prepared++;
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }

  fold(upTo: SnapshotIdentity, signal: AbortSignal): Promise<SnapshotImage> {
    const answer = deferred<SnapshotImage>();
    signal.addEventListener("abort", () => answer.reject(signal.reason), { once: true });
    this.asked.push(upTo);
    this.answers.push(answer);
    return answer.promise;
  }
}

function sourceOf(disk: MemoryDisk): RecoverySource {
  const newQueueId = (): string => "0".repeat(32);
  return { storage: new MemoryStorage(disk), engine, schema: NOTES, newQueueId };
}

/** Says what a new process finds. */
async function foundIn(disk: MemoryDisk): Promise<string[]> {
  const ledger = await openLedger(new MemoryStorage(disk));
  const notes = await readNotes(ledger);
  assertEquals(await ledger.verify(), []);
  await ledger.close();
  return notes;
}

Deno.test("while files are folded the ledger writes on; the snapshot holds what was there when it began", async () => {
  const disk = new MemoryDisk();
  const folding = new HeldFolding();
  const ledger = await openLedger(new MemoryStorage(disk), { folding });
  const other = await openLedger(new MemoryStorage(disk));
  for (const text of ["a", "b"]) await addNote(ledger, text);
  const checkpoint = ledger.checkpoint();
  await until(() => folding.asked.length === 1, "files to fold");
  await addNote(ledger, "c");
  await addNote(other, "d");
  const image = await foldFiles(sourceOf(disk), folding.asked[0]!);
  folding.answers[0]!.resolve(image);
  const { sequence, removedSegments } = await checkpoint;
  assertEquals([sequence, removedSegments], [folding.asked[0]!.sequence, 1]);
  assertEquals(rowsIn(image.bytes), ["a", "b"]);
  assertEquals(await readNotes(ledger), ["a", "b", "c", "d"]);
  assertEquals(await ledger.verify(), []);
  for (const each of [ledger, other]) await each.close();
  assertEquals(await foundIn(disk), ["a", "b", "c", "d"]);
});

Deno.test("a fold stops where it was told to, with or without a snapshot before it", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk), {
    folding: { minBytes: 0, fold: (upTo) => foldFiles(sourceOf(disk), upTo) },
  });
  const texts: string[] = [];
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 3; i++) {
      texts.push(`${round} ${i}`);
      await addNote(ledger, texts.at(-1)!);
    }
    const { sequence } = await ledger.checkpoint();
    const { bytes } = await foldFiles(sourceOf(disk), {
      queueId: (await ledger.exportDurable()).queueId,
      sequence,
    });
    assertEquals(rowsIn(bytes), texts);
  }
  const { sequence } = await ledger.checkpoint();
  assertEquals((await ledger.checkpoint()).sequence, sequence, "nothing was added");
  await ledger.close();
  assertEquals(await foundIn(disk), texts);
});

function rowsIn(bytes: Uint8Array): string[] {
  const database = engine.open(bytes);
  try {
    return database.all("SELECT text FROM notes ORDER BY id").map(([text]) => String(text));
  } finally {
    database.close();
  }
}

Deno.test("files of another queue, or that end elsewhere, are not folded", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk));
  await addNote(ledger, "a");
  const { queueId, sequence } = await ledger.exportDurable();
  const strange = { queueId: "f".repeat(32), sequence };
  for (const upTo of [strange, { queueId, sequence: 7 }]) {
    const error = await assertRejects(() => foldFiles(sourceOf(disk), upTo), StorageError);
    assert(error.message.includes(`they are queue ${queueId} up to record 1`), error.message);
  }
  await ledger.close();
});

Deno.test("when files cannot be folded the replica is exported, which is told, and is not tried again", async () => {
  const disk = new MemoryDisk();
  let asked = 0;
  const told: string[] = [];
  const ledger = await openLedger(new MemoryStorage(disk), {
    folding: {
      minBytes: 0,
      fold: async () => {
        asked++;
        await addNote(ledger, "meanwhile");
        throw new Error("no thread");
      },
    },
    onBackgroundError: ({ message }) => told.push(message),
  });
  await addNote(ledger, "a");
  assertEquals((await ledger.checkpoint()).removedSegments, 2);
  await addNote(ledger, "b");
  assertEquals((await ledger.checkpoint()).removedSegments, 1);
  assertEquals([told, asked], [["no thread"], 1]);
  await ledger.close();
  assertEquals(await foundIn(disk), ["a", "meanwhile", "b"]);
});

Deno.test("closing does not wait for a fold: the replica is exported instead", async () => {
  const disk = new MemoryDisk();
  const folding = new HeldFolding();
  const ledger = await openLedger(new MemoryStorage(disk), { folding });
  await addNote(ledger, "a");
  const checkpoint = ledger.checkpoint();
  await until(() => folding.asked.length === 1, "files to fold");
  await ledger.close();
  assertEquals((await checkpoint).removedSegments, 1);
  assertEquals(await foundIn(disk), ["a"]);
});

Deno.test("a small replica is exported", async () => {
  const folding = Object.assign(new HeldFolding(), { minBytes: 1024 * 1024 });
  const ledger = await openLedger(new MemoryStorage(), { folding });
  await addNote(ledger, "a");
  assertEquals((await ledger.checkpoint()).removedSegments, 1);
  await addNote(ledger, "x".repeat(1024 * 1024));
  const checkpoint = ledger.checkpoint();
  await until(() => folding.asked.length === 1, "files to fold");
  await ledger.close();
  assertEquals((await checkpoint).removedSegments, 1);
});

Deno.test("the place is prepared when a large ledger is opened to be written, and let go of on closing", async () => {
  const disk = new MemoryDisk();
  const open = async (minBytes: number, isReadOnly = false): Promise<[number, number, number]> => {
    const folding = Object.assign(new HeldFolding(), { minBytes });
    const ledger = await openLedger(new MemoryStorage(disk), { folding, isReadOnly });
    const { prepared } = folding;
    await ledger.close();
    return [prepared, folding.prepared, folding.closed];
  };
  const ledger = await openLedger(new MemoryStorage(disk));
  await addNote(ledger, "a");
  const { snapshotBytes } = await ledger.checkpoint();
  await ledger.close();
  assertEquals(await open(snapshotBytes), [1, 1, 1]);
  assertEquals(await open(snapshotBytes + 1), [0, 0, 1], "it is smaller");
  assertEquals(await open(snapshotBytes, true), [0, 0, 1], "it is only read");
});

Deno.test("the place is let go of when a ledger cannot be opened", async () => {
  const disk = new MemoryDisk();
  const ledger = await openLedger(new MemoryStorage(disk));
  await addNote(ledger, "a");
  await ledger.checkpoint();
  await ledger.close();
  const folding = new HeldFolding();
  const schema = { ...NOTES, migrations: [] };
  const open = () => openLedger(new MemoryStorage(disk), { folding, schema });
  await assertRejects(open, StorageError, "its schema version is 1");
  assertEquals([folding.prepared, folding.closed], [1, 1]);
});

Deno.test("the place is prepared when a ledger has grown to half of what is folded", async () => {
  const folding = Object.assign(new HeldFolding(), { minBytes: 1024 * 1024 });
  const ledger = await openLedger(new MemoryStorage(), { folding });
  await addNote(ledger, "x".repeat(256 * 1024));
  await ledger.checkpoint();
  assertEquals(folding.prepared, 0);
  await addNote(ledger, "x".repeat(256 * 1024));
  await ledger.checkpoint();
  assertEquals(folding.prepared, 1);
  await ledger.close();
});
