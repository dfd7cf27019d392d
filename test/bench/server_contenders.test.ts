/**
 * The contenders of the bench that need nothing but PostgreSQL: each does all that is measured, and says when all is done.
 */
import { assertEquals } from "@std/assert";
import { Countdown, RESULT } from "../../bench/contenders/contender.ts";
import { holdfastPostgres } from "../../bench/contenders/servers/holdfast_postgres.ts";
import { riverSql } from "../../bench/contenders/servers/river_sql.ts";
import { whyNoPostgres } from "../support/postgres_server.ts";
import { freshSchema, postgresForTests } from "../support/postgres_queues.ts";

const postgres = postgresForTests();
const ignore = whyNoPostgres() !== undefined;

for (const entrant of [holdfastPostgres, riverSql]) {
  Deno.test({
    name: `${entrant.name}: what is enqueued is claimed once, and runs once`,
    ignore,
    fn: async () => {
      const contender = await entrant.enter(postgres.url, freshSchema());
      try {
        assertEquals(await contender.hasOpen(), false);
        await contender.enqueue(1);
        await contender.enqueueBatch(4);
        assertEquals(await contender.claimAndComplete!(2), 2);
        assertEquals(await contender.hasOpen(), true);
        const countdown = new Countdown();
        const allRan = countdown.expect(3);
        let ran = 0;
        const stop = await contender.work(2, () => {
          ran++;
          countdown.arrive();
          return Promise.resolve(RESULT);
        });
        await allRan;
        await stop();
        assertEquals([ran, await contender.hasOpen()], [3, false]);
        assertEquals(await contender.claimAndComplete!(2), 0);
      } finally {
        await contender.close();
      }
    },
  });
}
