/**
 * Claim orders: their plans beside many queued and scheduled tasks, and the distribution of weighted random.
 */
import { assert, assertEquals } from "@std/assert";
import { CLAIM_ORDERS } from "../../src/domain/claim_order.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { CLAIM_SQL } from "../../src/ledger_queue/tasks/claim.ts";
import { HEAD_SQL } from "../../src/ledger_queue/tasks/claim_lines.ts";
import { EXPIRED_TASKS_SQL } from "../../src/ledger_queue/tasks/expire.ts";
import { HOLDER_SQL } from "../../src/ledger_queue/tasks/unique.ts";
import { EXPIRED_SQL } from "../../src/ledger_queue/tasks/rescue.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { withQueue } from "../support/queues.ts";
import { effort, isThorough } from "../support/effort.ts";

const MANY = effort("queuedTasks");
const DRAWS = effort("draws");
const PLANNED = effort("plannedTasks");

/** More than one transaction makes ready. */
const LATER = 2500;

/** How a plan says that it reads what two searches have found, one after the other. */
const IN_PARTS = /^(COMPOUND QUERY|LEFT-MOST SUBQUERY|UNION ALL|CO-ROUTINE|SCAN \(subquery)/;

Deno.test(`no statement of a claim scans or sorts at ${PLANNED / 2} queued and ${PLANNED / 2} scheduled tasks`, async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  database.run(`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${PLANNED})
    INSERT INTO task_queue (run_id, type, priority, payload, compatibility, status, attempts, max_attempts, run_after_utc,
      created_at_utc, updated_at_utc, lease_token, is_ready, draw_key)
    SELECT 'r' || i, 't' || (i % 3), 1 + i % 1000, '{}', '{}', 'queued', 0, 5, i, 0, 0, 0, i <= ${
    PLANNED / 2
  }, i * 0.5 FROM n;
    ANALYZE`);
  const statements = [
    ...CLAIM_ORDERS.map((order) => HEAD_SQL[order]),
    CLAIM_SQL.due,
    CLAIM_SQL.nextDue,
    CLAIM_SQL.nextLane,
    CLAIM_SQL.claimable,
    EXPIRED_SQL,
    EXPIRED_TASKS_SQL,
    HOLDER_SQL,
  ];
  for (const sql of statements) {
    const plan = database.all(`EXPLAIN QUERY PLAN ${sql}`).map((row) => String(row[3]));
    assert(plan.length > 0);
    for (const step of plan.filter((each) => !IN_PARTS.test(each))) {
      assert(step.startsWith("SEARCH task_queue USING"), `${step} in the plan of ${sql}`);
      assert(!step.includes("TEMP B-TREE"), `${step} in the plan of ${sql}`);
    }
  }
  database.close();
});

Deno.test(`a claim in any order costs the same number of statements at 10 tasks and at ${MANY}`, async () => {
  for (const strategy of CLAIM_ORDERS) {
    // how many become due at once is the same matter in each order
    const later = isThorough() || strategy === CLAIM_ORDERS[0] ? LATER : 100;
    await withQueue({ memory: true }, async (queue, clock) => {
      for (const count of [10, MANY]) {
        await queue.enqueueBatch(Array.from({ length: count }, () => ({ type: "t" })));
        const [task] = await queue.claim({ workerId: "w", types: ["t"], strategy });
        assertEquals(task!.status, "leased");
      }
      const runAfter = new Date(clock.nowMs() + 1000);
      await queue.enqueueBatch(
        Array.from({ length: later }, () => ({ type: "later", runAfter })),
      );
      await clock.advance(1000);
      let claimed = 0;
      for (let round = 0; round < 3; round++) {
        claimed +=
          (await queue.claim({ workerId: "w", types: ["later"], strategy, limit: 1000 })).length;
      }
      assertEquals(claimed, later);
    });
  }
});

Deno.test("weighted random claims in exact proportion to 1/(priority + 1), also when tasks arrive in between", async () => {
  const priorities = [1, 4, 9];
  const weights = priorities.map((priority) => 1 / (priority + 1));
  const expected = weights.map((weight) => weight / weights.reduce((sum, each) => sum + each));
  await withQueue({ memory: true }, async (queue) => {
    const counts = await drawRepeatedly(queue, priorities, DRAWS);
    // Pearson's statistic with 2 degrees of freedom exceeds 13.8 with probability 0.001; the seed is fixed.
    const chiSquared = counts.reduce(
      (sum, count, i) => sum + (count - DRAWS * expected[i]!) ** 2 / (DRAWS * expected[i]!),
      0,
    );
    assert(chiSquared < 13.8, `chi-squared ${chiSquared} for ${counts}`);
  });
});

Deno.test("weighted random stays exact when another worker drains a part of the types", async () => {
  const rounds = 2 * effort("drawRounds");
  await withQueue({ memory: true }, async (queue) => {
    const busy = Array.from({ length: 2 * rounds }, () => ({ type: "busy", priority: 1 }));
    await queue.enqueueBatch(busy);
    let ofOld = 0;
    for (let round = 0; round < rounds; round++) {
      const [older] = await queue.enqueueBatch([{ type: "shared", priority: 3 }]);
      await queue.claim({ workerId: "other", types: ["busy"], strategy: "weighted_random" });
      await queue.enqueueBatch([{ type: "shared", priority: 3 }]);
      const [drawn] = await queue.claim({
        workerId: "w",
        types: ["shared"],
        strategy: "weighted_random",
      });
      if (drawn!.id === older!.task.id) ofOld++;
      await queue.claim({ workerId: "w", types: ["shared"], strategy: "weighted_random" });
    }
    // Binomial with p = 1/2: five standard deviations.
    assert(Math.abs(ofOld - rounds / 2) < 2.5 * Math.sqrt(rounds), `${ofOld} of ${rounds}`);
  });
});

/** Keeps one task of each priority in the queue, draws one, puts another of its priority back. */
async function drawRepeatedly(
  queue: TaskQueue,
  priorities: readonly number[],
  draws: number,
): Promise<number[]> {
  await queue.enqueueBatch(priorities.map((priority) => ({ type: "t", priority })));
  const counts = priorities.map(() => 0);
  for (let draw = 0; draw < draws; draw++) {
    const [task] = await queue.claim({ workerId: "w", types: ["t"], strategy: "weighted_random" });
    counts[priorities.indexOf(task!.priority)]!++;
    await queue.enqueue({ type: "t", priority: task!.priority });
  }
  return counts;
}
