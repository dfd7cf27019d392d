import { dependenciesContract, manyChildrenContract } from "../contract/dependencies_contract.ts";
import { effort } from "../support/effort.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const server = postgresForTests();

dependenciesContract("queue on PostgreSQL", withPostgresQueue(server), effort("postgresChain"));
manyChildrenContract("queue on PostgreSQL", withPostgresQueue(server));
