import { assertEquals } from "@std/assert";
import { groupsContract } from "../contract/groups_contract.ts";
import { openCountedQueue } from "../counts/counted_queue.ts";
import { AdjustableClock } from "../support/adjustable_clock.ts";
import { EMBEDDED_PLACES, withQueue, withTemporaryPath } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) groupsContract(name, withPlace);

/** How many statements the claim of one task takes beside so many blocked ones of a full group. */
async function statementsBeside(blocked: number): Promise<number> {
  const { queue, counts } = await openCountedQueue();
  await queue.setLimit({ type: "t", group: "full" }, { concurrency: 1 });
  await queue.enqueueBatch(
    Array.from({ length: blocked + 1 }, () => ({ type: "t", group: "full" })),
  );
  await queue.claim({ workerId: "w", types: ["t"] });
  await queue.enqueue({ type: "t", group: "b" });
  const before = counts.sqlStatements;
  const [task] = await queue.claim({ workerId: "w", types: ["t"] });
  assertEquals(task?.group, "b");
  const statements = counts.sqlStatements - before;
  await queue.close();
  return statements;
}

Deno.test("8: a claim takes as many statements beside 5,000 blocked tasks as beside one", async () => {
  assertEquals(await statementsBeside(5000), await statementsBeside(1));
});

Deno.test("groups take their turns where they left off when a queue is opened again", async () => {
  await withTemporaryPath(async (path) => {
    const claimed: (string | null)[] = [];
    const claimOne = (queue: Parameters<Parameters<typeof withQueue>[1]>[0]) => async () => {
      const tasks = await queue.claim({ workerId: "w", types: ["t"] });
      claimed.push(...tasks.map(({ group }) => group));
    };
    for (let i = 0; i < 3; i++) {
      await withQueue({ path }, async (queue) => {
        if (i === 0) {
          await queue.setLimit({ group: "a" }, { weight: 2 });
          const groups = ["a", "a", "a", "a", "b", "b"];
          await queue.enqueueBatch(groups.map((group) => ({ type: "t", group })));
        }
        for (let start = 0; start < 2; start++) await claimOne(queue)();
        assertEquals((await queue.integrityCheck()).problems, []);
      });
    }
    assertEquals(claimed, ["a", "b", "a", "a", "b", "a"]);
  });
});

Deno.test("a group that closed when its pause was over by a clock that is put back opens when the pause ends", async () => {
  const clock = new AdjustableClock();
  await withQueue({ memory: true, clock }, async (queue) => {
    const claim = { workerId: "w", types: ["t"], leaseDurationMs: 600_000 };
    await queue.setLimit({ group: "a" }, { concurrency: 1 });
    await queue.enqueueBatch([{ type: "t", group: "a" }, { type: "t", group: "a" }]);
    const [first] = await queue.claim(claim);
    await queue.pause({ type: "t", group: "a" }, { until: new Date(clock.nowMs() + 10_000) });
    clock.aheadMs = 60_000;
    assertEquals(await queue.claim(claim), [], "its limit is full");
    clock.aheadMs = 0;
    await queue.complete(first!);
    assertEquals(await queue.claim(claim), [], "it is paused");
    await clock.seconds(11);
    assertEquals((await queue.claim(claim)).length, 1);
  });
});
