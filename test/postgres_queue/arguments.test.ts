import { argumentsContract } from "../contract/arguments_contract.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

argumentsContract("queue on PostgreSQL", withPostgresQueue(postgresForTests()));
