/**
 * The suites that every queue has to pass, for a queue behind a server.
 */
import { argumentsContract } from "../contract/arguments_contract.ts";
import { bulkContract } from "../contract/bulk_contract.ts";
import { changesContract } from "../contract/changes_contract.ts";
import { completionContract } from "../contract/completion_contract.ts";
import { dependenciesContract, manyChildrenContract } from "../contract/dependencies_contract.ts";
import { firstLeaseContract } from "../contract/first_lease_contract.ts";
import { expiryContract } from "../contract/expiry_contract.ts";
import { flowContract } from "../contract/flow_contract.ts";
import { orderContract } from "../contract/order_contract.ts";
import { groupRatesContract, ratesContract } from "../contract/rates_contract.ts";
import { uniqueContract } from "../contract/unique_contract.ts";
import { searchContract } from "../contract/search_contract.ts";
import { queueOperationsContract } from "../contract/queue_operations_contract.ts";
import { schedulesContract } from "../contract/schedules_contract.ts";
import type { UseQueue } from "../contract/suite.ts";
import { tagsContract } from "../contract/tags_contract.ts";
import { taskQueueContract } from "../contract/task_queue_contract.ts";
import { webhooksContract } from "../contract/webhooks_contract.ts";
import { waitContract } from "../contract/wait_contract.ts";
import { isThorough } from "../support/effort.ts";
import { withRemote } from "./remote_fixture.ts";

const asked: UseQueue = (options, test) =>
  withRemote(options, ({ remote, clock }) => test(remote, clock));

const overSocket: UseQueue = (options, test) =>
  withRemote({ ...options, isSocket: true }, ({ remote, clock }) => test(remote, clock));

taskQueueContract("queue behind a server", asked);
queueOperationsContract("queue behind a server", asked);
argumentsContract("queue behind a server", asked);
schedulesContract("queue behind a server", asked);
webhooksContract("queue behind a server", asked);
firstLeaseContract("queue behind a server", asked);
flowContract("queue behind a server", asked);
ratesContract("queue behind a server", asked);
changesContract("queue behind a server", asked);
bulkContract("queue behind a server", asked);
searchContract("queue behind a server", asked);
tagsContract("queue behind a server", asked);
completionContract("queue behind a server", asked);
waitContract("queue behind a server", asked);
waitContract("queue behind a socket", overSocket);

// What follows is the engine's alone: a server passes on the fields by which it is asked for, as test/contract/task_fields.test.ts shows.
if (isThorough()) {
  taskQueueContract("queue behind a socket", overSocket);
  dependenciesContract("queue behind a server", asked);
  manyChildrenContract("queue behind a server", asked);
  groupRatesContract("queue behind a server", asked);
  expiryContract("queue behind a server", asked);
  uniqueContract("queue behind a server", asked);
  orderContract("queue behind a server", asked);
}
