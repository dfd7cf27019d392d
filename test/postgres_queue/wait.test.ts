import { waitContract } from "../contract/wait_contract.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

waitContract("queue on PostgreSQL", withPostgresQueue(postgresForTests()));
