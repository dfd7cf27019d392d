import { fairShareContract } from "../contract/fair_share_contract.ts";
import { effort } from "../support/effort.ts";
import { postgresForTests, withPostgresQueue } from "../support/postgres_queues.ts";

const useQueue = withPostgresQueue(postgresForTests());

fairShareContract("queue on PostgreSQL", useQueue, effort("postgresFairStarts"));
