/**
 * A worker beside whoever enqueues claims in the commit that stores the task: it starts after one fsync, not after two.
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import { settle } from "../support/fake_clock.ts";
import { withQueue } from "../support/queues.ts";

/** What happened to one queue. */
interface Seen {
  /** The type of each task that started, with how many commits there had been. */
  readonly starts: [type: string, commits: number][];
  /** How often the worker claimed. */
  claims: number;
}

/** A worker for type `t` and two slots that has gone to rest, on a queue with no commits to come but those of the test. */
async function withIdleWorker(
  test: (queue: EmbeddedQueue, seen: Seen) => Promise<void>,
): Promise<void> {
  await withQueue({}, async (queue, clock) => {
    const seen: Seen = { starts: [], claims: 0 };
    const claim = queue.claim.bind(queue);
    queue.claim = (request) => {
      seen.claims++;
      return claim(request);
    };
    const running = Promise.withResolvers<void>();
    const handlers = new HandlerRegistry().register("t", async (task) => {
      seen.starts.push([task.type, queue.storageStats().commits]);
      await running.promise;
    });
    const worker = new Worker({ queue, handlers, clock, concurrency: 2, quiet: true });
    worker.start();
    await settle();
    seen.claims = 0;
    try {
      await test(queue, seen);
    } finally {
      running.resolve();
      await worker.stop();
    }
  });
}

Deno.test("a task starts after the commit that stores it, which leases it, too", async () => {
  await withIdleWorker(async (queue, { starts }) => {
    const before = queue.storageStats().commits;
    const { task } = await queue.enqueue({ type: "t" });
    await settle();
    assertEquals(starts, [["t", before + 1]]);
    assertEquals((await queue.get(task.id))!.status, "leased");
    const kinds = (await queue.transitions(task.id)).map(({ kind }) => kind);
    assertEquals(kinds, ["enqueued", "leased"]);
  });
});

Deno.test("so do the tasks of a batch, as many as there are slots", async () => {
  await withIdleWorker(async (queue, { starts }) => {
    const before = queue.storageStats().commits;
    await queue.enqueueBatch([{ type: "u" }, { type: "t" }, { type: "t" }, { type: "t" }]);
    await settle();
    assertEquals(starts, [["t", before + 1], ["t", before + 1]]);
    assertEquals(await queue.count({ status: "queued" }), 2);
  });
});

Deno.test("a worker without a handler for it does not claim", async () => {
  await withIdleWorker(async (queue, seen) => {
    await queue.enqueue({ type: "other" });
    await settle();
    assertEquals(seen, { starts: [], claims: 0 });
  });
});

Deno.test("a worker without a free slot does not claim", async () => {
  await withIdleWorker(async (queue, seen) => {
    await queue.enqueueBatch([{ type: "t" }, { type: "t" }]);
    await settle();
    assertEquals(seen.starts.length, 2);
    seen.claims = 0;
    await queue.enqueue({ type: "t" });
    await settle();
    assertEquals(seen.claims, 0);
  });
});

Deno.test("what cannot be claimed once it is stored is not told before, and nobody hears who has stopped listening", async () => {
  await withQueue({}, async (queue, clock) => {
    const heard: (readonly string[])[] = [];
    const stop = queue.watchStoring!((types) => void heard.push(types));
    await queue.enqueueBatch([{ type: "b", runId: "parent" }, { type: "a" }, { type: "b" }]);
    await queue.enqueue({ type: "child", dependsOn: ["parent"] });
    await queue.enqueue({ type: "later", runAfter: new Date(clock.nowMs() + 1) });
    await queue.enqueue({ type: "cancelled" }, { cancelled: true });
    await queue.enqueue({ type: "leased" }, { leaseTo: { workerId: "w" } });
    await queue.enqueue({ type: "due", runAfter: new Date(clock.nowMs()) });
    stop();
    await queue.enqueue({ type: "c" });
    assertEquals(heard, [["b", "a"], ["due"]]);
  });
});

Deno.test("a listener that throws leaves the queue as it was; one that is no function is refused", async () => {
  await withQueue({}, async (queue) => {
    const stop = queue.watchStoring!(() => {
      throw new Error("not now");
    });
    await assertRejects(() => queue.enqueue({ type: "t" }), Error, "not now");
    stop();
    assertEquals(await queue.count(), 0);
    assertThrows(() => queue.watchStoring!("f" as never), TypeError, "listener");
  });
});
