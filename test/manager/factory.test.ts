import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { QueueError, StorageError } from "../../src/domain/errors.ts";
import { createRun } from "../../src/domain/run.ts";
import { BackgroundTaskManager } from "../../src/manager/background_task_manager.ts";
import { resolveTaskExecutionConfig } from "../../src/manager/config.ts";
import {
  createQueuedTaskManager,
  type CreateQueuedTaskManagerOptions,
  createTaskManager,
  type TaskManagerDeps,
} from "../../src/manager/factory.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import {
  createQueuedTaskManager as createQueuedTaskManagerHere,
  createTaskManager as createTaskManagerHere,
  openQueue,
} from "../../src/mod.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import type { LogLine } from "../../src/worker/log_store.ts";
import { overridden } from "../support/overridden_queue.ts";

const REFUSED = new StorageError("open", "data/queue.db", "permission denied");

interface Surroundings extends TaskManagerDeps {
  readonly opened: string[];
  readonly warnings: string[];
}

function surroundings(open: () => Promise<TaskQueue>): Surroundings {
  const opened: string[] = [];
  const warnings: string[] = [];
  return {
    opened,
    warnings,
    openQueue: ({ path }): Promise<TaskQueue> => {
      opened.push(path);
      return open();
    },
    warn: (message): void => {
      warnings.push(message);
    },
  };
}

const openInMemory = (): Promise<TaskQueue> => openQueue({ memory: true });
const QUEUE = resolveTaskExecutionConfig({ taskBackend: "queue", queueDbPath: "some/queue.db" });

Deno.test("the in-memory backend opens no queue", async () => {
  const registry = new RunRegistry();
  const deps = { ...surroundings(openInMemory), registry };
  const manager = await createTaskManager(resolveTaskExecutionConfig(), deps);
  assert(manager instanceof BackgroundTaskManager);
  assertStrictEquals(manager.registry, registry);
  assertEquals(deps.opened, []);
  await manager.close();
});

Deno.test("the queue backend opens the queue at its path", async () => {
  const deps = surroundings(openInMemory);
  const manager = await createTaskManager(QUEUE, deps);
  assert(manager instanceof QueuedTaskManager);
  assertEquals([deps.opened, deps.warnings], [["some/queue.db"], []]);
  await manager.close();
});

Deno.test("callers need not know which manager they have", async () => {
  for (const taskBackend of ["in-memory", "queue"] as const) {
    const config = resolveTaskExecutionConfig({ taskBackend });
    const manager = await createTaskManager(config, surroundings(openInMemory));
    const run = createRun({ runId: "r", moduleId: "m" });
    manager.startTask(run, () => Promise.resolve(taskBackend));
    await manager.flush();
    await manager.waitAll();
    assertStrictEquals(manager.registry.getRun("r"), run);
    assertEquals(run.result, taskBackend);
    await manager.close();
  }
});

Deno.test("a queue that cannot be opened is warned about and replaced by memory", async () => {
  const deps = surroundings(() => Promise.reject(REFUSED));
  const manager = await createTaskManager(QUEUE, deps);
  assert(manager instanceof BackgroundTaskManager);
  assertEquals(deps.warnings, [
    'Cannot open the task queue "some/queue.db", so runs are kept in memory and end with this process: ' +
    REFUSED.message,
  ]);
  await manager.close();
});

Deno.test("a caller's mistake is told, whatever the fallback", async () => {
  const mistakes: [Partial<TaskManagerDeps>, typeof TypeError | typeof RangeError][] = [
    [{ worker: { concurrency: 0 } }, RangeError],
    [{ worker: { strategy: "best" as "fifo" } }, TypeError],
    [{ worker: { leaseDurationMs: 5 } }, RangeError],
    [{ worker: { workerId: " " } }, TypeError],
    [{ payloadMaxBytes: 0 }, RangeError],
  ];
  for (const [options, errorClass] of mistakes) {
    const deps: Surroundings = {
      ...surroundings(openInMemory),
      openQueue: ({ path: _path, ...settings }) => openQueue({ memory: true, ...settings }),
      ...options,
    };
    await assertRejects(() => createTaskManager(QUEUE, deps), errorClass, "Cannot");
    assertEquals(deps.warnings, []);
  }
});

