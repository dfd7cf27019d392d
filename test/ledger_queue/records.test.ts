import { recordsContract } from "../contract/records_contract.ts";
import { withMemoryQueue } from "../support/queues.ts";

recordsContract("queue in memory", withMemoryQueue, withMemoryQueue);
