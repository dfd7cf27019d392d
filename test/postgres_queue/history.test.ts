/**
 * The history while transactions overlap: numbers are given in one order and become visible in another, and a reader misses none.
 */
import { assertEquals } from "@std/assert";
import { parsePostgresAddress } from "../../src/platform/postgres_address.ts";
import { PostgresDatabase } from "../../src/platform/postgres_driver.ts";
import { Qualifier } from "../../src/postgres_queue/rows/qualified.ts";
import { freshSchema, openPostgresQueue, postgresForTests } from "../support/postgres_queues.ts";
import { until } from "../support/until.ts";

const server = postgresForTests();

Deno.test({
  name:
    "history() gives a step of a transaction that is still under way before later ones, once that has ended",
  fn: async () => {
    const schema = freshSchema();
    const queue = await openPostgresQueue(server.url, { schema });
    const database = new PostgresDatabase(parsePostgresAddress(server.url));
    const note = new Qualifier(schema).text(
      "insert into @transition (task_id, at, kind) values (1, 1, 'requeued')",
    );
    await queue.enqueue({ type: "t" });
    const hasBegun = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    const slow = database.transaction(async (tx) => {
      await tx.query(note);
      hasBegun.resolve();
      await mayEnd.promise;
    });
    await hasBegun.promise;
    await queue.enqueue({ type: "t" });
    const early = await queue.history({ after: "0" });
    assertEquals(early.entries.map(({ taskId, kind }) => [taskId, kind]), [[1, "enqueued"]]);
    mayEnd.resolve();
    await slow;
    // other transactions of the server may be under way for a moment
    await until(async () => {
      const { entries } = await queue.history({ after: early.cursor });
      if (entries.length < 2) return false;
      assertEquals(entries.map(({ taskId, kind }) => [taskId, kind]), [
        [1, "requeued"],
        [2, "enqueued"],
      ]);
      return true;
    }, "both steps");
    await database.close();
    await queue.close();
  },
});
