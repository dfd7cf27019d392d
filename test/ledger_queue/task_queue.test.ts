import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import { taskQueueContract } from "../contract/task_queue_contract.ts";
import { isThorough } from "../support/effort.ts";
import { EMBEDDED_PLACES, withQueue, withTemporaryPath } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) taskQueueContract(name, withPlace);
if (isThorough()) {
  taskQueueContract(
    "queue on another storage",
    (options, test) => withQueue({ storage: new MemoryStorage(), ...options }, test),
  );
  taskQueueContract(
    "relaxed queue in files",
    (options, test) =>
      withTemporaryPath((path) => withQueue({ path, durability: "relaxed", ...options }, test)),
  );
}
