import { closureContract } from "../contract/closure_contract.ts";
import { withMemoryQueue } from "../support/queues.ts";

closureContract("queue in memory", withMemoryQueue);
