/**
 * Lists and counts on a server, of so many tasks that their conditions are looked up in different orders.
 */
import { assert, assertEquals } from "@std/assert";
import type { Task } from "../../src/domain/task.ts";
import { LIST_SQL } from "../../src/postgres_queue/insight/list.ts";
import type { ListRequest, TaskQueue } from "../../src/queue/task_queue.ts";
import { postgresForTests, usePostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();

/** Those with the tag `a` that failed are few beside the others of each; some are among the newest with it, and some among the first. */
const ENDED = `with added as (
    insert into @task (run_id, lane_id, priority, payload, max_attempts, created_at, outcome, finished_at, grp, tags)
    select 'd' || i, i % 2 + 1, 100, 'null', 5, 0, case when i between 51 and 3000 then 'completed' else 'failed' end, i,
      case when i % 5 = 0 then 'g' else '' end, case when i <= 3100 then '["a"]' end
    from generate_series(1, 6000) i returning id, tags)
  insert into @task_tag (tag, task_id) select 'a', id from added where tags is not null`;

const STATUSES = [undefined, "queued", "leased", "completed", "failed", "cancelled"] as const;

/** Every task, newest first. */
async function allTasks(queue: TaskQueue): Promise<Task[]> {
  const tasks: Task[] = [];
  for (;;) {
    const page = await queue.list({ beforeId: tasks.at(-1)?.id, limit: 1000 });
    if (page.length === 0) return tasks;
    tasks.push(...page);
  }
}

function* requests(): Iterable<ListRequest> {
  for (const status of STATUSES) {
    for (const type of [undefined, "x", "none"]) {
      for (const group of [undefined, "g", "none"]) {
        for (const tag of [undefined, "a", "b"]) yield { status, type, group, tag };
      }
    }
  }
}

Deno.test("lists and counts by every mix of conditions find what there is, whichever is looked up first", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, database, access }) => {
    await queue.enqueueBatch([{ type: "x" }, { type: "y" }]);
    await database.query(ENDED.replaceAll("@", `"${access.schema}".`));
    await queue.enqueueBatch(
      Array.from({ length: 1500 }, (_, i) => ({
        type: i % 2 === 0 ? "x" : "y",
        group: i % 3 === 0 ? "g" : undefined,
        tags: i % 2 === 0 ? ["a"] : i < 20 ? ["a", "b"] : [],
      })),
    );
    await queue.claim({ workerId: "w", types: ["x", "y"], limit: 30 });
    const all = await allTasks(queue);
    assertEquals(all.length, 7502);
    const problems: unknown[] = [];
    for (const { status, type, group, tag } of requests()) {
      const request = { status, type, group, tag };
      const wanted = all.filter((task) =>
        (status ?? task.status) === task.status && (type ?? task.type) === task.type &&
        (group === undefined || task.group === group) &&
        (tag === undefined || task.tags.includes(tag))
      ).map(({ id }) => id);
      const ids = async (page: ListRequest): Promise<number[]> =>
        (await queue.list({ ...request, ...page })).map(({ id }) => id);
      const [middle, offset] = [wanted[wanted.length >> 1] ?? 1, Math.max(0, wanted.length - 5)];
      const found = [
        await ids({ limit: 150 }),
        await ids({ limit: 10, offset }),
        await ids({ limit: 20, beforeId: middle }),
        await queue.count(request),
      ];
      const right = [
        wanted.slice(0, 150),
        wanted.slice(offset, offset + 10),
        wanted.filter((id) => id < middle).slice(0, 20),
        wanted.length,
      ];
      if (JSON.stringify(found) !== JSON.stringify(right)) problems.push({ request, found, right });
    }
    assertEquals(problems, []);
    const failed = await queue.list({ status: "failed", tag: "a", limit: 1000 });
    assertEquals(failed.length, 150);
  });
});

Deno.test("a list looks at its page's own tasks alone, also by a plan for pages of any length", async () => {
  await usePostgresQueue(server.url, {}, async ({ queue, database, access }) => {
    await queue.enqueueBatch([{ type: "x" }, { type: "y" }]);
    const qualified = (sql: string): string => sql.replaceAll("@", `"${access.schema}".`);
    await database.query(qualified(ENDED));
    await database.query(qualified("analyze @task"));
    await database.transaction(async (tx) => {
      await tx.query("set local plan_cache_mode = force_generic_plan");
      await tx.query(qualified(`prepare page (bigint, bigint, bigint) as ${LIST_SQL.all}`));
      const rows = await tx.query("explain execute page (100000, 100, 0)");
      await tx.query("deallocate page");
      const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      assert(!/Seq Scan on task|Hash Join|Merge Join/.test(plan), plan);
    });
  });
});
