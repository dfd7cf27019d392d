/**
 * What is opened or made with an option that there is none of is refused: it would silently be the default.
 */
import { assertRejects, assertThrows } from "@std/assert";
import { createApp } from "../../server/app.ts";
import { HoldfastClient } from "../../client/client.ts";
import {
  BackgroundTaskManager,
  exportTasks,
  HandlerRegistry,
  importAsNewQueue,
  importTasks,
  MemoryLogStore,
  migrateQueue,
  moveQueue,
  openLogStore,
  openQueue,
  openQueueWith,
  openRemoteQueue,
  openRunRegistry,
  QueuedTaskManager,
  readTaskFile,
  repairQueue,
  restoreBackup,
  RunRegistry,
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

Deno.test("files, logs, registries, managers and the client refuse an option that they have not", async () => {
  // deno-lint-ignore no-explicit-any
  const unknown: any = { retntion: 1 };
  const url = "http://127.0.0.1:1";
  await withMemoryQueue(IN_MEMORY, async (queue) => {
    const format = "ndjson";
    const managers = [
      new BackgroundTaskManager(new RunRegistry()),
      new QueuedTaskManager(queue, new RunRegistry(), { ownsQueue: false }),
    ];
    const doors: readonly (() => unknown)[] = [
      () => restoreBackup("nowhere", "nowhere", unknown),
      () => repairQueue("nowhere", unknown),
      () => moveQueue("nowhere", "elsewhere", unknown),
      () => migrateQueue("nowhere", unknown),
      () => readTaskFile("nowhere", unknown),
      () => importTasks(queue, "nowhere", unknown),
      () => importAsNewQueue("nowhere", "nowhere", unknown),
      () => exportTasks(queue, { format, output: () => {}, ...unknown }),
      () => new MemoryLogStore(unknown),
      () => openLogStore("nowhere", unknown),
      () => new RunRegistry(unknown),
      () => openRunRegistry(unknown),
      () => new HoldfastClient({ url, ...unknown }),
      () => new HoldfastClient({ url }).wait("r", unknown),
      () => new HoldfastClient({ url }).follow("r", unknown).next(),
      ...managers.map((manager) => () => manager.close({ graceMs: 0, ...unknown })),
    ];
    for (const door of doors) {
      await assertRejects(async () => await door(), TypeError, '"retntion"');
    }
    for (const manager of managers) await manager.close({ graceMs: 0 });
  });
});
