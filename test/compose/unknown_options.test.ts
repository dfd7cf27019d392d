/**
 * A misspelt option is refused by name, at every function of the library that takes options: it would silently be the default.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import { HoldfastClient } from "../../client/client.ts";
import { createDashboard } from "../../dashboard/app.tsx";
import { createApp } from "../../server/app.ts";
import * as library from "../../src/mod.ts";
import { openTestQueue } from "../../testing/test_queue.ts";

const WRONG = { wrng: 1 };

/** As JavaScript calls it: a misspelt option does not compile. */
// deno-lint-ignore no-explicit-any
const untyped: any = library;

/** Each function that takes options, called with one that it does not know. */
function doorsOf(queue: library.EmbeddedQueue): Readonly<Record<string, () => unknown>> {
  const handlers = new library.HandlerRegistry();
  const definition = library.defineTask({ type: "t", payload: z.object({}) });
  const held = { id: 1, leaseToken: 1 };
  // deno-lint-ignore no-explicit-any
  const q: any = queue;
  return {
    openQueue: () => untyped.openQueue({ memory: true, ...WRONG }),
    openQueueWith: () => untyped.openQueueWith(WRONG),
    openRemoteQueue: () => untyped.openRemoteQueue({ url: "http://127.0.0.1:1", ...WRONG }),
    openTestQueue: () => openTestQueue(WRONG as never),
    HoldfastClient: () => new HoldfastClient({ url: "http://127.0.0.1:1", ...WRONG } as never),
    createApp: () => createApp({ queue, handlers, ...WRONG } as never),
    createDashboard: () => createDashboard({ queue, ...WRONG } as never),
    Worker: () => new untyped.Worker({ queue, handlers, ...WRONG }),
    "Worker.stop": () => new untyped.Worker({ queue, handlers }).stop(WRONG),
    openLogStore: () => untyped.openLogStore("q.db", WRONG),
    MemoryLogStore: () => new untyped.MemoryLogStore(WRONG),
    readProject: () => untyped.readProject(WRONG),
    openProject: () => untyped.openProject(WRONG),
    loadHandlers: () => untyped.loadHandlers("none.ts", handlers, WRONG),
    createTaskManager: () => untyped.createTaskManager(WRONG),
    createQueuedTaskManager: () => untyped.createQueuedTaskManager(WRONG),
    BackgroundTaskManager: () =>
      new untyped.BackgroundTaskManager(new library.RunRegistry(), WRONG),
    QueuedTaskManager: () =>
      untyped.QueuedTaskManager.open(queue, new library.RunRegistry(), WRONG),
    RunRegistry: () => new untyped.RunRegistry(WRONG),
    openRunRegistry: () => untyped.openRunRegistry({ historyPath: "runs.json", ...WRONG }),
    createRun: () => untyped.createRun({ runId: "r", moduleId: "m", ...WRONG }),
    ConcurrentExecutor: () => new untyped.ConcurrentExecutor(WRONG),
    defineTask: () => untyped.defineTask({ type: "x", payload: z.object({}), ...WRONG }),
    "definition.enqueue": () => definition.enqueue(queue, {}, WRONG as never),
    "definition.enqueue, how": () => definition.enqueue(queue, {}, {}, WRONG as never),
    "definition.newRun": () => definition.newRun({}, WRONG as never),
    register: () => handlers.register("x", () => 1, WRONG as never),
    enqueue: () => q.enqueue({ type: "t", ...WRONG }),
    "enqueue, how": () => q.enqueue({ type: "t" }, WRONG),
    enqueueBatch: () => q.enqueueBatch([{ type: "t", ...WRONG }]),
    claim: () => q.claim({ workerId: "w", ...WRONG }),
    complete: () => q.complete(held, null, WRONG),
    fail: () => q.fail(held, new Error("e"), WRONG),
    release: () => q.release(held, WRONG),
    wait: () => q.wait(1, WRONG),
    list: () => q.list(WRONG),
    cancel: () => q.cancel(1, WRONG),
    retry: () => q.retry(1, WRONG),
    remove: () => q.remove(1, WRONG),
    update: () => q.update(1, WRONG),
    replace: () => q.replace(1, WRONG),
    bulk: () => q.bulk({ action: "cancel", filter: {}, ...WRONG }),
    "bulk's filter": () => q.bulk({ action: "cancel", filter: WRONG }),
    prune: () => q.prune(WRONG),
    search: () => q.search({ text: "x", ...WRONG }),
    history: () => q.history(WRONG),
    transitions: () => q.transitions(1, WRONG),
    metrics: () => q.metrics(WRONG),
    addSchedule: () => q.addSchedule({ id: "s", type: "t", cron: "* * * * *", ...WRONG }),
    "addSchedule, how": () => q.addSchedule({ id: "s", type: "t", cron: "* * * * *" }, WRONG),
    listSchedules: () => q.listSchedules(WRONG),
    setLimit: () => q.setLimit({ type: "t" }, WRONG),
    "setLimit's scope": () => q.setLimit(WRONG, { concurrency: 1 }),
    pause: () => q.pause({ type: "t" }, WRONG),
    resume: () => q.resume({ type: "t" }, WRONG),
    exportRecords: () => q.exportRecords(WRONG),
    importRecords: () => q.importRecords([], WRONG),
    moveQueue: () => untyped.moveQueue({ from: "a.db", to: "b.db", ...WRONG }),
    migrateQueue: () => untyped.migrateQueue("postgres://u@127.0.0.1:1/d", WRONG),
  };
}

Deno.test("every function that takes options refuses one that it does not know, and stores nothing", async (t) => {
  const queue = await library.openQueue({ memory: true });
  try {
    for (const [name, door] of Object.entries(doorsOf(queue))) {
      await t.step(name, async () => {
        await assertRejects(async () => await door(), TypeError, "wrng");
      });
    }
    assertEquals(await queue.count(), 0);
  } finally {
    await queue.close();
  }
});
