/**
 * Tags on a server.
 */
import { assert, assertEquals } from "@std/assert";
import { LIST_SQL } from "../../src/postgres_queue/insight/list.ts";
import type { Parameter } from "../../src/postgres_queue/rows/database.ts";
import { TAG_SQL } from "../../src/postgres_queue/rows/tags.ts";
import { BULK_SQL } from "../../src/postgres_queue/tasks/bulk.ts";
import { tagsContract } from "../contract/tags_contract.ts";
import {
  postgresForTests,
  usePostgresQueue,
  withPostgresQueue,
} from "../support/postgres_queues.ts";

const server = postgresForTests();

tagsContract("queue on PostgreSQL", withPostgresQueue(server));

Deno.test("queue on PostgreSQL: there is a row for each tag of each task, and none else", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, database, access }) => {
    const rows = async (): Promise<unknown[]> =>
      (await database.query(
        `select task_id, tag from "${access.schema}".task_tag order by task_id, tag`,
      )).map(({ task_id, tag }) => [Number(task_id), tag]);
    const [first, second] = await queue.enqueueBatch([
      { type: "t", tags: ["b", "a"] },
      { type: "t", tags: ["a"], orderingKey: "k" },
      { type: "t" },
    ]);
    const [one, two] = [first!.task.id, second!.task.id];
    assertEquals(await rows(), [[one, "a"], [one, "b"], [two, "a"]]);
    await queue.update(one, { tags: ["c", "b"] });
    assertEquals(await rows(), [[one, "b"], [one, "c"], [two, "a"]]);
    const three = (await queue.replace(two, { payload: 1 })).id;
    assertEquals(await rows(), [[one, "b"], [one, "c"], [two, "a"], [three, "a"]]);
    await queue.bulk({ action: "cancel", filter: { tag: "b" } });
    await queue.bulk({ action: "remove", filter: {}, all: true });
    assertEquals(await rows(), [[three, "a"]]);
    await queue.remove(three);
    assertEquals(await rows(), []);
  });
});

Deno.test("queue on PostgreSQL: tasks are found by a tag in its index", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, database, access }) => {
    await queue.enqueue({ type: "t" });
    const run = (text: string): Promise<unknown> =>
      database.query(text.replaceAll("@", `"${access.schema}".`));
    await run(`with added as (
        insert into @task (run_id, lane_id, priority, payload, max_attempts, created_at, outcome, finished_at, tags)
        select 'd' || i, 1, 100, 'null', 5, 0, 'completed', i, '["a"]' from generate_series(1, 20000) i
        returning id)
      insert into @task_tag (tag, task_id) select unnest(array['a', 't' || id % 100]), id from added`);
    for (const table of ["task", "task_tag", "live"]) await run(`analyze @${table}`);
    const plans: [string, Parameter[]][] = [
      [LIST_SQL.tagAlone, [1_000_000, 100, 0, "a"]],
      [LIST_SQL.newestWithTag, [1_000_000, 100, 0, "completed", "t", null, "a"]],
      [LIST_SQL.countTag, ["t7"]],
      [BULK_SQL.withTag, [0, 1_000_000, false, "a"]],
      [TAG_SQL.removeTags, [["a", "t7"], [7, 7]]],
    ];
    for (const [sql, parameters] of plans) {
      const rows = await access.read((tx) => tx.query(`explain ${sql}`, parameters));
      const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      assert(!/Seq Scan on (task|task_tag)\b|Sort/.test(plan), `${plan}\nof ${sql}`);
      assert(plan.includes("task_tag_pkey"), `${plan}\nof ${sql}`);
    }
  });
});
