/**
 * What the properties found, each with the smallest history that shows it.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { RetryAfterError } from "../../src/domain/errors.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import type { FileName, StorageFile } from "../../src/storage/storage.ts";
import { StillClock } from "./still_clock.ts";

/** More tasks than one claim makes ready. */
const MANY = 1500;

Deno.test({
  name: "claim() keeps its order when more than a thousand tasks become due at once",
  fn: () =>
    withStillQueue(async (queue, clock) => {
      const runAfter = new Date(clock.nowMs() + 1000);
      await queue.enqueueBatch(Array.from({ length: MANY }, () => ({ type: "t", runAfter })));
      const urgent = { type: "t", priority: 1, runAfter: new Date(clock.nowMs() + 1001) };
      const { task } = await queue.enqueue(urgent);
      clock.advance(5000);
      const [claimed] = await queue.claim({ workerId: "w", types: ["t"] });
      assertEquals(claimed!.id, task.id);
    }),
});

Deno.test({
  name: "claim() finds a due task behind a thousand due ones of another type",
  fn: () =>
    withStillQueue(async (queue, clock) => {
      const runAfter = new Date(clock.nowMs() + 1000);
      await queue.enqueueBatch(Array.from({ length: MANY }, () => ({ type: "other", runAfter })));
      await queue.enqueue({ type: "t", runAfter: new Date(clock.nowMs() + 1001) });
      clock.advance(5000);
      assertEquals((await queue.claim({ workerId: "w", types: ["t"] })).length, 1);
    }),
});

Deno.test("fail() with the longest RetryAfterError leaves a task that can be shown, and no longer one can be made", () =>
  withStillQueue(async (queue) => {
    const longest = 365 * 24 * 3_600_000;
    await queue.enqueue({ type: "t" });
    const [task] = await queue.claim({ workerId: "w", types: ["t"] });
    const { runAfter } = await queue.fail(task!, new RetryAfterError(longest));
    assert(!Number.isNaN(runAfter.getTime()));
    for (const delayMs of [longest + 1, 8.64e15, 1e300, Number.MAX_VALUE]) {
      assertThrows(() => new RetryAfterError(delayMs), RangeError);
    }
  }));

Deno.test({
  name: "enqueue() refuses a compatibility that JSON writes as something else than an object",
  fn: () =>
    withStillQueue(async (queue) => {
      for (const value of [new Date(0), { toJSON: () => ["a"] }]) {
        const compatibility = value as unknown as Record<string, unknown>;
        await assertRejects(() => queue.enqueue({ type: "t", compatibility }), TypeError);
      }
    }),
});

Deno.test({
  name: "a queue opens when a segment's header comes in two reads",
  fn: async () => {
    const disk = new MemoryDisk();
    const first = await openQueue({ storage: new MemoryStorage(disk), clock: new StillClock() });
    await first.enqueue({ type: "t" });
    await first.close();
    const storage = new ShortHeaderStorage(disk);
    const queue = await openQueue({ storage, clock: new StillClock() });
    assertEquals(await queue.count(), 1);
    await queue.close();
  },
});

/** Gives at most forty bytes at a time. */
class ShortHeaderStorage extends MemoryStorage {
  override openFile(name: FileName): StorageFile | undefined {
    const file = super.openFile(name);
    if (file === undefined) return undefined;
    const read = file.read.bind(file);
    file.read = (offset, into) => read(offset, into.subarray(0, 40));
    return file;
  }
}

async function withStillQueue(
  test: (queue: TaskQueue, clock: StillClock) => Promise<void>,
): Promise<void> {
  const clock = new StillClock();
  const queue = await openQueue({ memory: true, clock });
  try {
    await test(queue, clock);
  } finally {
    await queue.close();
  }
}
