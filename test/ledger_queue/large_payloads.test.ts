/**
 * Many large tasks at once: each operation does what fits into one record, and the rest is done by the next.
 *
 * What a record holds is 64 KiB here, and what it really is in the test of the largest payloads.
 */
import { assert, assertEquals } from "@std/assert";
import type { NewTask } from "../../src/domain/task.ts";
import { RECORD_BUDGET } from "../../src/ledger_queue/rows/record_budget.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { withBudget } from "../support/budgets.ts";
import { withQueue } from "../support/queues.ts";
import { thoroughTest } from "../support/thorough.ts";

const BUDGET = 64 * 1024;

const LARGE = "x".repeat(BUDGET / 32);

/** Several records hold so many of them. */
const TOO_MANY = 300;

/** One record holds no more of them. */
const FITTING = 32;

/** Nor of children that are told of a parent's end. */
const TOLD_FITTING = BUDGET / 500;

Deno.test("more large tasks become due at once than a record holds: they are claimed all the same", () =>
  withBudget(BUDGET, async (queue, clock) => {
    const runAfter = new Date(clock.nowMs() + 5000);
    await enqueueMany(queue, { type: "large", runAfter });
    await queue.enqueue({ type: "small", runAfter });
    clock.jump(6000);
    const before = queue.storageStats().sequence;
    assertEquals((await queue.claim({ workerId: "w", types: ["small"] })).length, 1);
    const transactions = queue.storageStats().sequence - before;
    assert(transactions > TOO_MANY / FITTING, `${transactions} transactions`);
    assertEquals((await queue.claim({ workerId: "w", types: ["large"] })).length, 1);
  }));

Deno.test("claim() gives as many large tasks as a record holds, one at least, and then the others", () =>
  withBudget(BUDGET, async (queue) => {
    for (const length of [2 * BUDGET, 2 * BUDGET, 10, 10]) {
      await queue.enqueue({ type: "t", payload: "x".repeat(length) });
    }
    const claimed: number[][] = [];
    for (let i = 0; i < 3; i++) {
      const tasks = await queue.claim({ workerId: "w", types: ["t"], limit: 4 });
      claimed.push(tasks.map(({ id }) => id));
    }
    assertEquals(claimed, [[1], [2], [3, 4]]);
  }));

thoroughTest(
  "a record holds the largest payload, and the next one that the budget lets in",
  () =>
    withBudget(RECORD_BUDGET, async (queue) => {
      const payload = "x".repeat(16 * 1024 * 1024 - 10);
      // What leaves just room for one more.
      await queue.enqueue({ type: "t", payload: payload.slice(0, RECORD_BUDGET - 10_000) });
      for (let i = 0; i < 2; i++) await queue.enqueue({ type: "t", payload });
      const tasks = await queue.claim({ workerId: "w", types: ["t"], limit: 3 });
      assertEquals(tasks.map(({ id }) => id), [1, 2]);
    }),
);

Deno.test("more leases of large tasks expire at once than a record holds: all are rescued", () =>
  withBudget(BUDGET, async (queue, clock) => {
    await enqueueMany(queue, { type: "large" });
    while (await queue.count({ status: "queued" }) > 0) {
      const tasks = await queue.claim({ workerId: "w", types: ["large"], limit: 1000 });
      assert(tasks.length > 0 && tasks.length <= FITTING, `${tasks.length} claimed`);
    }
    clock.jump(11_000);
    for (let rescued = 0; rescued < TOO_MANY;) {
      const tasks = await queue.rescue();
      assert(tasks.length > 0 && tasks.length <= FITTING, `${tasks.length} rescued`);
      rescued += tasks.length;
    }
    assertEquals(await queue.count({ status: "leased" }), 0);
  }));

Deno.test("parents that fail at once in a rescue tell no more children than a record holds", () =>
  withBudget(BUDGET, async (queue, clock) => {
    const parents = Array.from({ length: 9 }, (_, i) => `p${i}`);
    await queue.enqueueBatch(parents.map((runId) => ({ type: "p", runId, maxAttempts: 1 })));
    await queue.claim({ workerId: "w", types: ["p"], limit: 9 });
    for (const parent of parents) {
      await enqueueMany(queue, { type: "child", dependsOn: [parent] }, 33);
    }
    clock.jump(11_000);
    assertEquals((await queue.rescue()).length, 9);
    const toldAtOnce = await queue.count({ status: "failed" }) - 9;
    assert(toldAtOnce > 0 && toldAtOnce <= TOLD_FITTING, `${toldAtOnce} told at once`);
    while (await queue.count({ status: "queued" }) > 0) {
      const before = await queue.count({ status: "failed" });
      await queue.rescue(); // goes on with the children that were left to tell
      const told = await queue.count({ status: "failed" }) - before;
      assert(told > 0 && told <= TOLD_FITTING, `${told} told`);
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

thoroughTest(
  "list() gives one task at least, however large",
  () =>
    withQueue({ memory: true, payloadMaxBytes: 16 * 1024 * 1024 }, async (queue) => {
      const payload = "x".repeat(16 * 1024 * 1024 - 10);
      for (let i = 0; i < 2; i++) await queue.enqueue({ type: "t", payload });
      assertEquals((await queue.list()).map(({ id }) => id), [2]);
      assertEquals((await queue.list({ beforeId: 2 })).map(({ id }) => id), [1]);
    }),
);
