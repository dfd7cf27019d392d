import { assertEquals } from "@std/assert";
import { expiryContract } from "../contract/expiry_contract.ts";
import { flowContract } from "../contract/flow_contract.ts";
import { uniqueContract } from "../contract/unique_contract.ts";
import { AdjustableClock } from "../support/adjustable_clock.ts";
import {
  EMBEDDED_PLACES,
  withMemoryQueue,
  withQueue,
  withTemporaryPath,
} from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) flowContract(name, withPlace);
expiryContract("queue in memory", withMemoryQueue);
uniqueContract("queue in memory", withMemoryQueue);

Deno.test("1: a pause and a limit are there when a queue is opened again", async () => {
  await withTemporaryPath(async (path) => {
    await withQueue({ path }, async (queue) => {
      await queue.pause({ type: "email" }, { by: "ops", reason: "provider down" });
      await queue.setLimit({}, { concurrency: 2 });
      await queue.enqueue({ type: "email" });
    });
    await withQueue({ path }, async (queue) => {
      assertEquals(await queue.claim({ workerId: "w", types: ["email"] }), []);
      const [whole, email] = await queue.listLimits();
      assertEquals([whole?.concurrency, email?.paused?.by], [2, "ops"]);
    });
  });
});

Deno.test("5: two processes that claim at once under a limit of 1 get one lease", async () => {
  await withTemporaryPath(async (path) => {
    await withQueue({ path }, async (first, clock) => {
      await withQueue({ path, clock }, async (second) => {
        await first.setLimit({ type: "email" }, { concurrency: 1 });
        await first.enqueueBatch(Array.from({ length: 20 }, () => ({ type: "email" })));
        const claims = Array.from(
          { length: 10 },
          (_, i) =>
            [first, second][i % 2]!.claim({ workerId: `w${i}`, types: ["email"], limit: 3 }),
        );
        const claimed = (await Promise.all(claims)).flat();
        assertEquals(claimed.length, 1);
      });
    });
  });
});

Deno.test("27: a claim ends what has expired, also before the queue's own look at it", async () => {
  const clock = new AdjustableClock();
  await withQueue({ memory: true, clock }, async (queue) => {
    const { task } = await queue.enqueue({
      type: "email",
      expiresAt: new Date(clock.nowMs() + 1000),
    });
    clock.aheadMs = 2000; // the machine slept: its time has gone on, its timers have not
    assertEquals(await queue.claim({ workerId: "w", types: ["email"] }), []);
    assertEquals((await queue.get(task.id))!.status, "cancelled");
  });
});

Deno.test("a process learns of another's pause before it claims", async () => {
  await withTemporaryPath(async (path) => {
    await withQueue({ path }, async (first, clock) => {
      await withQueue({ path, clock }, async (second) => {
        await first.enqueue({ type: "email" });
        await first.pause({ type: "email" });
        assertEquals(await second.claim({ workerId: "w", types: ["email"] }), []);
        await second.resume({ type: "email" });
        assertEquals((await first.claim({ workerId: "w", types: ["email"] })).length, 1);
      });
    });
  });
});
