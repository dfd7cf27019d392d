/**
 * Connections that are cut after the server has done what was asked for, and before its answer: every call is acknowledged once
 * the server can be reached, and what it asked for is there once.
 */
import { assert, assertEquals } from "@std/assert";
import { QueueError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import { cuttingProxy } from "../support/cutting_proxy.ts";
import { effort } from "../support/effort.ts";
import { freshSchema, openPostgresQueue, postgresForTests } from "../support/postgres_queues.ts";
import { seededRandom } from "../support/queues.ts";

const server = postgresForTests();
const CALLS = effort("lostAnswers");

Deno.test({
  name:
    `${CALLS} calls over connections that are cut before the answer are acknowledged, and each is done once`,
  fn: async () => {
    const schema = freshSchema();
    const direct = await openPostgresQueue(server.url, { schema });
    const random = seededRandom(3);
    const target = new URL(server.url);
    const proxy = cuttingProxy(Number(target.port), random);
    const through = server.url.replace(target.port, String(proxy.port));
    const queue = await openPostgresQueue(through, { schema });
    proxy.cutShare = 0.05;

    const runIds = new Set<string>();
    const acknowledge = (...tasks: readonly Task[]): void => {
      for (const { runId } of tasks) {
        assert(!runIds.has(runId), `run ${runId} was acknowledged twice`);
        runIds.add(runId);
      }
    };
    for (let i = 0; i < CALLS; i += 8) {
      const calls = Array.from({ length: 8 }, (_, j) => i + j).map(async (n) => {
        const task = { type: "t", payload: { n }, maxAttempts: 100 };
        if (n % 4 === 0) {
          const batch = await queue.enqueueBatch([task, task]);
          acknowledge(...batch.map((each) => each.task));
          return;
        }
        const named = n % 4 === 1 ? { runId: `named-${n}` } : {};
        const key = n % 4 === 2 ? { idempotencyKey: `key-${n}` } : {};
        acknowledge((await queue.enqueue({ ...task, ...named, ...key })).task);
      });
      await Promise.all(calls);
    }
    const { total } = await direct.stats();
    assertEquals(total, runIds.size);
    for (const runId of runIds) assert(await direct.getByRunId(runId), `${runId} is lost`);

    const ended = { completed: 0, retried: 0, released: 0 };
    let lost = 0;
    for (let left = total; left > 0;) {
      // a claim whose answer is lost leaves its tasks leased until the lease ends
      const request = { workerId: "w", types: ["t"], limit: 8, leaseDurationMs: 1000 };
      const tasks = await queue.claim(request);
      await Promise.all(tasks.map(async (task) => {
        const chance = random();
        try {
          if (chance < 0.2) {
            const options = { retryPolicy: { initialDelayMs: 1 } };
            await queue.fail(task, new Error(`failure ${task.id}`), options);
            ended.retried++;
          } else if (chance < 0.4) {
            await queue.release(task);
            ended.released++;
          } else {
            assertEquals((await queue.complete(task, task.leaseToken)).status, "completed");
            ended.completed++;
          }
        } catch (error) {
          if (!(error instanceof QueueError) || error.code !== "lease_lost") throw error;
          lost++;
        }
      }));
      if (tasks.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      const { byStatus } = await direct.stats();
      left = byStatus.queued + byStatus.leased;
    }
    const { window } = await direct.metrics();
    assert(window.completed >= ended.completed && window.completed <= ended.completed + lost);
    assert(window.retried >= ended.retried && window.retried <= ended.retried + lost);
    assert(window.released >= ended.released && window.released <= ended.released + lost);
    const { byStatus } = await direct.stats();
    assertEquals(byStatus.completed + byStatus.failed, total);
    assert(proxy.cuts > 3, `only ${proxy.cuts} connections were cut`);
    proxy.cutShare = 0;
    await queue.close();
    await direct.close();
    await proxy.close();
  },
});
