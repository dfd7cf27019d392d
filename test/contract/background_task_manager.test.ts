import { BackgroundTaskManager } from "../../src/manager/background_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { type ManagerFixture, taskManagerContract } from "./task_manager_contract.ts";

taskManagerContract("BackgroundTaskManager", (): Promise<ManagerFixture> => {
  const registry = new RunRegistry();
  const manager = new BackgroundTaskManager(registry);
  return Promise.resolve({ manager, registry, close: () => manager.close({ graceMs: 10 }) });
});
