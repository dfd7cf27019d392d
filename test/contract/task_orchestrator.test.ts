import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import {
  BackgroundTaskManager,
  openQueue,
  QueuedTaskManager,
  TASK_BACKENDS,
  TaskOrchestrator,
} from "../../src/mod.ts";
import { withScripts } from "../patterns/scripts.ts";
import { taskOrchestratorContract } from "./task_orchestrator_contract.ts";

for (const backend of TASK_BACKENDS) taskOrchestratorContract(backend);

Deno.test("the back end decides which task manager an orchestrator makes", async () => {
  await withScripts({}, async (folder) => {
    const queueDbPath = join(folder, "queue.db");
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
    const queueDbPath = join(folder, "queue.db");
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

Deno.test("with the queue, each execute() is told of its own run, whoever asks first", async () => {
  await withScripts({ "wait.mjs": "setInterval(() => {}, 1000);" }, async (folder) => {
    const queueDbPath = join(folder, "queue.db");
    const elsewhere = await openQueue(queueDbPath);
    for (const runId of ["taken", "taken too"]) await elsewhere.enqueue({ type: "other", runId });
    await elsewhere.close();
    const orchestrator = new TaskOrchestrator({
      taskManager: { taskBackend: "queue", queueDbPath },
    });
    const script = join(folder, "wait.mjs");
    const outcomes = await Promise.allSettled(
      ["first", "taken", "taken too", "last"].map((runId) =>
        orchestrator.execute(script, { waitForResult: false, runId })
      ),
    );
    const told = outcomes.map((one) => one.status === "rejected" ? String(one.reason) : "");
    assertEquals([told[0], told[3]], ["", ""]);
    assertMatch(told[1]!, /"taken"/);
    assertMatch(told[2]!, /"taken too"/);
    await orchestrator.close({ graceMs: 0 });
  });
});