Deno.test("how the queue behaves reaches the queue, and how large parameters may be both managers", async () => {
  const asked: unknown[] = [];
  const settings = {
    durability: "relaxed",
    retryPolicy: { initialDelayMs: 5 },
    payloadMaxBytes: 1_000_000,
    retention: [{ olderThanMs: 1000 }],
    health: { noWorkerMs: 5 },
  } as const;
  const deps: Surroundings = {
    ...surroundings(openInMemory),
    ...settings,
    openQueue: ({ path: _path, clock: _clock, ...given }) => {
      asked.push(given);
      return openQueue({ memory: true, ...given });
    },
  };
  for (const taskBackend of ["in-memory", "queue"] as const) {
    const manager = await createTaskManager(resolveTaskExecutionConfig({ taskBackend }), deps);
    const parameters = "x".repeat(300_000);
    const run = createRun({ runId: taskBackend, moduleId: "m", parameters });
    manager.startTask(run, () => Promise.resolve("done"));
    await manager.waitAll();
    assertEquals([run.status, run.result, run.errorMessage], ["completed", "done", null]);
    await manager.close();
  }
  assertEquals(asked, [settings]);
});

Deno.test("onLog hears the work of both managers", async () => {
  for (const taskBackend of ["in-memory", "queue"] as const) {
    const heard: string[] = [];
    const onLog = (runId: string, { message }: LogLine): void => {
      heard.push(`${runId}: ${message}`);
    };
    const deps = { ...surroundings(openInMemory), onLog };
    const manager = await createTaskManager(resolveTaskExecutionConfig({ taskBackend }), deps);
    const run = createRun({ runId: "r", moduleId: "m" });
    manager.startTask(run, ({ log }) => Promise.resolve(log("info", "hello")));
    await manager.waitAll();
    await manager.close();
    assertEquals(heard, ["r: hello"]);
  }
});

Deno.test({
  name: "with its three options given createTaskManager() needs no permission for the environment",
  permissions: { env: false, read: true, write: true },
  fn: async () => {
    const manager = await createTaskManagerHere({
      taskBackend: "in-memory",
      queueDbPath: "data/queue.db",
      queueFallbackEnabled: false,
    });
    assert(manager instanceof BackgroundTaskManager);
    await manager.close();
    await assertRejects(() => createTaskManagerHere({ taskBackend: "in-memory" }), Error, "env");
  },
});

Deno.test("an option that nobody knows, or a path that is none, is refused with advice", async () => {
  const create = (options: unknown): Promise<unknown> =>
    createTaskManagerHere({ taskBackend: "queue", ...options as object });
  await assertRejects(() => create({ queueDBPath: "q.db" }), TypeError, "queueDbPath is meant");
  await assertRejects(() => create({ queueDbPath: ":memory:" }), TypeError, "memory: true");
  await assertRejects(() => create({ queueDbPath: "file:///tmp/q.db" }), TypeError, "URL");
  await assertRejects(() => create({ queueDbPath: "~/q.db" }), TypeError, "shell");
  await assertRejects(() => create({ historyPath: "~/runs" }), TypeError, "shell");
  await assertRejects(() => create({ historyPath: " " }), TypeError, "blank");
  const path = { path: "q.db", databse: true } as CreateQueuedTaskManagerOptions;
  await assertRejects(() => createQueuedTaskManagerHere(path), TypeError, "databse");
});

Deno.test("without fallback a queue that cannot be opened is an error", async () => {
  const deps = surroundings(() => Promise.reject(REFUSED));
  const config = { ...QUEUE, queueFallbackEnabled: false };
  assertStrictEquals(await assertRejects(() => createTaskManager(config, deps)), REFUSED);
  assertEquals(deps.warnings, []);
});

Deno.test("a queue whose runs cannot be read is closed again", async () => {
  for (const ownsQueue of [true, false]) {
    const queue = await openInMemory();
    const broken = overridden(queue, { list: () => Promise.reject(REFUSED) });
    const deps = surroundings(() => Promise.resolve(broken));
    const error = await assertRejects(() => createQueuedTaskManager({ ownsQueue }, deps));
    assertStrictEquals(error, REFUSED);
    assertEquals(deps.opened, ["data/queue.db"]);
    if (ownsQueue) {
      assertEquals((await assertRejects(() => queue.count(), QueueError)).code, "queue_closed");
    } else {
      await queue.close();
    }
  }
});
