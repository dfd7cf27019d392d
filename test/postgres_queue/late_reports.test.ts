/**
 * Reports of progress that are late: they arrive in the order in which they were made, and before the attempt ends.
 */
import { assertEquals } from "@std/assert";
import type { Database } from "../../src/postgres_queue/rows/database.ts";
import { postgresForTests, usePostgresQueue } from "../support/postgres_queues.ts";

/** Long enough for any statement that does not wait for the first report. */
const LATE_MS = 50;

const server = postgresForTests();

/** The statement that is sent first with progress comes late; no transaction begins before. */
function withLateReport(database: Database): Database {
  let late: Promise<void> | undefined;
  return new Proxy(database, {
    get(target, name): unknown {
      if (name === "query") {
        return async (...[text, parameters]: Parameters<Database["query"]>) => {
          const isFirst = late === undefined && text.includes("set progress_percent");
          if (isFirst) late = new Promise((resolve) => setTimeout(resolve, LATE_MS));
          if (isFirst) await late;
          return await target.query(text, parameters);
        };
      }
      if (name === "transaction") {
        return async (...args: Parameters<Database["transaction"]>) => {
          await late;
          return await target.transaction(...args);
        };
      }
      const own: unknown = Reflect.get(target, name);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
}

Deno.test({
  name: "a failure shows the progress that was reported last, although an earlier report is late",
  fn: () =>
    usePostgresQueue(server.url, { wrap: withLateReport }, async ({ queue }) => {
      await queue.enqueue({ type: "t", maxAttempts: 1 });
      const [task] = await queue.claim({ workerId: "w", types: ["t"] });
      const [, , failed] = await Promise.all([
        queue.reportProgress(task!, 10),
        queue.reportProgress(task!, 90),
        queue.fail(task!, new Error("so near")),
      ]);
      assertEquals([failed.status, failed.progress], ["failed", 90]);
    }),
});
