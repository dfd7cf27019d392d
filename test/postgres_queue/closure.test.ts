/**
 * Closing a queue on PostgreSQL.
 */
import { assertEquals, assertRejects } from "@std/assert";
import pg from "pg";
import { openQueue, QueueError } from "../../src/mod.ts";
import { parsePostgresAddress } from "../../src/platform/postgres_address.ts";
import { close, closureContract } from "../contract/closure_contract.ts";
import { freshSchema, postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();

closureContract("queue on PostgreSQL", withPostgresQueue(server));

Deno.test({
  name: "a closing waits for the caller's transaction that enqueues, and refuses the next one",
  fn: async () => {
    const schema = freshSchema();
    const { hosts: [host], user, database } = parsePostgresAddress(server.url);
    const client = new pg.Client({ ...host!, user, database });
    await client.connect();
    const queue = await openQueue(`${server.url}?schema=${schema}`);
    try {
      await client.query("begin");
      await queue.enqueue({ type: "t" }, { tx: client });
      let isClosed = false;
      const closing = close(queue, "leaving").then(() => isClosed = true);
      const waits = `select from pg_locks where not granted and mode = 'ShareRowExclusiveLock'
        and relation = '${schema}.live'::regclass`;
      while ((await client.query(waits)).rowCount === 0) await queue.flush();
      assertEquals(isClosed, false);
      await client.query("commit");
      await closing;
      assertEquals(await queue.count(), 1);
      await client.query("begin");
      await client.query(`create table ${schema}.kept (id int)`);
      const enqueue = (): Promise<unknown> => queue.enqueue({ type: "t" }, { tx: client });
      assertEquals((await assertRejects(enqueue, QueueError)).code, "queue_moving");
      await client.query("commit");
      await client.query(`select from ${schema}.kept`);
    } finally {
      await queue.close();
      await client.query(`drop schema ${schema} cascade`);
      await client.end();
    }
  },
});
