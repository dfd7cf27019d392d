import { fairShareContract } from "../contract/fair_share_contract.ts";
import { effort } from "../support/effort.ts";
import { withMemoryQueue } from "../support/queues.ts";

fairShareContract("queue in memory", withMemoryQueue, effort("fairStarts"));
