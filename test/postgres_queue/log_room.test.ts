/**
 * The room of logs in a database, and what a task that says a lot leaves.
 */
import { assertEquals } from "@std/assert";
import { trimLogs } from "../../src/postgres_queue/tasks/trim_logs.ts";
import { logALot } from "../contract/loud_worker.ts";
import { isThorough } from "../support/effort.ts";
import { freshSchema, postgresForTests, usePostgresQueue } from "../support/postgres_queues.ts";

const MIB = 1024 * 1024;

const server = postgresForTests();

Deno.test("logs that take more than they may lose those of the first finished tasks", () =>
  usePostgresQueue(server.url, {}, async ({ queue, access, clock }) => {
    await queue.enqueueBatch(Array.from({ length: 4 }, () => ({ type: "t" })));
    const tasks = await queue.claim({ workerId: "w", types: ["t"], limit: 3 });
    for (const id of [2, 1]) {
      await clock.advance(1000);
      await queue.complete(tasks.find((task) => task.id === id)!);
    }
    const { statements } = access;
    for (const id of [1, 2, 3, 4, 9]) {
      await statements.query("insert into @log values ($1, 0, 'x')", [id]);
      await statements.query("insert into @log_end values ($1, 30000, false)", [id]);
    }
    const left = async (): Promise<number[]> =>
      (await statements.query("select task_id from @log_end order by task_id"))
        .map(({ task_id }) => Number(task_id));
    const trim = (maxBytes: number): Promise<void> =>
      trimLogs((run) => access.writeIfOpen(({ tx }) => run(tx)), maxBytes);
    await trim(10 * MIB);
    assertEquals(await left(), [1, 2, 3, 4, 9]);
    // the table takes more than that
    for (
      const [maxBytes, ids] of [[120_000, [1, 2, 3, 4]], [90_000, [1, 3, 4]]] as [
        number,
        number[],
      ][]
    ) {
      await statements.query(
        "insert into @log select 3, n, repeat(md5(n::text), 30) from generate_series(1, 200) n on conflict do nothing",
      );
      await trim(maxBytes);
      assertEquals(await left(), ids);
    }
    await trim(1);
    assertEquals(await left(), [3, 4]);
    const lines = await statements.query("select distinct task_id from @log order by task_id");
    assertEquals(lines.map(({ task_id }) => Number(task_id)), [3, 4]);
    assertEquals(await queue.count(), 4);
  }));

Deno.test({
  name: "a handler that logs 100 MB leaves at most the cap, in the database",
  ignore: !isThorough(),
  fn: () => {
    const url = new URL(server.url);
    url.searchParams.set("schema", freshSchema());
    return logALot(url.href, (logs) => logs.end(1));
  },
});
