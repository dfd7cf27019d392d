import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import { taskQueueContract } from "../contract/task_queue_contract.ts";
import { withMemoryQueue, withQueue, withTemporaryPath } from "../support/queues.ts";

taskQueueContract("queue in memory", withMemoryQueue);
taskQueueContract(
  "queue on another storage",
  (options, test) => withQueue({ storage: new MemoryStorage(), ...options }, test),
);
taskQueueContract(
  "queue in files",
  (options, test) => withTemporaryPath((path) => withQueue({ path, ...options }, test)),
);
taskQueueContract(
  "relaxed queue in files",
  (options, test) =>
    withTemporaryPath((path) => withQueue({ path, durability: "relaxed", ...options }, test)),
);
