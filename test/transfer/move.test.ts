import { withMemoryQueue } from "../support/queues.ts";
import { moveContract } from "./move_contract.ts";

moveContract("from files to files", withMemoryQueue, withMemoryQueue);
