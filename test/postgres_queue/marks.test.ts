/**
 * What a claim has to find although its process has seen that nothing was there: whatever became ready below a mark.
 */
import { assertEquals } from "@std/assert";
import pg from "pg";
import type { ClaimOrder } from "../../src/domain/claim_order.ts";
import type { Task } from "../../src/domain/task.ts";
import { parsePostgresAddress } from "../../src/platform/postgres_address.ts";
import type { PostgresQueue } from "../../src/postgres_queue/postgres_queue.ts";
import {
  freshSchema,
  openPostgresQueue,
  postgresForTests,
  type PostgresParts,
  usePostgresQueue,
} from "../support/postgres_queues.ts";

const server = postgresForTests();
const TYPE = "t";

/** Longer than until marks are found anew, and shorter than until they are given up. */
const RENEWED_MS = 200;

function claims(queue: PostgresQueue, strategy: ClaimOrder, limit = 1): Promise<Task[]> {
  return queue.claim({ workerId: "w", types: [TYPE], limit, strategy });
}

async function enqueue(queue: PostgresQueue, count: number, priority = 100): Promise<number[]> {
  const added = await queue.enqueueBatch(
    Array.from({ length: count }, () => ({ type: TYPE, priority })),
  );
  return added.map(({ task }) => task.id);
}

/** Moves the marks of this order behind everything that is ready. */
async function moveMarks({ queue, clock }: PostgresParts, strategy: ClaimOrder): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await clock.advance(RENEWED_MS);
    await enqueue(queue, 3);
    while ((await claims(queue, strategy, 10)).length > 0);
  }
  await clock.advance(RENEWED_MS);
  assertEquals(await claims(queue, strategy), []);
}

async function withClient(test: (client: pg.Client) => Promise<void>): Promise<void> {
  const { hosts: [host], user, database } = parsePostgresAddress(server.url);
  const client = new pg.Client({ ...host!, user, database });
  await client.connect();
  try {
    await test(client);
  } finally {
    await client.end();
  }
}

for (const strategy of ["priority", "fifo", "lifo", "weighted_random"] as const) {
  Deno.test({
    name: `claim() by ${strategy} finds a task whose transaction was open when its process looked`,
    fn: () =>
      usePostgresQueue(server.url, {}, async (parts) => {
        const { queue, clock } = parts;
        await moveMarks(parts, strategy);
        await withClient(async (client) => {
          await client.query("begin");
          const { task } = await queue.enqueue({ type: TYPE }, { tx: client });
          await moveMarks(parts, strategy);
          await enqueue(queue, 2);
          await client.query("commit");
          const found = (await claims(queue, strategy, 3)).map(({ id }) => id);
          assertEquals(found.includes(task.id), true);
          if (strategy === "fifo" || strategy === "priority") assertEquals(found[0], task.id);
          await clock.advance(RENEWED_MS);
          assertEquals(await claims(queue, strategy), []);
        });
      }),
  });

  Deno.test({
    name: `claim() by ${strategy} finds at once what became ready again below its mark`,
    fn: () =>
      usePostgresQueue(server.url, { retryPolicy: { initialDelayMs: 1000 } }, async (parts) => {
        const { queue, clock } = parts;
        const [released, failed, cancelled, expired] = await enqueue(queue, 4);
        const leased = await claims(queue, strategy, 4);
        const leaseOf = (id: number | undefined): Task => leased.find((task) => task.id === id)!;
        await moveMarks(parts, strategy);
        await queue.release(leaseOf(released));
        assertEquals((await claims(queue, strategy)).map(({ id }) => id), [released]);
        await queue.fail(leaseOf(failed), new Error("no"));
        await queue.cancel(cancelled!);
        await queue.retry(cancelled!);
        assertEquals((await claims(queue, strategy)).map(({ id }) => id), [cancelled]);
        await clock.advance(1500);
        assertEquals((await claims(queue, strategy)).map(({ id }) => id), [failed]);
        await clock.advance(60_000);
        await queue.rescue();
        const found = (await claims(queue, strategy, 10)).map(({ id }) => id);
        assertEquals(found.includes(expired!), true);
      }),
  });
}

Deno.test({
  name: "claim() finds a task that was scheduled when its process looked, as soon as it is due",
  fn: () =>
    usePostgresQueue(server.url, {}, async (parts) => {
      const { queue, clock } = parts;
      const runAfter = new Date(clock.nowMs() + 2000);
      const { task } = await queue.enqueue({ type: TYPE, runAfter });
      await moveMarks(parts, "fifo");
      await clock.advance(1800);
      assertEquals((await claims(queue, "fifo")).map(({ id }) => id), [task.id]);
    }),
});

Deno.test({
  name: "claim() finds children whose parent ended, and the lower priority, below its mark",
  fn: () =>
    usePostgresQueue(server.url, {}, async (parts) => {
      const { queue } = parts;
      const [parent] = await claims(queue, "priority", 1).then(async () => await enqueue(queue, 1));
      const [held] = await claims(queue, "priority");
      const { task: child } = await queue.enqueue({ type: TYPE, dependsOn: [parent!] });
      await moveMarks(parts, "priority");
      const [later] = await enqueue(queue, 1, 100);
      const [urgent] = await enqueue(queue, 1, 1);
      await queue.complete(held!);
      const found = (await claims(queue, "priority", 5)).map(({ id }) => id);
      assertEquals(found, [urgent, child.id, later]);
    }),
});

Deno.test({
  name: "claim() finds a task that another process enqueued below its mark, and its order stays",
  fn: async () => {
    const schema = freshSchema();
    const one = await openPostgresQueue(server.url, { schema });
    const other = await openPostgresQueue(server.url, { schema });
    try {
      await enqueue(one, 300, 100);
      assertEquals((await claims(one, "priority", 250)).length, 250); // enough to find marks
      const [urgent] = await enqueue(other, 1, 99);
      const [next, after] = await claims(one, "priority", 2);
      assertEquals([next!.id, after!.priority], [urgent, 100]);
    } finally {
      await one.close();
      await other.close();
    }
  },
});
