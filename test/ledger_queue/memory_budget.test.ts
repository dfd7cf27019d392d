/**
 * A queue whose memory fills up: what adds is refused before it is full, what makes room never is.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { NewTask } from "../../src/domain/task.ts";
import { QueueFullError, StorageError } from "../../src/domain/errors.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { seededRandom, withQueue } from "../support/queues.ts";

const memoryMaxBytes = 1024 * 1024;
const FULL_BYTES = memoryMaxBytes * 0.75;
const SMALL = { memory: true, memoryMaxBytes } as const;

const task: NewTask = { type: "t", payload: "x".repeat(20_000), maxAttempts: 3 };

/** Enqueues until it is refused; how many there are. */
async function fill(queue: EmbeddedQueue): Promise<number> {
  for (let n = 0; n < 100; n++) {
    try {
      await queue.enqueue(task);
    } catch (error) {
      assert(error instanceof QueueFullError, String(error));
      return n;
    }
  }
  throw new Error("a hundred tasks of 20 kB do not fill it");
}

function usedBytes(queue: EmbeddedQueue): number {
  return queue.storageStats().memoryUsedBytes;
}

function isFull(work: () => Promise<unknown>): Promise<QueueFullError> {
  return assertRejects(work, QueueFullError);
}

Deno.test("enqueue() is refused when the memory is full, and what was refused leaves no trace", () =>
  withQueue(SMALL, async (queue) => {
    const count = await fill(queue);
    const before = { ...await queue.stats(), used: usedBytes(queue) };
    const error = await isFull(() => queue.enqueue(task));
    assert(error instanceof StorageError && !error.isInDoubt);
    assertEquals([error.code, error.markBytes], ["queue_full", FULL_BYTES]);
    assert(
      error.usedBytes > FULL_BYTES && before.used <= FULL_BYTES && before.used > FULL_BYTES / 2,
    );
    assertStringIncludes(error.message, `${error.usedBytes} bytes of memory, ${FULL_BYTES} are`);
    assertStringIncludes(error.message, "prune finished tasks");
    await isFull(() =>
      queue.enqueueBatch(
        Array.from({ length: 50 }, () => ({ type: "small" }))
          .concat([task, task]),
      )
    );
    assertEquals({ ...await queue.stats(), used: usedBytes(queue) }, before);
    assertEquals([before.total, queue.storageStats().memoryMaxBytes], [count, memoryMaxBytes]);
    assertEquals((await queue.integrityCheck()).problems, []);
  }));

Deno.test("a full queue takes what adds nothing: a known key, small work, a dry run", () =>
  withQueue(SMALL, async (queue) => {
    const keyed = { ...task, idempotencyKey: "k" };
    const { task: { id } } = await queue.enqueue(keyed);
    await fill(queue);
    for (const each of await queue.claim({ workerId: "w", types: ["t"], limit: 100 })) {
      await queue.complete(each, "x".repeat(4000));
    }
    assert(usedBytes(queue) > FULL_BYTES);
    assertEquals((await queue.enqueue(keyed)).task.id, id);
    await queue.heartbeat({ workerId: "w", capabilities: {}, types: ["t"], concurrency: 1 });
    const records = await queue.exportRecords();
    assertEquals((await queue.importRecords(records)).present.length, records.length);
    await withQueue(SMALL, async (other) => {
      await other.enqueue(keyed);
      const renumbered = { renumber: true, dryRun: true };
      assertEquals((await other.importRecords(records, renumbered)).conflicts.length, 1);
    });
  }));

Deno.test("importRecords() and addSchedule() are refused by a full queue as enqueue() is", () =>
  withQueue({ memory: true }, (source) =>
    withQueue(SMALL, async (queue) => {
      for (let i = 0; i < 60; i++) await source.enqueue(task);
      const records = await source.exportRecords();
      await isFull(() => queue.importRecords(records, { renumber: true }));
      assertEquals(await queue.count(), 0);
      await fill(queue);
      const schedule = { id: "s", type: "t", everyMs: 1000, payload: "x".repeat(40_000) };
      await isFull(() => queue.addSchedule(schedule));
      assertEquals(await queue.listSchedules(), []);
    })));

Deno.test("a full queue goes on with everything that ends tasks, and takes more once they are pruned", () =>
  withQueue(SMALL, async (queue, clock) => {
    const count = await fill(queue);
    for (let n = 0; n < count; n++) {
      const [leased] = await queue.claim({ workerId: "w", types: ["t"] });
      await queue.reportProgress(await queue.renew(leased!), 50, "half");
      if (n % 5 === 0) await queue.complete(leased!, "x".repeat(4000));
      else if (n % 5 === 1) await queue.fail(leased!, new Error("x".repeat(4000)));
      else if (n % 5 === 2) assert(await queue.cancel(leased!.id));
      else if (n % 5 === 3) await queue.release(leased!);
      else clock.jump(11_000);
      await isFull(() => queue.enqueue(task));
    }
    clock.jump(11_000);
    await queue.rescue();
    for (const { id, status } of await queue.list()) {
      if (status === "queued") assert(await queue.cancel(id));
    }
    await isFull(() => queue.enqueue(task));
    assertEquals((await queue.prune({ keep: 0 })).pruned, count);
    assertEquals(await fill(queue), count);
  }));

