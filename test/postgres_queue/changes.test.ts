/**
 * Changes by hand on a server.
 */
import { bulkContract } from "../contract/bulk_contract.ts";
import { changesContract } from "../contract/changes_contract.ts";
import { searchContract } from "../contract/search_contract.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();

bulkContract("queue on PostgreSQL", withPostgresQueue(server));
changesContract("queue on PostgreSQL", withPostgresQueue(server));
searchContract("queue on PostgreSQL", withPostgresQueue(server));
