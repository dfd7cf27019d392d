/**
 * Commands that only read: they change no file, wait for no lock, and need neither permission to write nor room on the disk.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { StorageError } from "../../src/domain/errors.ts";
import { openEmbeddedQueue } from "../../src/compose/open_embedded.ts";
import { DenoStorage } from "../../src/platform/deno_storage.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { holdfast } from "./cli_harness.ts";

const READING = [
  ["list"],
  ["stats"],
  ["health"],
  ["show", "1"],
  ["explain", "1"],
  ["transitions", "1"],
  ["workers"],
  ["logs", "1"],
  ["schedule", "list"],
  ["export", "--format", "ndjson"],
];

/** Name, size and time of each file in a folder. */
function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => {
    const { size, mtime } = Deno.statSync(join(folder, name));
    return `${name} ${size} ${mtime?.getTime()}`;
  }).toSorted();
}

async function makeQueue(path: string): Promise<void> {
  const queue = await openEmbeddedQueue(path);
  await queue.enqueue({ type: "t", payload: "x".repeat(100_000) });
  await queue.checkpoint();
  await queue.enqueue({ type: "t", payload: "x".repeat(100_000) });
  await queue.close();
}

Deno.test("commands that only read change no file, need no lock file, and wait for no lock", () =>
  withTemporaryPath(async (path) => {
    await makeQueue(path);
    for (const name of ["commit", "checkpoint", "open"]) await Deno.remove(`${path}.${name}.lock`);
    const before = filesIn(dirname(path));
    for (const command of READING) {
      const { code, err } = await holdfast(["--db", path, ...command]);
      assertEquals([command[0], code, err.includes("holdfast")], [command[0], 0, false]);
      assertEquals(filesIn(dirname(path)), before, command[0]);
    }
    const holder = new DenoStorage(path);
    await holder.open();
    const lock = holder.tryLock("commit")!;
    assertEquals((await holdfast(["--db", path, "list"])).code, 0);
    lock.release();
    holder.close();
  }));

Deno.test("a queue that is read only refuses what would change it, and follows what others write", () =>
  withTemporaryPath(async (path) => {
    await makeQueue(path);
    const reader = await openEmbeddedQueue({ path, readOnly: true });
    for (
      const change of [
        () => reader.enqueue({ type: "t" }),
        () => reader.cancel(1),
        () => reader.checkpoint(),
        () => reader.backup(`${path}.backup`),
        () => reader.flush(),
      ]
    ) {
      await assertRejects(change, StorageError, "it was opened for reading only");
    }
    const writer = await openEmbeddedQueue(path);
    await writer.enqueue({ type: "t" });
    assertEquals(await reader.count(), 3);
    await writer.checkpoint();
    await writer.enqueue({ type: "t" });
    assertEquals(await reader.count(), 4);
    assertEquals(await reader.integrityCheck(), { ok: true, problems: [] });
    await writer.close();
    await reader.close();
    await assertRejects(
      () => openEmbeddedQueue({ path: `${path}.none`, readOnly: true }),
      StorageError,
    );
  }));

Deno.test("reading only tells damage from what a crash or a writer has left unfinished", () =>
  withTemporaryPath(async (path) => {
    const queue = await openEmbeddedQueue(path);
    for (let n = 0; n < 3; n++) await queue.enqueue({ type: "t", runId: `${n}` });
    await queue.close();
    const journal = `${path}.journal-1`;
    const whole = await Deno.readFile(journal);
    await Deno.writeFile(journal, new Uint8Array([...whole, ...new Uint8Array(30).fill(7)]));
    assertEquals((await holdfast(["--db", path, "list"])).code, 0);
    const damaged = whole.slice();
    damaged[200]! ^= 1;
    await Deno.writeFile(journal, damaged);
    const { code, err } = await holdfast(["--db", path, "list"]);
    assertEquals(code, 4);
    assertStringIncludes(err, "damaged");
  }));

Deno.test("close() succeeds when no checkpoint can be made, and says why", () =>
  withTemporaryPath(async (path) => {
    const storage = new FaultyStorage(new DenoStorage(path));
    const told: string[] = [];
    const onBackgroundError = ({ message }: Error): unknown => told.push(message);
    const queue = await openEmbeddedQueue({ storage, clock: new FakeClock(), onBackgroundError });
    await queue.enqueue({ type: "t", payload: "x".repeat(100_000) });
    storage.fault = (point) =>
      point === "writeFile" ? { message: "no space left on device" } : undefined;
    await queue.close();
    assertEquals(told.length, 1);
    assertStringIncludes(told[0]!, "no space left");
  }));

Deno.test("check and other commands leave another program's file alone, and do not call it damaged", () =>
  withTemporaryPath(async (path) => {
    const database = (await loadSqlJsEngine()).open();
    database.run("CREATE TABLE theirs (id INTEGER)");
    await Deno.writeFile(path, database.export());
    database.close();
    const before = filesIn(dirname(path));
    const { code, out } = await holdfast(["--db", path, "check"]);
    assertEquals(code, 3);
    assertStringIncludes(out, "another program");
    assertStringIncludes(out, "the queue could not be checked");
    assertEquals((await holdfast(["--db", path, "enqueue", "t"])).code, 4);
    assertEquals(filesIn(dirname(path)), before);
  }));
