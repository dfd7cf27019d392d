/**
 * Backups, restoring, checking and repairing queues in files.
 */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { dirname } from "node:path";
import { CorruptionError, StorageError } from "../../src/domain/errors.ts";
import {
  cleanupBackups,
  listBackups,
  openEmbeddedQueue,
  openLogStore,
  repairQueue,
  restoreBackup,
} from "../../src/mod.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { effort, isThorough } from "../support/effort.ts";
import { endOfRecords, withTemporaryPath } from "../support/queues.ts";
import { thoroughTest } from "../support/thorough.ts";

async function withOpen<T>(path: string, use: (queue: EmbeddedQueue) => Promise<T>): Promise<T> {
  const queue = await openEmbeddedQueue(path);
  try {
    return await use(queue);
  } finally {
    await queue.close();
  }
}

function typesIn(path: string): Promise<string[]> {
  return withOpen(path, async (queue) => (await queue.list()).map(({ type }) => type).reverse());
}

function flipByte(path: string, offset: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[offset < 0 ? bytes.length + offset : offset]! ^= 0xff;
  Deno.writeFileSync(path, bytes);
}

thoroughTest(
  "tasks that were pruned leave less than 1 MiB on the disk after a checkpoint, and in a backup",
  () =>
    withTemporaryPath((path) =>
      withOpen(path, async (queue) => {
        const task = { type: "t", payload: { text: "x".repeat(10_000) } };
        const added = await queue.enqueueBatch(Array.from({ length: 500 }, () => task));
        assert((await queue.checkpoint()).snapshotBytes > 5_000_000);
        await Promise.all(added.map(({ task: { id } }) => queue.cancel(id)));
        assertEquals((await queue.prune({ keep: 0 })).pruned, 500);
        await queue.checkpoint();
        await queue.backup(`${path}.bak`);
        const files = Array.from(Deno.readDirSync(dirname(path)));
        assert(files.length > 2);
        const bytes = files.map(({ name }) => Deno.statSync(`${dirname(path)}/${name}`).size);
        assert(bytes.reduce((sum, size) => sum + size, 0) < 1024 * 1024, String(bytes));
      })
    ),
);

Deno.test("backup() of a queue in use holds everything acknowledged, and any SQLite tool reads it", () =>
  withTemporaryPath(async (path) => {
    const copy = `${path}.bak`;
    await withOpen(path, (queue) =>
      withOpen(path, async (other) => {
        await queue.enqueue({ type: "a" });
        await other.enqueue({ type: "b" });
        const [report] = await Promise.all([queue.backup(copy), other.enqueue({ type: "c" })]);
        assert(report.tasks === 2 || report.tasks === 3);
        assertEquals([report.path, report.bytes], [copy, (await Deno.stat(copy)).size]);
        await queue.enqueue({ type: "after" });
        using database = new DatabaseSync(copy, { readOnly: true });
        assertEquals(
          database.prepare("SELECT count(*) AS n FROM task_queue").get()!.n,
          report.tasks,
        );
      }));
  }));

Deno.test("backup() never overwrites a file and leaves nothing when it fails", () =>
  withTemporaryPath(async (path) => {
    await withOpen(path, async (queue) => {
      await Deno.writeTextFile(`${path}.bak`, "mine");
      await assertRejects(() => queue.backup(`${path}.bak`), StorageError, "there already");
      assertEquals(await Deno.readTextFile(`${path}.bak`), "mine");
      await assertRejects(() => queue.backup(path), StorageError, "there already");
    });
  }));

Deno.test("restoreBackup() puts the queue back, with new tasks after its last id, and keeps what stood there", () =>
  withTemporaryPath(async (path) => {
    const copy = `${path}.bak`;
    await withOpen(path, async (queue) => {
      await queue.enqueueBatch([{ type: "a" }, { type: "b" }]);
      await queue.backup(copy);
      await queue.enqueue({ type: "lost" });
    });
    const report = await restoreBackup(copy, path);
    assertEquals([report.path, report.tasks], [path, 2]);
    assertEquals(await typesIn(path), ["a", "b"]);
    await withOpen(path, async (queue) => {
      assertEquals((await queue.enqueue({ type: "new" })).task.id, 3);
      assertEquals((await queue.integrityCheck()).problems, []);
    });
    assertEquals(await typesIn(`${report.keptIn}/queue.db`), ["a", "b", "lost"]);
    assertEquals(await typesIn(path), ["a", "b", "new"]);
  }));

