import { taskQueueContract } from "../contract/task_queue_contract.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();

taskQueueContract("queue on PostgreSQL", withPostgresQueue(server));
