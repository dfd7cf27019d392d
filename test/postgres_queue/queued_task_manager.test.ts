import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { openQueue } from "../../src/mod.ts";
import { type ManagerFixture, taskManagerContract } from "../contract/task_manager_contract.ts";
import { freshSchema, postgresForTests } from "../support/postgres_queues.ts";

const server = postgresForTests();

const open = async (options: { readonly worker?: false }): Promise<ManagerFixture> => {
  const registry = new RunRegistry();
  const queue = await openQueue(`${server.url}?schema=${freshSchema()}`);
  const manager = await QueuedTaskManager.open(queue, registry, options);
  return { manager, registry, close: () => manager.close({ graceMs: 10 }) };
};

taskManagerContract("QueuedTaskManager on PostgreSQL", () => open({}));
taskManagerContract(
  "QueuedTaskManager on PostgreSQL without an embedded worker",
  () => open({ worker: false }),
);