Deno.test("restoreBackup() makes a queue where there is none", () =>
  withTemporaryPath(async (path) => {
    await withOpen(path, async (queue) => {
      await queue.enqueue({ type: "a" });
      await queue.backup(`${path}.bak`);
    });
    const elsewhere = `${path} moved/queue.db`;
    assertEquals((await restoreBackup(`${path}.bak`, elsewhere)).keptIn, null);
    assertEquals(await typesIn(elsewhere), ["a"]);
  }));

Deno.test("restoreBackup() is refused while the queue is open, unless forced", () =>
  withTemporaryPath(async (path) => {
    const copy = `${path}.bak`;
    await withOpen(path, async (queue) => {
      await queue.enqueue({ type: "a" });
      await queue.backup(copy);
      await queue.enqueue({ type: "b" });
      await assertRejects(() => restoreBackup(copy, path), StorageError, "it is open");
      assertEquals((await queue.list()).length, 2);
      assertEquals((await restoreBackup(copy, path, { force: true })).tasks, 1);
      await queue.close();
    });
    assertEquals(await typesIn(path), ["a"]);
  }));

Deno.test("restoreBackup() refuses a damaged backup and changes nothing", () =>
  withTemporaryPath(async (path) => {
    const copy = `${path}.bak`;
    await withOpen(path, async (queue) => {
      await queue.enqueue({ type: "a" });
      await queue.backup(copy);
    });
    const size = (await Deno.stat(copy)).size;
    for (const damage of [() => flipByte(copy, 5000), () => Deno.truncateSync(copy, size - 1)]) {
      damage();
      const before = [...Deno.readDirSync(dirname(path))].map(({ name }) => name).sort();
      await assertRejects(() => restoreBackup(copy, path), CorruptionError);
      assertEquals([...Deno.readDirSync(dirname(path))].map(({ name }) => name).sort(), before);
    }
    assertEquals(await typesIn(path), ["a"]);
  }));

Deno.test("listBackups() finds backups only, and cleanupBackups() never takes a queue for one", () =>
  withTemporaryPath(async (path) => {
    const folder = dirname(path);
    await Deno.writeTextFile(`${folder}/notes.txt`, "no backup");
    await withOpen(path, async (queue) => {
      await queue.enqueue({ type: "a" });
      for (const n of [1, 2, 3]) {
        await queue.backup(`${path}.${n}`);
        Deno.utimeSync(`${path}.${n}`, n, n);
      }
      await queue.checkpoint();
    });
    const found = async (): Promise<string[]> =>
      (await listBackups(folder)).map(({ path }) => path);
    assertEquals(await found(), [`${path}.3`, `${path}.2`, `${path}.1`]);
    assertEquals(await cleanupBackups(folder, 2), [`${path}.1`]);
    assertEquals(await found(), [`${path}.3`, `${path}.2`]);
    await assertRejects(() => cleanupBackups(folder, 0), RangeError, "keep");
    assertEquals(await typesIn(path), ["a"]);
  }));

Deno.test("integrityCheck() finds that the files no longer say what was written", () =>
  withTemporaryPath(async (path) => {
    await withOpen(path, async (queue) => {
      await queue.enqueue({ type: "a" });
      await queue.checkpoint();
      await queue.enqueueBatch(Array.from({ length: 2500 }, () => ({ type: "t" })));
      await queue.cancel(1);
      assertEquals(await queue.integrityCheck(), { ok: true, problems: [] });
      flipByte(path, 5000);
      const { ok, problems } = await queue.integrityCheck();
      assertEquals([ok, problems.length], [false, 1]);
      assert(problems[0]!.includes("does not match its checksum"), problems[0]);
    });
  }));

