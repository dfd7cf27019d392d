/**
 * The application of examples/hono_embedding, and the client against it.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { MemoryLogStore, openQueue, Worker } from "../../src/mod.ts";
import { HoldfastClient, HoldfastError, type RunEvent } from "../../client/client.ts";
import { createHandlers, createHost } from "../../examples/hono_embedding/app.ts";

async function withHost(
  test: (
    clientOf: (word: string) => HoldfastClient,
    host: ReturnType<typeof createHost>,
  ) => Promise<void>,
): Promise<void> {
  const queue = await openQueue({ memory: true });
  const logs = new MemoryLogStore();
  const worker = new Worker({ queue, logs, handlers: createHandlers() });
  worker.start();
  try {
    const host = createHost(queue, logs);
    const clientOf = (word: string): HoldfastClient =>
      new HoldfastClient({
        url: "http://localhost/tasks/",
        headers: { "X-Word": word },
        fetch: (request) => Promise.resolve(host.fetch(request)),
      });
    await test(clientOf, host);
  } finally {
    await worker.stop();
    await queue.close();
  }
}

Deno.test("the host keeps its own paths and its own sign-in", () =>
  withHost(async (clientOf, host) => {
    assertEquals(await (await host.request("/")).text(), "The host's own page");
    assertEquals(await (await host.request("/api/health")).text(), "the host is well");
    assertEquals((await host.request("/tasks/api/runs")).status, 401);
    const ann = clientOf("ann's word");
    const run = await ann.run("greet", { name: "Ann" });
    assertEquals((await ann.wait(run.run_id)).result, { text: "Hello, Ann!" });
    const refused = await assertRejects(() => ann.cancel(run.run_id), HoldfastError);
    assertEquals([refused.status, refused.code], [403, "FORBIDDEN"]);
    const finished = await assertRejects(
      () => clientOf("root's word").cancel(run.run_id),
      HoldfastError,
    );
    assertEquals([finished.status, finished.code], [409, "RUN_FINISHED"]);
    const unknown = await assertRejects(() => clientOf("toString").get(run.run_id), HoldfastError);
    assertEquals(unknown.code, "UNAUTHORIZED");
  }));

Deno.test("the client follows a run through the host", () =>
  withHost(async (clientOf) => {
    const ann = clientOf("ann's word");
    const { run_id } = await ann.run("greet", { name: "Bob" }, { idempotency_key: "once" });
    assertEquals(
      (await ann.run("greet", { name: "Bob" }, { idempotency_key: "once" })).run_id,
      run_id,
    );
    const events: RunEvent[] = [];
    for await (const event of ann.follow(run_id)) events.push(event);
    const lines = events.flatMap((event) => event.event === "log" ? [event.data.message] : []);
    assertEquals(lines, ["greeting Bob"]);
    const last = events.at(-1)!;
    assertEquals(last.event === "complete" && last.data.result, { text: "Hello, Bob!" });
  }));
