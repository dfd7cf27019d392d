import { queueOperationsContract } from "../contract/queue_operations_contract.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();

queueOperationsContract("queue on PostgreSQL", withPostgresQueue(server));