Deno.test("repairQueue() salvages what is whole around a damaged record, and leaves the files alone", () =>
  withTemporaryPath(async (path) => {
    const journal = `${path}.journal-1`;
    const ends: number[] = [];
    const queue = await openEmbeddedQueue(path);
    for (const type of ["a", "b", "c", "d"]) {
      await queue.enqueue({ type });
      ends.push(await endOfRecords(journal));
    }
    await assertRejects(() => repairQueue(path), StorageError, "it is open");
    await queue.close();
    flipByte(journal, ends[0]! + 40);
    await assertRejects(() => openEmbeddedQueue(path), CorruptionError);
    const damaged = await Deno.readFile(journal);
    const report = await repairQueue(path);
    assertEquals([report.path, report.tasks, report.records], [`${path}.repaired`, 3, 3]);
    assertEquals(report.lost.map(({ path, offset, bytes }) => [path, offset, bytes]), [
      [journal, ends[0]!, ends[1]! - ends[0]!],
    ]);
    assertEquals(await Deno.readFile(journal), damaged);
    await assertRejects(() => repairQueue(path), StorageError, "there already");
    const { keptIn } = await restoreBackup(report.path, path);
    assertNotEquals(keptIn, null);
    assertEquals(await typesIn(path), ["a", "c", "d"]);
  }));

Deno.test("repairQueue() uses a snapshot with a wrong checksum when its pages are whole, else the journal alone", () =>
  withTemporaryPath(async (path) => {
    await withOpen(path, async (queue) => {
      await queue.enqueue({ type: "a" });
      await queue.checkpoint();
      await queue.enqueue({ type: "b" });
    });
    flipByte(path, -6);
    const whole = await repairQueue(path, { output: `${path}.1` });
    assertEquals([whole.tasks, whole.lost.length], [2, 1]);
    await Deno.writeFile(path, new Uint8Array(8192).fill(7));
    const alone = await repairQueue(path, { output: `${path}.2` });
    assertEquals([alone.tasks, alone.records], [1, 1]);
  }));

Deno.test("repairQueue() repairs whatever bit of the snapshot is flipped, and never passes over the journal's records", async (t) => {
  await withTemporaryPath(async (path) => {
    await withOpen(path, async (queue) => {
      await queue.enqueueBatch([{ type: "a" }, { type: "b" }]);
      await queue.checkpoint();
      await queue.enqueue({ type: "c" });
    });
    const whole = await Deno.readFile(path);
    const tally = { whole: 0, journalOnly: 0 };
    for (const [at, bit] of flips(whole)) {
      const bytes = whole.slice();
      bytes[at]! ^= 1 << bit;
      await Deno.writeFile(path, bytes);
      const output = `${path}.${at}-${bit}`;
      const { tasks, records, lost } = await repairQueue(path, { output });
      const where = `bit ${bit} of byte ${at}`;
      assertEquals([records, lost.length], [1, 1], where);
      assert(tasks === 3 || tasks === 1 && lost[0]!.bytes === bytes.length, `${where}: ${tasks}`);
      tally[tasks === 3 ? "whole" : "journalOnly"]++;
      await Deno.remove(output);
    }
    await t.step(`tried ${JSON.stringify(tally)}`, () => {
      const least = isThorough() ? { whole: 100, journalOnly: 20 } : { whole: 20, journalOnly: 2 };
      assert(
        tally.whole > least.whole && tally.journalOnly > least.journalOnly,
        JSON.stringify(tally),
      );
    });
  });
});

/** Every byte of SQLite's header, what the snapshot says of its sequence, some of the others. */
function flips(snapshot: Uint8Array): [at: number, bit: number][] {
  const text = new TextDecoder("latin1").decode(snapshot);
  const places = [
    ...Array.from({ length: 100 }, (_, at) => at),
    ...Array.from(text.matchAll(/sequence/g), ({ index }) => index + "sequence".length),
    ...Array.from({ length: 200 }, (_, i) => Math.floor(i * snapshot.length / 200)),
  ];
  return places.filter((_, i) => i % effort("flipStride") === 0)
    .flatMap((at, i): [number, number][] => [[at, i % 8], [at, (i + 4) % 8]]);
}

Deno.test("a pruned task's log goes with it", () =>
  withTemporaryPath(async (path) => {
    const logs = openLogStore(path);
    await withOpen(path, async (queue) => {
      await queue.enqueueBatch([{ type: "t" }, { type: "t" }]);
      const line = { at: "2026-01-01T00:00:00.000Z", level: "info", message: "x", attempt: 1 };
      for (const id of [1, 2]) logs.append(id, line as never);
      await queue.cancel(1);
      assertEquals((await queue.prune({ keep: 0 })).pruned, 1);
    });
    assertEquals([(await logs.read(1, 0)).lines.length, (await logs.read(2, 0)).lines.length], [
      0,
      1,
    ]);
  }));
