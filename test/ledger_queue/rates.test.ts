import { assertEquals } from "@std/assert";
import type { Task } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { groupRatesContract, ratesContract } from "../contract/rates_contract.ts";
import { openCountedQueue } from "../counts/counted_queue.ts";
import { EMBEDDED_PLACES, withQueue, withTemporaryPath } from "../support/queues.ts";

for (const register of [ratesContract, groupRatesContract]) {
  for (const [name, withPlace] of EMBEDDED_PLACES) register(name, withPlace);
}

Deno.test("14: a rate goes on where it was when every process was restarted", async () => {
  await withTemporaryPath(async (path) => {
    let instant: Date | null = null;
    await withQueue({ path }, async (queue, clock) => {
      await queue.setLimit({ type: "t" }, { rate: { limit: 2, periodMs: 10_000, burst: 2 } });
      await queue.setLimit({ group: "*" }, { rate: { limit: 1, periodMs: 20_000 } });
      await queue.enqueueBatch([{ type: "t", group: "a" }, { type: "t" }, { type: "t" }]);
      await queue.enqueue({ type: "t", group: "a" });
      assertEquals((await claim(queue)).length, 2);
      assertEquals(await claim(queue), []);
      instant = await queue.nextDueAt();
      assertEquals(instant!.getTime() - clock.nowMs(), 10_000);
      await queue.checkpoint();
    });
    await withQueue({ path }, async (queue, clock) => {
      assertEquals(await queue.nextDueAt(), instant);
      clock.jumpUnheard(9999);
      assertEquals(await claim(queue), []);
      clock.jumpUnheard(1);
      assertEquals((await claim(queue)).length, 1);
    });
  });
});

Deno.test("two processes that claim at once under a rate start as many as it allows", async () => {
  await withTemporaryPath(async (path) => {
    await withQueue({ path }, async (first, clock) => {
      await withQueue({ path, clock }, async (second) => {
        await first.setLimit({ type: "t" }, { rate: { limit: 9, periodMs: 1000, burst: 4 } });
        await first.enqueueBatch(Array.from({ length: 20 }, () => ({ type: "t" })));
        const claims = Array.from({ length: 10 }, (_, i) => claim([first, second][i % 2]!, 3));
        assertEquals((await Promise.all(claims)).flat().length, 4);
      });
    });
  });
});

Deno.test("buckets that are past are removed", async () => {
  const { queue, ledger, clock } = await openCountedQueue();
  await queue.setLimit({ group: "*" }, { rate: { limit: 1, periodMs: 1000 } });
  await queue.enqueueBatch(Array.from({ length: 8 }, (_, i) => ({ type: "t", group: `g${i}` })));
  assertEquals((await claim(queue, 7)).length, 7);
  clock.jumpUnheard(1000);
  assertEquals((await claim(queue)).length, 1);
  const left = await ledger.read((reader) => reader.read("SELECT grp FROM flow_buckets"));
  assertEquals(left.length, 6);
  await queue.close();
});

function claim(queue: TaskQueue, limit = 9): Promise<Task[]> {
  return queue.claim({ workerId: "w", types: ["t"], limit });
}
