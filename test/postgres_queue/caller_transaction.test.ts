import { assertEquals, assertRejects } from "@std/assert";
import pg from "pg";
import { openQueue, QueueError } from "../../src/mod.ts";
import { parsePostgresAddress } from "../../src/platform/postgres_address.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { until } from "../support/until.ts";
import { freshSchema, postgresForTests } from "../support/postgres_queues.ts";

const server = postgresForTests();

interface World {
  readonly queue: TaskQueue;
  /** A connection of the application's. */
  readonly client: pg.Client;
}

async function withWorld(test: (world: World) => Promise<void>): Promise<void> {
  const schema = freshSchema();
  const { hosts: [host], user, database } = parsePostgresAddress(server.url);
  const client = new pg.Client({ ...host!, user, database });
  await client.connect();
  const queue = await openQueue(`${server.url}?schema=${schema}`);
  try {
    await client.query(`create table ${schema}.orders (id int primary key)`);
    await client.query(`set search_path to ${schema}`);
    await test({ queue, client });
  } finally {
    await queue.close();
    await client.query(`drop schema ${schema} cascade`);
    await client.end();
  }
}

Deno.test({
  name:
    "enqueue() within the caller's transaction is committed with it, and workers hear of it then",
  fn: () =>
    withWorld(async ({ queue, client }) => {
      const heard: number[] = [];
      queue.watch((changes) => {
        if (typeof changes !== "string") heard.push(...changes.map(({ taskId }) => taskId));
      });
      await client.query("begin");
      await client.query("insert into orders values (1)");
      const { task, created } = await queue.enqueue({ type: "mail" }, { tx: client });
      assertEquals([created, task.status, await queue.count()], [true, "queued", 0]);
      assertEquals(await queue.claim({ workerId: "w", types: ["mail"] }), []);
      await client.query("commit");
      await until(() => heard.includes(task.id));
      const [claimed] = await queue.claim({ workerId: "w", types: ["mail"] });
      assertEquals(claimed?.id, task.id);
      const { rows } = await client.query("select count(*)::int as orders from orders");
      assertEquals(rows, [{ orders: 1 }]);
    }),
});

Deno.test({
  name:
    "enqueue() within a transaction that is rolled back leaves neither the task nor its transitions",
  fn: () =>
    withWorld(async ({ queue, client }) => {
      const parent = await queue.enqueue({ type: "mail" });
      await client.query("begin");
      await client.query("insert into orders values (1)");
      const wanted = { type: "mail", idempotencyKey: "k", dependsOn: [parent.task.id] };
      const { task } = await queue.enqueue(wanted, { tx: client });
      await client.query("rollback");
      assertEquals(await queue.get(task.id), undefined);
      assertEquals(await queue.transitions(task.id), []);
      const again = await queue.enqueue({ type: "mail", idempotencyKey: "k" });
      assertEquals(again.created, true);
      const { rows } = await client.query("select count(*)::int as orders from orders");
      assertEquals(rows, [{ orders: 0 }]);
    }),
});

Deno.test({
  name: "enqueue() that is refused within a transaction leaves it usable",
  fn: () =>
    withWorld(async ({ queue, client }) => {
      await queue.enqueue({ type: "mail", idempotencyKey: "k", payload: { to: "ann" } });
      await client.query("begin");
      await client.query("insert into orders values (1)");
      const other = { type: "mail", idempotencyKey: "k", payload: { to: "bob" } };
      await assertRejects(() => queue.enqueue(other, { tx: client }), QueueError, "k");
      const { task } = await queue.enqueue({ type: "mail" }, { tx: client });
      await client.query("commit");
      assertEquals((await queue.get(task.id))?.status, "queued");
      const { rows } = await client.query("select count(*)::int as orders from orders");
      assertEquals(rows, [{ orders: 1 }]);
    }),
});

Deno.test({
  name: "enqueue() refuses a tx that is no transaction, or does not see what others commit",
  fn: () =>
    withWorld(async ({ queue, client }) => {
      const enqueue = (tx: object) => queue.enqueue({ type: "mail" }, { tx });
      await assertRejects(() => enqueue(client), TypeError, "no transaction was begun");
      await assertRejects(() => enqueue({}), TypeError, "npm pg");
      await client.query("begin isolation level serializable");
      await assertRejects(() => enqueue(client), TypeError, "read committed is needed");
      await client.query("rollback");
      assertEquals(await queue.count(), 0);
    }),
});

Deno.test("enqueue() of a queue in memory refuses a transaction of the caller's", async () => {
  const queue = await openQueue({ memory: true });
  try {
    await assertRejects(() => queue.enqueue({ type: "mail" }, { tx: {} }), TypeError, "PostgreSQL");
    assertEquals(await queue.count(), 0);
  } finally {
    await queue.close();
  }
});
