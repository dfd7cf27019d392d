/**
 * A server that stops as by a crash, again and again, under load: everything acknowledged is there, nothing twice, and the
 * clients go on by themselves.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { QueueError, StorageError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import type { PostgresQueue } from "../../src/postgres_queue/postgres_queue.ts";
import { effort } from "../support/effort.ts";
import { freshSchema, openPostgresQueue } from "../support/postgres_queues.ts";
import { removePostgres, startPostgres, whyNoPostgres } from "../support/postgres_server.ts";
import { until } from "../support/until.ts";

const STOPS = effort("serverStops");

/** What the callers were told. */
class Acknowledged {
  readonly enqueued = new Set<string>();
  readonly completed = new Map<string, number>();
  isOver = false;
}

async function enqueueAlways(
  queue: PostgresQueue,
  told: Acknowledged,
  name: string,
): Promise<void> {
  for (let i = 0; !told.isOver; i++) {
    const { task, created } = await queue.enqueue({ type: "t", payload: { name, i } });
    assert(created, `task ${task.id} of ${name} was there already`);
    assert(!told.enqueued.has(task.runId), `run ${task.runId} was acknowledged twice`);
    told.enqueued.add(task.runId);
  }
}

async function workAlways(
  queue: PostgresQueue,
  told: Acknowledged,
  workerId: string,
): Promise<void> {
  while (!told.isOver) {
    const tasks = await queue.claim({ workerId, types: ["t"], limit: 5, leaseDurationMs: 2000 });
    if (tasks.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await Promise.all(tasks.map((task) => finish(queue, told, task)));
  }
}

/** The lease may have run out while the server was away. */
async function finish(queue: PostgresQueue, told: Acknowledged, task: Task): Promise<void> {
  try {
    const { runId } = await queue.complete(task, task.leaseToken);
    assert(!told.completed.has(runId), `run ${runId} was completed twice`);
    told.completed.set(runId, task.leaseToken);
  } catch (error) {
    if (!(error instanceof QueueError) || error.code !== "lease_lost") throw error;
  }
}

Deno.test({
  name: `a server that crashes ${STOPS} times under load loses nothing that was acknowledged${
    whyNoPostgres() ? `: ${whyNoPostgres()}` : ""
  }`,
  ignore: Deno.env.has("HOLDFAST_TEST_POSTGRES") || whyNoPostgres() !== undefined,
  fn: async () => {
    const server = await startPostgres();
    try {
      const schema = freshSchema();
      const queues = await Promise.all(
        [1, 2].map(() => openPostgresQueue(server.url, { schema })),
      );
      const told = new Acknowledged();
      const callers = queues.flatMap((queue, i) => [
        enqueueAlways(queue, told, `a${i}`),
        enqueueAlways(queue, told, `b${i}`),
        workAlways(queue, told, `w${i}`),
        workAlways(queue, told, `v${i}`),
      ]);
      const failed = Promise.all(callers);
      for (let stop = 0; stop < STOPS; stop++) {
        const before = told.completed.size;
        const moved = until(() => told.completed.size > before + 50, `work before stop ${stop}`);
        await Promise.race([moved, failed]);
        await server.stop("immediate");
        await server.start();
      }
      const before = told.completed.size;
      await Promise.race([until(() => told.completed.size > before + 50, "work at last"), failed]);
      told.isOver = true;
      await failed;
      const [queue] = queues as [PostgresQueue];
      for (const runId of told.enqueued) assert(await queue.getByRunId(runId), `${runId} is lost`);
      for (const [runId, token] of told.completed) {
        const task = (await queue.getByRunId(runId))!;
        assertEquals([task.status, task.result], ["completed", token]);
      }
      for (const each of queues) await each.close();
    } finally {
      await removePostgres(server);
    }
  },
});

Deno.test({
  name: `the health of a queue whose server is away is told while other calls still wait for it${
    whyNoPostgres() ? `: ${whyNoPostgres()}` : ""
  }`,
  ignore: Deno.env.has("HOLDFAST_TEST_POSTGRES") || whyNoPostgres() !== undefined,
  fn: async () => {
    const server = await startPostgres();
    try {
      const queue = await openPostgresQueue(server.url, { schema: freshSchema() });
      await server.stop();
      let isCounted = false;
      const counted = queue.count().finally(() => isCounted = true);
      await assertRejects(() => queue.health(), StorageError, "no server listens there");
      assertEquals(isCounted, false);
      await server.start();
      assertEquals(await counted, 0);
      assertEquals((await queue.health()).verdict, "healthy");
      await queue.close();
    } finally {
      await removePostgres(server);
    }
  },
});
