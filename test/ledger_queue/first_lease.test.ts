import { firstLeaseContract } from "../contract/first_lease_contract.ts";
import { withMemoryQueue, withQueue, withTemporaryPath } from "../support/queues.ts";

firstLeaseContract("LedgerQueue in memory", withMemoryQueue);
firstLeaseContract(
  "LedgerQueue on disk",
  (options, test) => withTemporaryPath((path) => withQueue({ path, ...options }, test)),
);
