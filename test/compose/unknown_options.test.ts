/**
 * What is opened or made with an option that there is none of is refused: it would silently be the default.
 */
import { assertRejects, assertThrows } from "@std/assert";
import { createApp } from "../../server/app.ts";
import {
  HandlerRegistry,
  openQueue,
  openQueueWith,
  openRemoteQueue,
  Worker,
} from "../../src/mod.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { IN_MEMORY, withMemoryQueue } from "../support/queues.ts";

Deno.test("openQueue, openQueueWith, openRemoteQueue, Worker, createApp and register refuse an option that they have not", async () => {
  // deno-lint-ignore no-explicit-any
  const unknown: any = { retntion: [] };
  const named = '"retntion"';
  await assertRejects(() => openQueue({ memory: true, ...unknown }), TypeError, named);
  const engine = await loadSqlJsEngine();
  await assertRejects(() => openQueueWith({ engine, ...unknown }), TypeError, named);
  await assertRejects(
    async () => await openRemoteQueue({ url: "http://127.0.0.1:1", ...unknown }),
    TypeError,
    named,
  );
  await withMemoryQueue(IN_MEMORY, async (queue) => {
    const handlers = new HandlerRegistry();
    assertThrows(() => new Worker({ queue, handlers, ...unknown }), TypeError, named);
    assertThrows(() => createApp({ queue, ...unknown }), TypeError, named);
    assertThrows(() => handlers.register("t", () => 1, unknown), TypeError, named);
    const worker = new Worker({ queue, handlers });
    await assertRejects(() => worker.stop({ graceMs: 0, ...unknown }), TypeError, named);
    await worker.stop({ graceMs: 0 });
  });
});
