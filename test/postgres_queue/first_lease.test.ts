import { firstLeaseContract } from "../contract/first_lease_contract.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();

firstLeaseContract("queue on PostgreSQL", withPostgresQueue(server));
