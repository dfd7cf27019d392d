import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { QueueError, StorageError } from "../../src/domain/errors.ts";
import { createRun } from "../../src/domain/run.ts";
import { BackgroundTaskManager } from "../../src/manager/background_task_manager.ts";
import { resolveTaskExecutionConfig } from "../../src/manager/config.ts";
import {
  createQueuedTaskManager,
  createTaskManager,
  type TaskManagerDeps,
} from "../../src/manager/factory.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { openQueue } from "../../src/mod.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
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
    openQueue: (path): Promise<TaskQueue> => {
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
