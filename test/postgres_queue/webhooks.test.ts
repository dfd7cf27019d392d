import { webhooksContract } from "../contract/webhooks_contract.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();

webhooksContract("queue on PostgreSQL", withPostgresQueue(server));
