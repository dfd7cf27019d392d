/**
 * Order by key on the embedded engine: what it costs, and that it holds over processes, files and other queues.
 */
import { assert, assertEquals } from "@std/assert";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { EmbeddedQueue } from "../../src/queue/maintenance.ts";
import { ORDER_SQL } from "../../src/ledger_queue/rows/order.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { orderContract } from "../contract/order_contract.ts";
import { withMemoryQueue, withQueue, withTemporaryPath } from "../support/queues.ts";

orderContract("queue in memory", withMemoryQueue);

/** A statement that sorts or scans would show it in its plan. */
Deno.test("no statement of an order scans or sorts in a chain of 100,000", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  database.run(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
    INSERT INTO task_queue (run_id, type, priority, payload, compatibility, status, attempts, max_attempts, run_after_utc,
      created_at_utc, updated_at_utc, lease_token, is_ready, draw_key, ordering_key, waits_for, is_behind)
    SELECT 'r' || i, 't', 1, '{}', '{}', 'queued', 0, 5, i, 0, 0, 0, 0, i * 0.5, 'k', i > 1, i > 1 FROM n;
    ANALYZE`);
  for (const sql of Object.values(ORDER_SQL)) {
    const plan = database.all(`EXPLAIN QUERY PLAN ${sql}`).map((row) => String(row[3]));
    const steps = plan.filter((step) => !/^(CO-ROUTINE|SCAN \(subquery)/.test(step));
    assert(steps.length > 0);
    for (const step of steps) {
      assert(step.startsWith("SEARCH task_queue USING"), `${step} in the plan of ${sql}`);
      assert(!step.includes("TEMP B-TREE"), `${step} in the plan of ${sql}`);
    }
  }
  database.close();
});

Deno.test("31: a batch of 2,000 is one chain, also when the queue is opened again", async () => {
  await withTemporaryPath(async (path) => {
    const ids: number[] = [];
    await withQueue({ path }, async (queue) => {
      const stored = await queue.enqueueBatch(ordered(2000));
      ids.push(...stored.map(({ task }) => task.id));
      assertEquals((await runSome(queue, 3)).map(({ id }) => id), ids.slice(0, 3));
    });
    await withQueue({ path }, async (queue) => {
      assertEquals((await runSome(queue, 3)).map(({ id }) => id), ids.slice(3, 6));
      assertEquals((await queue.integrityCheck()).problems, []);
    });
  });
});

Deno.test("two processes start no two tasks of a key at once", async () => {
  await withTemporaryPath(async (path) => {
    await withQueue({ path }, async (first, clock) => {
      await withQueue({ path, clock }, async (second) => {
        const queues = [first, second];
        await Promise.all(queues.map((queue) => queue.enqueueBatch(ordered(10))));
        const ids: number[] = [];
        while (ids.length < 20) {
          const claimed = await Promise.all(queues.map((queue, i) => claim(queue, `w${i}`)));
          const tasks = claimed.flat();
          assertEquals(tasks.length, 1);
          ids.push(tasks[0]!.id);
          await queues[ids.length % 2]!.complete(tasks[0]!);
        }
        assertEquals(ids, ids.toSorted((a, b) => a - b));
      });
    });
  });
});

Deno.test("records carry the order, and an import with new ids keeps it", async () => {
  await withQueue({ memory: true }, async (from) => {
    await from.enqueueBatch(ordered(3));
    const replaced = await from.replace(1, { payload: "first" });
    const records = await from.exportRecords();
    for (const renumber of [false, true]) {
      await withQueue({ memory: true }, async (to) => {
        const here = renumber ? ["here", "there"] : [];
        for (const payload of here) await to.enqueue({ ...ordered(1)[0]!, payload });
        const { stored } = await to.importRecords(records, { renumber });
        assertEquals(stored, true);
        const payloads = (await runSome(to, 5)).map(({ payload }) => payload);
        assertEquals(payloads, [...here, "first", 1, 2]);
        if (!renumber) assertEquals((await to.get(replaced.id))!.orderingPlace, 1);
        assertEquals((await to.integrityCheck()).problems, []);
      });
    }
  });
});

function ordered(count: number): NewTask[] {
  return Array.from(
    { length: count },
    (_, payload) => ({ type: "email", payload, orderingKey: "k" }),
  );
}

function claim(queue: EmbeddedQueue, workerId: string): Promise<Task[]> {
  return queue.claim({ workerId, types: ["email"], limit: 5, leaseDurationMs: 60_000 });
}

/** Runs at most so many tasks, one after the other. */
async function runSome(queue: EmbeddedQueue, count: number): Promise<Task[]> {
  const done: Task[] = [];
  for (let i = 0; i < count; i++) {
    const [task, ...more] = await claim(queue, "w");
    assertEquals(more, []);
    if (task !== undefined) done.push(await queue.complete(task));
  }
  return done;
}
