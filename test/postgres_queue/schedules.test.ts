/**
 * Schedules on PostgreSQL: the contract.
 */
import { schedulesContract } from "../contract/schedules_contract.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();

schedulesContract("queue on PostgreSQL", withPostgresQueue(server));
