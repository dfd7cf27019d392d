/**
 * The order in which files are written, synced, renamed and deleted on a real disk: what no test can lose by a power cut, it
 * can at least see asked for in the right order.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { openEmbeddedQueue } from "../../src/compose/open_embedded.ts";
import { withTemporaryPath } from "../support/queues.ts";
import { type SystemCall, SystemCalls } from "./system_calls.ts";

const IS_WINDOWS = Deno.build.os === "windows";

Deno.test({
  name:
    "every answer follows the fsync of what it promises, and every deletion that of what replaces it",
  sanitizeOps: true,
  sanitizeResources: true,
  fn: () =>
    withTemporaryPath(async (path) => {
      const noted = await callsOf(path);
      const dirty = new Set<string>();
      for (const [i, { call, of }] of noted.entries()) {
        const what = describe(noted, i);
        if (call === "create" || call === "rename") dirty.add(".");
        if (call === "create" || call === "write" || call === "truncate") dirty.add(of);
        if (call === "sync") dirty.delete(of);
        if (call === "rename") {
          assert(!dirty.has(of), `${of} is renamed before it is synced${what}`);
        }
        if (call === "create" && of.startsWith("journal-")) {
          const unsynced = [...dirty].filter((file) => file !== of && file.startsWith("journal-"));
          assertEquals(unsynced, [], `${of} begins before the segment before it is synced${what}`);
        }
        if (call === "answer" || call === "remove") {
          const unsynced = [...dirty].filter((file) => file !== "." || !IS_WINDOWS);
          assertEquals(unsynced, [], `${call} of ${of} comes too early${what}`);
        }
      }
    }),
});

Deno.test({
  name: "the folders that a new queue needs are durable before its first answer",
  ignore: IS_WINDOWS, // there a folder cannot be synced
  fn: () =>
    withTemporaryPath(async (path) => {
      const folder = dirname(path);
      const deep = join(folder, "new", "deeper", "queue.db");
      using calls = new SystemCalls(deep);
      const queue = await openEmbeddedQueue(deep);
      const synced = calls.noted.filter(({ call }) => call === "sync").map(({ of }) => of);
      await queue.close();
      for (const above of [folder, join(folder, "new"), "."]) {
        assert(synced.includes(above), `${above} is not synced, only ${synced.join(", ")}`);
      }
    }),
});

/** What happens in the life of a queue with a few tasks and checkpoints. */
async function callsOf(path: string): Promise<readonly SystemCall[]> {
  using calls = new SystemCalls(path);
  for (const round of [1, 2]) {
    const queue = await openEmbeddedQueue(path);
    for (const task of ["a", "b"]) {
      await queue.enqueue({ type: "t" });
      calls.answered(`task ${round}${task}`);
      await queue.checkpoint();
      calls.answered(`checkpoint ${round}${task}`);
    }
    const [claimed] = await queue.claim({ workerId: "w", types: ["t"] });
    calls.answered("claim");
    await queue.complete(claimed!);
    calls.answered("completion");
    await queue.close();
  }
  const count = (of: SystemCall["call"]): number =>
    calls.noted.filter(({ call }) => call === of).length;
  assertEquals([count("rename"), count("remove"), count("answer")], [4, 4, 12]);
  assert(count("write") >= 12 && count("sync") >= 12, JSON.stringify(calls.noted));
  return calls.noted;
}

/** The calls before the one at `i`, for a message. */
function describe(calls: readonly SystemCall[], i: number): string {
  const before = calls.slice(Math.max(0, i - 12), i + 1).map(({ call, of }) => `${call} ${of}`);
  return `: ${before.join(", ")}`;
}
