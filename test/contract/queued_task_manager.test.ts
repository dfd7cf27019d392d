import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { openQueue } from "../../src/mod.ts";
import { type ManagerFixture, taskManagerContract } from "./task_manager_contract.ts";

taskManagerContract("QueuedTaskManager", async (): Promise<ManagerFixture> => {
  const registry = new RunRegistry();
  const manager = await QueuedTaskManager.open(await openQueue({ memory: true }), registry);
  return { manager, registry, close: () => manager.close({ graceMs: 10 }) };
});

taskManagerContract(
  "QueuedTaskManager without an embedded worker",
  async (): Promise<ManagerFixture> => {
    const registry = new RunRegistry();
    const queue = await openQueue({ memory: true });
    const manager = await QueuedTaskManager.open(queue, registry, { worker: false });
    return { manager, registry, close: () => manager.close({ graceMs: 10 }) };
  },
);
