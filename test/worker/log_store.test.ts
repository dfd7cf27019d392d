/**
 * Logs: both stores keep the same promises, whatever is said, however much, and whatever a power cut left.
 */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "node:path";
import {
  type LogLine,
  type LogStore,
  MemoryLogStore,
  openEmbeddedQueue,
  openLogStore,
  restoreBackup,
} from "../../src/mod.ts";

const AT = "2026-01-01T00:00:00.000Z";
const KIB = 1024;
const MIB = 1024 * KIB;

function line(message: string, more: Partial<LogLine> = {}): LogLine {
  return { at: AT, level: "info", attempt: 1, message, ...more };
}

/** A queue's path in a new folder. */
async function withPath(test: (path: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "holdfast logs ü " });
  try {
    await test(join(folder, "q.db"), folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function messagesOf(logs: LogStore, taskId = 1): Promise<string[]> {
  const messages: string[] = [];
  for (let offset = 0;;) {
    const { lines, nextOffset } = await logs.read(taskId, offset);
    messages.push(...lines.map(({ message }) => message));
    if (nextOffset === offset) return messages;
    offset = nextOffset;
  }
}

const LIMIT = { taskMaxBytes: 64 * KIB };

const STORES: [string, (path: string, limits?: typeof LIMIT) => LogStore][] = [
  ["FileLogStore", openLogStore],
  ["MemoryLogStore", (_path, limits) => new MemoryLogStore(limits)],
];

for (const [name, open] of STORES) {
  Deno.test(`${name}: tail() gives the last lines and the place after them`, () =>
    withPath(async (path) => {
      const logs = open(path);
      assertEquals(await logs.tail(1, { lines: 2 }), { lines: [], nextOffset: 0 });
      for (let n = 1; n <= 5000; n++) logs.append(1, line(`${n}: ${"x".repeat(100)}`));
      const { lines, nextOffset } = await logs.tail(1, { lines: 2 });
      assertEquals(lines.map(({ message }) => parseInt(message)), [4999, 5000]);
      assertEquals(nextOffset, await logs.end(1));
      assertEquals((await logs.tail(1, { lines: 4321 })).lines.length, 4321);
      assertEquals((await logs.tail(1, { lines: 10_000 })).lines.length, 5000);
      logs.append(1, line("new"));
      const { lines: later } = await logs.read(1, nextOffset);
      assertEquals(later.map(({ message }) => message), ["new"]);
      assertEquals((await logs.tail(1, { lines: 9, offset: nextOffset })).lines.length, 1);
    }));

  Deno.test(`${name}: pages and tails end by size`, () =>
    withPath(async (path) => {
      const logs = open(path);
      for (let n = 0; n < 200; n++) logs.append(1, line("x".repeat(50 * KIB)));
      const size = (lines: LogLine[]): number => JSON.stringify(lines).length;
      const page = await logs.read(1, 0);
      assert(page.lines.length > 0 && size(page.lines) <= MIB + 64 * KIB);
      const tail = await logs.tail(1, { lines: 200 });
      assert(tail.lines.length > 20 && size(tail.lines) <= 4 * MIB + 64 * KIB);
      assertEquals((await messagesOf(logs)).length, 200);
    }));

  Deno.test(`${name}: of a line that is too long the details go first, then its end`, () =>
    withPath(async (path) => {
      const logs = open(path);
      logs.append(1, line("short", { details: "d".repeat(70 * KIB) }));
      logs.append(1, line("\u{1F600}\n".repeat(MIB), { details: 1 }));
      const { lines: [first, second] } = await logs.read(1, 0);
      assertEquals(first!.message, "short");
      assertStringIncludes(String(first!.details), "left out");
      assert(second!.message.endsWith("…") && second!.message.isWellFormed());
      assert(JSON.stringify(second).length < 64 * KIB);
    }));

  Deno.test(`${name}: a full log says so once, and still keeps errors`, () =>
    withPath(async (path) => {
      const logs = open(path, LIMIT);
      for (let n = 0; n < 100; n++) logs.append(1, line(`${n} ${"x".repeat(KIB)}`));
      logs.append(1, line("why it failed", { level: "error" }));
      logs.append(1, line("short"));
      const messages = await messagesOf(logs);
      const told = messages.filter((message) => message.startsWith("the log is full"));
      assertEquals([told.length, messages.at(-1)], [1, "why it failed"]);
      assert(messages.length > 50 && messages.length < 70);
      for (let n = 0; n < 100; n++) logs.append(1, line("x".repeat(30 * KIB), { level: "error" }));
      assert(JSON.stringify(await messagesOf(logs)).length < 64 * KIB + MIB);
    }));
}

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
