/**
 * `importAsNewQueue`: a queue that appears with its tasks, or not at all.
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StorageError } from "../../src/domain/errors.ts";
import { exportTasks } from "../../src/compose/export_tasks.ts";
import { importAsNewQueue, importTasks } from "../../src/compose/import_tasks.ts";
import { ImportRefusedError } from "../../src/transfer/import_report.ts";
import { openEmbeddedQueue } from "../../src/compose/open_embedded.ts";
import { isThorough } from "../support/effort.ts";
import { inFolder } from "./original_system.ts";

function lineOf(id: number, fields: Readonly<Record<string, unknown>> = {}): string {
  const line = {
    id,
    type: "a",
    status: "queued",
    created_at_utc: "2026-01-01T00:00:00Z",
    ...fields,
  };
  return `${JSON.stringify(line)}\n`;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
}

Deno.test(
  "more than one transaction can hold comes in, and is there after opening the queue anew",
  {
    ignore: !isThorough(),
  },
  () =>
    inFolder(async (path) => {
      const payload = { text: "x".repeat(250_000) };
      const count = 300;
      using file = await Deno.open(path("big.ndjson"), { write: true, create: true });
      for (let id = 1; id <= count; id++) {
        file.writeSync(new TextEncoder().encode(lineOf(2 * id, { payload })));
      }
      const existing = await openEmbeddedQueue(path("existing.db"));
      await assertRejects(
        () => importTasks(existing, path("big.ndjson")),
        RangeError,
        "in one operation",
      );
      assertEquals(await existing.count(), 0);
      await existing.close();

      const done: number[] = [];
      const report = await importAsNewQueue(path("queue.db"), path("big.ndjson"), {
        onProgress: ({ phase, done: stored }) => void (phase === "store" && done.push(stored)),
      });
      assertEquals([report.stored, report.added], [true, count]);
      assertEquals(done.at(-1), count);
      assertEquals(new Set(done).size > 3, true);
      const queue = await openEmbeddedQueue({ path: path("queue.db"), mustExist: true });
      assertEquals(await queue.integrityCheck(), { ok: true, problems: [] });
      assertEquals((await queue.get(2 * count))?.payload, payload);
      assertEquals((await queue.enqueue({ type: "next" })).task.id, 2 * count + 1);
      assertEquals((await queue.claim({ workerId: "w", types: ["a"] }))[0]?.id, 2);
      const again = await importTasks(queue, path("big.ndjson"), { dryRun: true });
      assertEquals([again.added, again.present], [0, count]);
      await queue.close();
    }),
);

Deno.test("with a problem, or as a dry run, no queue is made and no file is left", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(path("x.ndjson"), lineOf(1) + lineOf(2, { priority: 0 }) + lineOf(3));
    const error = await assertRejects(
      () => importAsNewQueue(path("queue.db"), path("x.ndjson")),
      ImportRefusedError,
    );
    assertStringIncludes(error.message, "task 2: Cannot use 0 as priority");
    const planned = await importAsNewQueue(path("queue.db"), path("x.ndjson"), { dryRun: true });
    assertEquals([planned.stored, planned.added], [false, 2]);
    assertEquals(await namesIn(path(".")), ["x.ndjson"]);
    const report = await importAsNewQueue(path("queue.db"), path("x.ndjson"), {
      skipInvalid: true,
    });
    assertEquals([report.stored, report.added, report.problems.length], [true, 2, 1]);
    assertEquals((await namesIn(path("."))).filter((name) => name.includes("importing")), []);
    const queue = await openEmbeddedQueue({ path: path("queue.db"), mustExist: true });
    assertEquals((await queue.exportRecords()).map(({ id }) => id), [1, 3]);
    await queue.close();
  }));

Deno.test("a queue that is there is left alone", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(path("x.ndjson"), lineOf(1));
    const queue = await openEmbeddedQueue(path("queue.db"));
    await queue.enqueue({ type: "own" });
    const error = await assertRejects(
      () => importAsNewQueue(path("queue.db"), path("x.ndjson")),
      StorageError,
    );
    assertStringIncludes(error.message, "it is there already");
    assertEquals((await queue.list()).map(({ type }) => type), ["own"]);
    await queue.close();
  }));

Deno.test("an empty queue goes out and comes in", () =>
  inFolder(async (path) => {
    const empty = await openEmbeddedQueue({ memory: true });
    await exportTasks(empty, { format: "original", output: path("empty.db") });
    await empty.close();
    const report = await importAsNewQueue(path("queue.db"), path("empty.db"));
    assertEquals([report.stored, report.found, report.added], [true, 0, 0]);
  }));
