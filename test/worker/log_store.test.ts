/**
 * Logs: both stores keep the same promises, whatever is said, however much, and whatever a power cut left.
 */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";
import { line, logStoreContract, messagesOf } from "../contract/log_store_contract.ts";
import { MemoryLogStore, openEmbeddedQueue, openLogStore, restoreBackup } from "../../src/mod.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A queue's path in a new folder. */
async function withPath(test: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast logs ü " });
  try {
    await test(join(folder, "q.db"), folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

logStoreContract("FileLogStore", (limits, test) =>
  withPath(async (path) => {
    await test(openLogStore(path, limits));
  }));

logStoreContract("MemoryLogStore", (limits, test) => test(new MemoryLogStore(limits)));

Deno.test("a limit of logs that is out of its range is refused", () => {
  assertThrows(() => new MemoryLogStore({ taskMaxBytes: 1 }), RangeError, "taskMaxBytes");
  assertThrows(() => openLogStore("q.db", { taskMaxBytes: NaN }), RangeError, "taskMaxBytes");
});

Deno.test("what a power cut left of a log's end is passed over, and the next line is whole", () =>
  withPath(async (path) => {
    for (
      const remains of ['{"at":"2026', "\0\0\0\0", `${JSON.stringify(line("cut"))}`, '{"a":1}\n']
    ) {
      openLogStore(path).append(1, line("before"));
      const file = `${path}.logs/1.ndjson`;
      await Deno.writeTextFile(file, remains, { append: true });
      const logs = openLogStore(path);
      assertEquals(await messagesOf(logs), ["before"]);
      logs.append(1, line("after"));
      const cut = remains.includes("cut") ? ["cut"] : [];
      assertEquals(await messagesOf(logs), ["before", ...cut, "after"]);
      assertEquals((await logs.tail(1, { lines: 1 })).lines[0]!.message, "after");
      await Deno.remove(file);
    }
  }));

Deno.test("zeros larger than a page hide no line behind them", () =>
  withPath(async (path) => {
    const logs = openLogStore(path);
    logs.append(1, line("before"));
    await Deno.writeFile(`${path}.logs/1.ndjson`, new Uint8Array(3 * MIB), { append: true });
    assertEquals(await messagesOf(logs), ["before"]);
    logs.append(1, line("after"));
    assertEquals(await messagesOf(logs), ["before", "after"]);
  }));

Deno.test("read() refuses an offset within a line", () =>
  withPath(async (path) => {
    const logs = openLogStore(path);
    logs.append(1, line("a"));
    await assertRejects(() => logs.read(1, 3), RangeError, "no line begins there");
    await assertRejects(() => logs.tail(1, { lines: 1, offset: 3 }), RangeError);
  }));

Deno.test("a task of a new or a restored queue has no log of another task with its id", () =>
  withPath(async (path, folder) => {
    const backup = join(folder, "b.db");
    const queue = await openEmbeddedQueue(path);
    await queue.enqueue({ type: "t" });
    await queue.backup(backup);
    await queue.enqueue({ type: "t" });
    const logs = openLogStore(path);
    logs.append(2, line("of alice"));
    await queue.close();

    const { keptIn } = await restoreBackup(backup, path);
    assertEquals(await messagesOf(logs, 2), []);
    logs.append(2, line("of bob"));
    assertEquals(await messagesOf(logs, 2), ["of bob"]);
    const kept = await Deno.readTextFile(join(keptIn!, "q.db.logs", "2.ndjson"));
    assertStringIncludes(kept, "of alice");

    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile) await Deno.remove(join(folder, name));
    }
    const anew = await openEmbeddedQueue(path);
    assertEquals(await messagesOf(logs, 2), []);
    await anew.close();
  }));

Deno.test({
  name: "logs are the same by a symbolic link to the queue",
  ignore: Deno.build.os === "windows", // links need a right there that users do not have
  fn: () =>
    withPath(async (path, folder) => {
      await (await openEmbeddedQueue(path)).close();
      const link = join(folder, "l.db");
      await Deno.symlink(path, link);
      openLogStore(link).append(1, line("by the link"));
      assertEquals(await messagesOf(openLogStore(path)), ["by the link"]);
      const queue = await openEmbeddedQueue(link);
      await queue.enqueue({ type: "t" });
      await queue.cancel(1);
      await queue.prune({ keep: 0 });
      await queue.close();
      assertEquals(await messagesOf(openLogStore(path)), []);
    }),
});
