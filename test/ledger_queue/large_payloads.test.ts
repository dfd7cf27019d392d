/**
 * Many large tasks at once: each operation does what fits into one record, and the rest is done by the next.
 */
import { assert, assertEquals } from "@std/assert";
import type { NewTask } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { withQueue } from "../support/queues.ts";

const LARGE = "x".repeat(250 * 1024);

/** So many of them make a record that is longer than the ledger takes. */
const TOO_MANY = 300;

Deno.test("more large tasks become due at once than a record holds: they are claimed all the same", () =>
  withQueue({ memory: true }, async (queue, clock) => {
    const runAfter = new Date(clock.nowMs() + 5000);
    await enqueueMany(queue, { type: "large", runAfter });
    await queue.enqueue({ type: "small", runAfter });
    clock.jump(6000);
    assertEquals((await queue.claim({ workerId: "w", types: ["small"] })).length, 1);
    assertEquals((await queue.claim({ workerId: "w", types: ["large"] })).length, 1);
  }));

Deno.test("claim() gives as many large tasks as a record holds, one at least, and then the others", () =>
  withQueue({ memory: true, payloadMaxBytes: 16 * 1024 * 1024 }, async (queue) => {
    const payload = "x".repeat(16 * 1024 * 1024 - 10);
    for (let i = 0; i < 3; i++) await queue.enqueue({ type: "t", payload });
    const claimed: number[] = [];
    for (let i = 0; i < 3; i++) {
      const tasks = await queue.claim({ workerId: "w", types: ["t"], limit: 3 });
      assert(tasks.length > 0);
      claimed.push(...tasks.map(({ id }) => id));
    }
    assertEquals(claimed, [1, 2, 3]);
  }));

Deno.test("more leases of large tasks expire at once than a record holds: all are rescued", () =>
  withQueue({ memory: true }, async (queue, clock) => {
    await enqueueMany(queue, { type: "large" });
    while (await queue.count({ status: "queued" }) > 0) {
      await queue.claim({ workerId: "w", types: ["large"], limit: 1000 });
    }
    clock.jump(11_000);
    for (let rescued = 0; rescued < TOO_MANY;) {
      const tasks = await queue.rescue();
      assert(tasks.length > 0);
      rescued += tasks.length;
    }
    assertEquals(await queue.count({ status: "leased" }), 0);
  }));

Deno.test("parents that fail at once in a rescue tell no more children than a record holds", () =>
  withQueue({ memory: true }, async (queue, clock) => {
    const parents = Array.from({ length: 9 }, (_, i) => `p${i}`);
    await queue.enqueueBatch(parents.map((runId) => ({ type: "p", runId, maxAttempts: 1 })));
    await queue.claim({ workerId: "w", types: ["p"], limit: 9 });
    for (const parent of parents) {
      await enqueueMany(queue, { type: "child", dependsOn: [parent] }, 33);
    }
    clock.jump(11_000);
    assertEquals((await queue.rescue()).length, 9);
    while (await queue.count({ status: "queued" }) > 0) {
      const before = await queue.count({ status: "failed" });
      await queue.rescue(); // goes on with the children that were left to tell
      assert(await queue.count({ status: "failed" }) > before);
    }
    assertEquals(await queue.count({ status: "failed" }), 9 + 9 * 33);
  }));

async function enqueueMany(
  queue: TaskQueue,
  task: Omit<NewTask, "payload">,
  count = TOO_MANY,
): Promise<void> {
  for (let i = 0; i < count; i++) await queue.enqueue({ ...task, payload: LARGE });
}

Deno.test("list() gives one task at least, however large", () =>
  withQueue({ memory: true, payloadMaxBytes: 16 * 1024 * 1024 }, async (queue) => {
    const payload = "x".repeat(16 * 1024 * 1024 - 10);
    for (let i = 0; i < 2; i++) await queue.enqueue({ type: "t", payload });
    assertEquals((await queue.list()).map(({ id }) => id), [2]);
    assertEquals((await queue.list({ beforeId: 2 })).map(({ id }) => id), [1]);
  }));
