import { firstLeaseContract } from "../contract/first_lease_contract.ts";
import { withQueue, withTemporaryPath } from "../support/queues.ts";

firstLeaseContract(
  "LedgerQueue in memory",
  (options, test) => withQueue({ memory: true, ...options }, test),
);
firstLeaseContract(
  "LedgerQueue on disk",
  (options, test) => withTemporaryPath((path) => withQueue({ path, ...options }, test)),
);