Deno.test("a full queue stores large results up to its limit; a refused one is not a loss of the lease", () =>
  withQueue(SMALL, async (queue, clock) => {
    const count = await fill(queue);
    const tasks = await queue.claim({ workerId: "w", types: ["t"], limit: count });
    const large = "x".repeat(60_000);
    let stored = 0;
    let refused = 0;
    for (const each of tasks) {
      try {
        await queue.complete(each, large);
        stored++;
      } catch (error) {
        assertEquals((error as QueueFullError).markBytes, memoryMaxBytes);
        assertEquals((await queue.get(each.id))!.status, "leased");
        refused++;
      }
    }
    assert(stored > 2 && refused > 2, `${stored} stored, ${refused} refused`);
    const [first, second] = (await queue.list({ status: "leased" })).toReversed();
    assertEquals((await queue.complete(first!, "small")).result, "small");
    await queue.prune({ keep: 0 });
    assertEquals((await queue.complete(second!, large)).result, large);
    clock.jump(11_000);
    assert((await queue.rescue()).length > 0);
    assertEquals(await queue.count({ status: "leased" }), 0);
  }));

Deno.test("health() is degraded before the memory is full, and unhealthy when it is", () =>
  withQueue(SMALL, async (queue) => {
    const verdicts: string[] = [];
    let isRefused = false;
    for (let n = 0; n < 1000 && !isRefused; n++) {
      isRefused = await queue.enqueue({ ...task, payload: "x".repeat(2000) }).then(
        () => false,
        () => true,
      );
      const { verdict, reasons } = await queue.health();
      if (verdict !== verdicts.at(-1)) verdicts.push(verdict);
      if (verdict === "degraded") {
        assertEquals(reasons[0]!.code, "memory_high");
        assertStringIncludes(reasons[0]!.message, `${usedBytes(queue)} of ${memoryMaxBytes}`);
      }
    }
    const tasks = await queue.claim({ workerId: "w", types: ["t"], limit: 1000 });
    for (const each of tasks) await queue.complete(each, "x".repeat(1000));
    verdicts.push((await queue.health()).verdict);
    await queue.prune({ keep: 0 });
    assertEquals([...verdicts, (await queue.health()).verdict], [
      "healthy",
      "degraded",
      "unhealthy",
      "healthy",
    ]);
  }));

Deno.test("a schedule of a full queue does not fire, is told of once, and fires when there is room", async () => {
  const told: Error[] = [];
  const options = { ...SMALL, onBackgroundError: (error: Error) => told.push(error) };
  await withQueue(options, async (queue, clock) => {
    const payload = "x".repeat(30_000);
    await queue.addSchedule({ id: "s", type: "s", everyMs: 60_000, payload });
    const count = await fill(queue);
    for (let second = 0; second < 70; second++) await clock.advance(1000);
    assertEquals([await queue.count({ type: "s" }), told.length], [0, 1]);
    assert(told[0] instanceof QueueFullError);
    await queue.claim({ workerId: "w", types: ["t"], limit: count });
    for (const { id } of await queue.list()) await queue.cancel(id);
    await queue.prune({ keep: 0 });
    await clock.advance(1000);
    assertEquals([await queue.count({ type: "s" }), told.length], [1, 1]);
  });
});

Deno.test("every process of a queue comes to the same conclusion, also one that opened it afterwards", async () => {
  const disk = new MemoryDisk();
  const open = (): Promise<EmbeddedQueue> =>
    openQueue({
      storage: new MemoryStorage(disk),
      memoryMaxBytes,
      clock: new FakeClock(),
      random: seededRandom(1),
    });
  const writer = await open();
  const follower = await open();
  const count = await fill(writer);
  await isFull(() => follower.enqueue(task));
  await writer.checkpoint();
  const late = await open();
  await isFull(() => late.enqueue(task));
  assertEquals([await follower.count(), await late.count()], [count, count]);
  for (const { id } of await late.list()) await late.cancel(id);
  await follower.prune({ keep: 0 });
  assertEquals(await fill(writer), count);
  for (const queue of [late, follower, writer]) await queue.close();
});

Deno.test("memoryMaxBytes has bounds", async () => {
  for (const wrong of [0, 1024 * 1024 - 1, 1280 * 1024 * 1024 + 1, 1.5, NaN]) {
    await assertRejects(() => openQueue({ memory: true, memoryMaxBytes: wrong }), RangeError);
  }
});
