/**
 * What a watcher does not want to hear of another process's changes is not read for it.
 */
import { assertEquals } from "@std/assert";
import type { TaskStatus } from "../../src/domain/task.ts";
import type { Database } from "../../src/postgres_queue/rows/database.ts";
import { SELECT_CHANGES } from "../../src/postgres_queue/rows/task_row.ts";
import { freshSchema, openPostgresQueue, postgresForTests } from "../support/postgres_queues.ts";
import { until } from "../support/until.ts";

/** The names of the tables, which follow, are the schema's. */
const CHANGES_BEGIN = SELECT_CHANGES.split("\n", 1)[0]!;

const server = postgresForTests();

/** The same database, which counts the messages that come and the tasks that are read because they have changed. */
function counting(database: Database, read: { messages: number; tasks: number }): Database {
  return new Proxy(database, {
    get(target, name): unknown {
      if (name === "query") {
        return async (...[text, parameters]: Parameters<Database["query"]>) => {
          if (text.startsWith(CHANGES_BEGIN)) read.tasks += (parameters![0] as unknown[]).length;
          return await target.query(text, parameters);
        };
      }
      if (name === "listen") {
        return async (...[channel, ears]: Parameters<Database["listen"]>) =>
          await target.listen(channel, {
            ...ears,
            onMessage: (text) => {
              ears.onMessage(text);
              read.messages++;
            },
          });
      }
      const own: unknown = Reflect.get(target, name);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
}

Deno.test("a watcher hears what it wants to of another process, and nothing else is read for it", async () => {
  const schema = freshSchema();
  const read = { messages: 0, tasks: 0 };
  const here = await openPostgresQueue(server.url, { schema });
  const there = await openPostgresQueue(server.url, {
    schema,
    wrap: (database) => counting(database, read),
  });
  const heard: [number, TaskStatus][] = [];
  const unwatch = there.watch((changes) => {
    if (typeof changes === "string") return;
    for (const { taskId, status } of changes) heard.push([taskId, status]);
  }, (_, status) => status === "cancelled");
  try {
    await here.enqueueBatch([{ type: "t" }, { type: "t" }]);
    await until(() => read.messages > 0, "the other process to hear itself");
    const tasks = await here.claim({ workerId: "w", types: ["t"], limit: 2 });
    await here.complete(tasks[0]!);
    const { task } = await here.enqueue({ type: "unwanted" });
    await here.cancel(task.id);
    await until(() => heard.length > 0, "the cancelled task");
    assertEquals(heard, [[task.id, "cancelled"]]);
    assertEquals(read.tasks, 1);
  } finally {
    unwatch();
    await here.close();
    await there.close();
  }
});
