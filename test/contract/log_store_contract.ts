/**
 * What every LogStore does, whatever is said, and however much.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { LogLimits, LogLine, LogStore } from "../../src/worker/log_store.ts";
import { liveHeapBytes } from "../support/live_heap.ts";

/** Runs `test` with a store without a line. */
export type UseLogs = (
  limits: Partial<LogLimits>,
  test: (logs: LogStore) => Promise<void>,
) => Promise<void>;

const AT = "2026-01-01T00:00:00.000Z";
const KIB = 1024;
const MIB = 1024 * KIB;

const LIMIT = { taskMaxBytes: 64 * KIB };

/** A line of a log. */
export function line(message: string, more: Partial<LogLine> = {}): LogLine {
  return { at: AT, level: "info", attempt: 1, message, ...more };
}

/** Every message of a log, page by page. */
export async function messagesOf(logs: LogStore, taskId = 1): Promise<string[]> {
  const messages: string[] = [];
  for (let offset = 0;;) {
    const { lines, nextOffset } = await logs.read(taskId, offset);
    messages.push(...lines.map(({ message }) => message));
    if (nextOffset === offset) return messages;
    offset = nextOffset;
  }
}

/** Every store passes these. */
export function logStoreContract(name: string, useLogs: UseLogs): void {
  Deno.test(`${name}: tail() gives the last lines and the place after them`, () =>
    useLogs({}, async (logs) => {
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

  Deno.test(`${name}: flush() and read() of many tasks leave nothing behind in memory`, () =>
    useLogs({}, async (logs) => {
      const askForAll = async (count: number): Promise<void> => {
        for (let n = 0; n < count; n++) {
          await logs.flush?.(n);
          if (n % 100 === 0) await logs.end(n);
        }
      };
      logs.append(1, line("one"));
      await askForAll(2000);
      const before = liveHeapBytes();
      await askForAll(50_000);
      const grown = liveHeapBytes() - before;
      assert(grown < 4 * MIB, `${grown} bytes`);
    }));

  Deno.test(`${name}: pages and tails end by size`, () =>
    useLogs({}, async (logs) => {
      for (let n = 0; n < 200; n++) logs.append(1, line("x".repeat(50 * KIB)));
      const size = (lines: LogLine[]): number => JSON.stringify(lines).length;
      const page = await logs.read(1, 0);
      assert(page.lines.length > 0 && size(page.lines) <= MIB + 64 * KIB);
      const tail = await logs.tail(1, { lines: 200 });
      assert(tail.lines.length > 20 && size(tail.lines) <= 4 * MIB + 64 * KIB);
      assertEquals((await messagesOf(logs)).length, 200);
    }));

  Deno.test(`${name}: of a line that is too long the details go first, then its end`, () =>
    useLogs({}, async (logs) => {
      logs.append(1, line("short", { details: "d".repeat(70 * KIB) }));
      logs.append(1, line("\u{1F600}\n".repeat(MIB), { details: 1 }));
      const { lines: [first, second] } = await logs.read(1, 0);
      assertEquals(first!.message, "short");
      assertStringIncludes(String(first!.details), "left out");
      assert(second!.message.endsWith("…") && second!.message.isWellFormed());
      assert(JSON.stringify(second).length < 64 * KIB);
    }));

  Deno.test(`${name}: a full log says so once, and still keeps errors`, () =>
    useLogs(LIMIT, async (logs) => {
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
