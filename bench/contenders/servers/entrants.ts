/**
 * All contenders on servers.
 */
import { bullMqAlways, bullMqEverySecond } from "./bullmq.ts";
import { graphileBatched, graphilePlain } from "./graphile_worker.ts";
import { holdfastPostgres } from "./holdfast_postgres.ts";
import { pgBoss } from "./pg_boss.ts";
import { riverSql } from "./river_sql.ts";
import type { ServerEntrant } from "./server_contender.ts";

/** In the order of the tables. */
export const SERVER_ENTRANTS: readonly ServerEntrant[] = [
  holdfastPostgres,
  graphilePlain,
  graphileBatched,
  pgBoss,
  riverSql,
  bullMqAlways,
  bullMqEverySecond,
];
