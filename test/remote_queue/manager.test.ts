/**
 * A task manager on a queue behind a server.
 */
import { createApp } from "../../server/app.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { openQueue } from "../../src/mod.ts";
import { openRemoteQueue } from "../../src/remote_queue/open_remote_queue.ts";
import { type ManagerFixture, taskManagerContract } from "../contract/task_manager_contract.ts";

taskManagerContract("QueuedTaskManager at a server", async (): Promise<ManagerFixture> => {
  const registry = new RunRegistry();
  const queue = await openQueue({ memory: true });
  const app = createApp({ queue });
  const fetch = async (request: Request): Promise<Response> => await app.fetch(request);
  const remote = openRemoteQueue({ url: "http://127.0.0.1", fetch });
  const manager = await QueuedTaskManager.open(remote, registry);
  const close = async (): Promise<void> => {
    await manager.close({ graceMs: 10 });
    await queue.close();
  };
  return { manager, registry, close };
});
