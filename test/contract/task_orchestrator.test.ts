import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import {
  BackgroundTaskManager,
  createRun,
  openQueue,
  QueuedTaskManager,
  TASK_BACKENDS,
  TaskOrchestrator,
} from "../../src/mod.ts";
import { freshPlace } from "../support/engine.ts";
import { until } from "../support/until.ts";
import { withScripts } from "../patterns/scripts.ts";
import { taskOrchestratorContract } from "./task_orchestrator_contract.ts";

for (const backend of TASK_BACKENDS) taskOrchestratorContract(backend);

Deno.test("the back end decides which task manager an orchestrator makes", async () => {
  await withScripts({}, async (folder) => {
    const queueDbPath = freshPlace(folder);
    for (const taskBackend of TASK_BACKENDS) {
      const orchestrator = new TaskOrchestrator({ taskManager: { taskBackend, queueDbPath } });
      const manager = await orchestrator.taskManager();
      const expected = taskBackend === "queue" ? QueuedTaskManager : BackgroundTaskManager;
      assert(manager instanceof expected);
      await orchestrator.close();
    }
  });
});

Deno.test("with the queue, a run that nobody waits for is on disk when execute() has answered", async () => {
  await withScripts({ "wait.mjs": "setInterval(() => {}, 1000);" }, async (folder) => {
    const queueDbPath = freshPlace(folder);
    const orchestrator = new TaskOrchestrator({
      taskManager: { taskBackend: "queue", queueDbPath },
    });
    const script = join(folder, "wait.mjs");
    const result = await orchestrator.execute(script, { waitForResult: false, runId: "r1" });
    assertEquals(result, { pattern: "fire-and-forget", runId: "r1" });
    const elsewhere = await openQueue(queueDbPath);
    try {
      assertEquals((await elsewhere.getByRunId("r1"))?.type, "wait.mjs");
    } finally {
      await elsewhere.close();
    }
    await orchestrator.close({ graceMs: 0 });
  });
});

Deno.test("with the queue, execute() is told that its own run was refused, and of no other", async () => {
  await withScripts({ "wait.mjs": "setInterval(() => {}, 1000);" }, async (folder) => {
    const queueDbPath = freshPlace(folder);
    const elsewhere = await openQueue(queueDbPath);
    for (const runId of ["taken", "taken too"]) {
      // It has ended, so that only the queue knows that its run id is taken.
      const { task } = await elsewhere.enqueue({ type: "other", runId });
      await elsewhere.cancel(task.id);
    }
    await elsewhere.close();
    const orchestrator = new TaskOrchestrator({
      taskManager: { taskBackend: "queue", queueDbPath },
    });
    const manager = await orchestrator.taskManager();
    const refused = createRun({ runId: "taken", moduleId: "m" });
    manager.startTask(refused, () => Promise.resolve());
    await until(() => refused.status === "failed", "the first run to be refused");
    const execute = (runId: string): Promise<unknown> =>
      orchestrator.execute(join(folder, "wait.mjs"), { waitForResult: false, runId });
    assertEquals(await execute("free"), { pattern: "fire-and-forget", runId: "free" });
    await assertRejects(() => execute("taken too"), Error, '"taken too"');
    await orchestrator.close({ graceMs: 0 });
  });
});
