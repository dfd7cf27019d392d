/**
 * Connections whose other end is gone without a word: calls over them are answered all the same, and are done once.
 */
import { assertEquals } from "@std/assert";
import { cuttingProxy } from "../support/cutting_proxy.ts";
import { freshSchema, openPostgresQueue, postgresForTests } from "../support/postgres_queues.ts";

const server = postgresForTests();

Deno.test({
  name: "calls over connections that a network has forgotten are answered, and each is done once",
  fn: async () => {
    const schema = freshSchema();
    const target = new URL(server.url);
    const proxy = cuttingProxy(Number(target.port), Math.random);
    const through = server.url.replace(target.port, String(proxy.port));
    const queue = await openPostgresQueue(through, { schema, silenceMaxMs: 200 });
    await queue.enqueueBatch([{ type: "t" }, { type: "t" }]);
    proxy.silence();
    const [task] = await queue.claim({ workerId: "w", types: ["t"] });
    proxy.silence();
    const [completed] = await Promise.all([
      queue.complete(task!, "done"),
      queue.enqueue({ type: "t", runId: "late" }),
    ]);
    assertEquals([completed.status, completed.result], ["completed", "done"]);
    assertEquals((await queue.stats()).total, 3);
    await queue.close();
    await proxy.close();
  },
});
