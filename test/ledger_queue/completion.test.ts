import { completionContract } from "../contract/completion_contract.ts";
import { withMemoryQueue } from "../support/queues.ts";

completionContract("queue in memory", withMemoryQueue);
