/**
 * Moves to PostgreSQL, back, and within it.
 */
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";
import { withMemoryQueue } from "../support/queues.ts";
import { moveContract } from "../transfer/move_contract.ts";

const server = postgresForTests();
const withPostgres = withPostgresQueue(server);

moveContract("from files to PostgreSQL", withMemoryQueue, withPostgres);
moveContract("from PostgreSQL to files", withPostgres, withMemoryQueue);
moveContract("from PostgreSQL to PostgreSQL", withPostgres, withPostgres);
