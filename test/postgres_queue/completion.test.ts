import { completionContract } from "../contract/completion_contract.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

completionContract("queue on PostgreSQL", withPostgresQueue(postgresForTests()));
