/**
 * The contract suites of queues and managers on the queue of `./core` in memory, in whatever runtime has bundled this. Prints how
 * many behaviours passed, and what was wrong with the others, as one line of JSON.
 *
 *     node contracts.mjs FOLDER_OF_SQL_JS
 */
import { registered } from "./registered.ts";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { loadSqlEngine, openQueueWith, type QueueParts } from "../../../src/core.ts";
import type { EmbeddedQueue } from "../../../src/queue/maintenance.ts";
import { BackgroundTaskManager } from "../../../src/manager/background_task_manager.ts";
import { QueuedTaskManager } from "../../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../../src/manager/run_registry.ts";
import { closureContract } from "../../contract/closure_contract.ts";
import { completionContract } from "../../contract/completion_contract.ts";
import {
  dependenciesContract,
  manyChildrenContract,
} from "../../contract/dependencies_contract.ts";
import { firstLeaseContract } from "../../contract/first_lease_contract.ts";
import { flowContract } from "../../contract/flow_contract.ts";
import { queueOperationsContract } from "../../contract/queue_operations_contract.ts";
import { recordsContract } from "../../contract/records_contract.ts";
import { schedulesContract } from "../../contract/schedules_contract.ts";
import { taskManagerContract } from "../../contract/task_manager_contract.ts";
import { taskQueueContract } from "../../contract/task_queue_contract.ts";
import { waitContract } from "../../contract/wait_contract.ts";
import { webhooksContract } from "../../contract/webhooks_contract.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";

const folder = process.argv[2]!;
const initSqlJs = createRequire(import.meta.url)(`${folder}/sql-wasm.js`);
const engine = await loadSqlEngine(initSqlJs, await readFile(`${folder}/sql-wasm.wasm`));

async function useQueue(
  options: Partial<QueueParts>,
  test: (queue: EmbeddedQueue, clock: FakeClock) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const queue = await openQueueWith({ engine, clock, random: seededRandom(1), ...options });
  try {
    await test(queue, clock);
  } finally {
    await queue.close();
  }
}

const QUEUE_CONTRACTS = [
  closureContract,
  completionContract,
  dependenciesContract,
  manyChildrenContract,
  firstLeaseContract,
  flowContract,
  queueOperationsContract,
  schedulesContract,
  taskQueueContract,
  waitContract,
  webhooksContract,
];
for (const contract of QUEUE_CONTRACTS) contract("core in memory", useQueue);
recordsContract("core in memory", useQueue, useQueue);

taskManagerContract("BackgroundTaskManager", () => {
  const registry = new RunRegistry();
  const manager = new BackgroundTaskManager(registry);
  return Promise.resolve({ manager, registry, close: () => manager.close({ graceMs: 10 }) });
});
taskManagerContract("QueuedTaskManager", async () => {
  const registry = new RunRegistry();
  const manager = await QueuedTaskManager.open(await openQueueWith({ engine }), registry);
  return { manager, registry, close: () => manager.close({ graceMs: 10 }) };
});

let passed = 0;
const failed: string[] = [];
for (const { name, run } of registered) {
  try {
    await run();
    passed++;
  } catch (thrown) {
    failed.push(`${name}: ${thrown instanceof Error ? thrown.stack : thrown}`);
  }
}
console.log(JSON.stringify({ passed, failed }));
