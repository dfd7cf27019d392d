/**
 * Schedules on PostgreSQL: the contract; two processes that fire the same schedules; what an idle process asks; the plans of
 * the statements that look for what is due.
 */
import { assert, assertEquals } from "@std/assert";
import { parsePostgresAddress } from "../../src/platform/postgres_address.ts";
import { PostgresDatabase } from "../../src/platform/postgres_driver.ts";
import { migrate } from "../../src/postgres_queue/migrate.ts";
import { PostgresAccess } from "../../src/postgres_queue/postgres_access.ts";
import { PostgresQueue } from "../../src/postgres_queue/postgres_queue.ts";
import type { Row, Statements } from "../../src/postgres_queue/rows/database.ts";
import { QualifiedStatements, Qualifier } from "../../src/postgres_queue/rows/qualified.ts";
import { MOMENT, OUTLOOK } from "../../src/postgres_queue/schedules/plan_schedule.ts";
import { clockOf } from "../../src/postgres_queue/tasks/claim_sql.ts";
import { SCHEDULE_LIMITS } from "../../src/queue/schedule.ts";
import { schedulesContract } from "../contract/schedules_contract.ts";
import { cuttingProxy } from "../support/cutting_proxy.ts";
import { FakeClock } from "../support/fake_clock.ts";
import {
  freshSchema,
  openPostgresQueue,
  postgresForTests,
  withPostgresQueue,
} from "../support/postgres_queues.ts";
import { seededRandom } from "../support/queues.ts";
import { until } from "../support/until.ts";

const server = postgresForTests();

schedulesContract("queue on PostgreSQL", withPostgresQueue(server));

/** What a test has beside its queues. */
interface Beside {
  readonly schema: string;
  readonly database: PostgresDatabase;
  readonly qualifier: Qualifier;
  readonly statements: Statements;
  /** What the queues reported. */
  readonly told: readonly Error[];
}

/** Queues on one schema by the server's time. */
async function withQueues(
  count: number,
  test: (queues: readonly PostgresQueue[], beside: Beside) => Promise<void>,
): Promise<void> {
  const schema = freshSchema();
  const told: Error[] = [];
  const onBackgroundError = (error: Error): void => void told.push(error);
  const queues = await Promise.all(
    Array.from(
      { length: count },
      () => openPostgresQueue(server.url, { schema, onBackgroundError }),
    ),
  );
  const database = new PostgresDatabase(parsePostgresAddress(server.url));
  const qualifier = new Qualifier(schema);
  const statements = new QualifiedStatements(database, qualifier);
  try {
    await test(queues, { schema, database, qualifier, statements, told });
  } finally {
    for (const queue of queues) await queue.close();
    await database.close();
  }
}

/** The seconds, since 1970, of the instants for which a schedule has tasks. */
async function firedSeconds(statements: Statements, id: string): Promise<number[]> {
  const rows = await statements.query(
    "select run_id from @task where run_id like $1 || '@%' order by id",
    [id],
  );
  return rows.map(({ run_id }) => Date.parse(String(run_id).slice(id.length + 1)) / 1000);
}

const SCHEDULES = 15;

Deno.test({
  name: `two queues and ${SCHEDULES} every-second schedules fire each instant exactly once`,
  fn: () =>
    withQueues(2, async (queues, { statements, told }) => {
      const ids = Array.from({ length: SCHEDULES }, (_, n) => `s${n}`);
      for (const id of ids) {
        await queues[0]!.addSchedule({ id, type: "t", cron: "* * * * * *", overlap: true });
      }
      let isOver = false;
      const insist = async (queue: PostgresQueue): Promise<void> => {
        while (!isOver) await queue.fireSchedules();
      };
      const insisting = queues.map(insist);
      const last = ids.at(-1)!;
      await until(async () => (await queues[1]!.getSchedule(last))!.firings >= 4, "four firings");
      isOver = true;
      await Promise.all(insisting);
      for (const id of ids) await queues[0]!.pauseSchedule(id, true);
      let tasks = 0;
      for (const id of ids) {
        const seconds = await firedSeconds(statements, id);
        assertEquals(seconds, seconds.map((_, n) => seconds[0]! + n), id);
        assertEquals((await queues[0]!.getSchedule(id))!.firings, seconds.length, id);
        tasks += seconds.length;
      }
      assertEquals([await queues[0]!.count(), told], [tasks, []]);
    }),
});

Deno.test({
  name: "a schedule fires by itself on time, in whichever queue",
  fn: () =>
    withQueues(2, async (queues, { statements, told }) => {
      await queues[0]!.addSchedule({ id: "s", type: "t", cron: "* * * * * *", overlap: true });
      await until(async () => (await firedSeconds(statements, "s")).length >= 3, "three firings");
      const seconds = await firedSeconds(statements, "s");
      assertEquals(seconds, seconds.map((_, n) => seconds[0]! + n));
      assertEquals(told, []);
    }),
});

Deno.test({
  name: "two queues that look at the same moment fire what was missed once",
  fn: () =>
    withQueues(2, async ([a, b], { statements }) => {
      for (let n = 0; n < 30; n++) {
        await a!.addSchedule({ id: `s${n}`, type: "t", cron: "0 0 1 1 *", overlap: true });
      }
      for (let year = 1; year <= 5; year++) {
        await statements.query(
          "update @schedule set next_at = next_at - 366 * 86400000::bigint * 2",
        );
        await Promise.all([a!.fireSchedules(), b!.fireSchedules()]);
        await until(async () => await a!.count() >= 30 * year, `the firings of year ${year}`);
        await Promise.all([a!.fireSchedules(), b!.fireSchedules()]);
        assertEquals(await a!.count(), 30 * year);
      }
    }),
});

Deno.test({
  name: "schedules fire once also when connections are cut before their answers",
  fn: () =>
    withQueues(1, async ([direct], { schema, statements }) => {
      const target = new URL(server.url);
      const proxy = cuttingProxy(Number(target.port), seededRandom(5));
      const through = server.url.replace(target.port, String(proxy.port));
      const queue = await openPostgresQueue(through, { schema });
      for (let n = 0; n < 12; n++) {
        await direct!.addSchedule({ id: `s${n}`, type: "t", cron: "0 0 1 1 *", overlap: true });
      }
      proxy.cutShare = 0.04;
      for (let round = 1; proxy.cuts < 5; round++) {
        await statements.query("update @schedule set next_at = 0");
        await until(async () => {
          await queue.fireSchedules();
          return await direct!.count() >= 12 * round;
        }, `the firings of round ${round}`);
        assertEquals(await direct!.count(), 12 * round);
      }
      proxy.cutShare = 0;
      await queue.close();
      await proxy.close();
    }),
});

Deno.test({
  name: "a schedule whose time this process cannot read holds up no other, and is told of once",
  fn: () =>
    withQueues(1, async ([queue], { statements, told }) => {
      for (const id of ["bad", "good"]) {
        await queue!.addSchedule({ id, type: "t", cron: "0 0 1 1 *", overlap: true });
      }
      await statements.query(
        "update @schedule set time_zone = 'Europe/Newzone' where schedule_id = 'bad'",
      );
      for (let round = 1; round <= 3; round++) {
        await statements.query("update @schedule set next_at = 0");
        await queue!.fireSchedules();
        await until(async () => (await queue!.getSchedule("good"))!.firings === round);
      }
      assertEquals((await queue!.getSchedule("bad"))!.firings, 0);
      assertEquals(told.map(({ message }) => message.split(":").slice(0, 2).join(":")), [
        'Cannot fire schedule "bad": Cannot use "Europe/Newzone" as timeZone',
      ]);
      const { reasons } = await queue!.health();
      assertEquals(reasons.filter(({ code }) => code === "schedule_unplannable").length, 1);
    }),
});

Deno.test({
  name: "a schedule that is added at once by many is added once, and no queue gets too many",
  fn: () =>
    withQueues(2, async (queues, { statements }) => {
      const added = await Promise.all(
        Array.from({ length: 8 }, (_, n) =>
          queues[n % 2]!.addSchedule({ id: "s", type: "t", cron: "0 0 1 1 *" })),
      );
      assertEquals(
        added.filter(({ created }) =>
          created
        ).length,
        1,
      );
      await statements.query(
        `insert into @schedule select (json_populate_record(s, json_build_object('schedule_id', 'x' || n))).*
        from @schedule s, generate_series(1, $1::int) n`,
        [SCHEDULE_LIMITS.schedulesMax - 3],
      );
      const results = await Promise.allSettled(
        Array.from(
          { length: 6 },
          (_, n) => queues[n % 2]!.addSchedule({ id: `y${n}`, type: "t", cron: "0 0 1 1 *" }),
        ),
      );
      assertEquals(results.filter(({ status }) => status === "fulfilled").length, 2);
    }),
});

/** Counts what is asked of a server. */
class CountedDatabase extends PostgresDatabase {
  readonly statements: string[] = [];

  override query(text: string, parameters?: Parameters<Statements["query"]>[1]): Promise<Row[]> {
    this.statements.push(text);
    return super.query(text, parameters);
  }

  override transaction<T>(
    ...args: Parameters<typeof PostgresDatabase.prototype.transaction<T>>
  ): Promise<T> {
    this.statements.push("a transaction");
    return super.transaction(...args);
  }
}

Deno.test({
  name:
    "an idle queue with schedules asks one thing each second, and now and then what has changed",
  fn: async () => {
    const clock = new FakeClock();
    const schema = freshSchema();
    const database = new CountedDatabase(parsePostgresAddress(server.url));
    await migrate(database, schema);
    const access = new PostgresAccess(database, {
      schema,
      clock,
      isClockTrusted: true,
      random: seededRandom(1),
    });
    const queue = new PostgresQueue(access, {
      onBackgroundError: (error) => {
        throw error;
      },
    });
    await queue.begin();
    try {
      await queue.addSchedule({ id: "s", type: "t", cron: "0 0 1 1 *" });
      await queue.fireSchedules();
      database.statements.length = 0;
      const looks = (): number =>
        database.statements.filter((text) => text.includes("is_rescue_due")).length;
      for (let second = 1; second <= 20; second++) {
        await until(async () => {
          await clock.advance(100);
          return looks() >= second;
        });
      }
      const seconds = (clock.nowMs() - Date.UTC(2026, 0, 1)) / 1000;
      assert(looks() <= seconds, `${looks()} looks in ${seconds} s`);
      assert(
        database.statements.length <= 2 * seconds,
        `${database.statements.length} statements in ${seconds} s`,
      );
    } finally {
      await queue.close();
    }
  },
});

Deno.test({
  name: "what is due is looked for in indexes, by the server's clock",
  fn: () =>
    withQueues(1, async (_queues, { database, qualifier }) => {
      const planOf = (sql: string): Promise<string> =>
        database.transaction(async (tx) => {
          await tx.query("set local enable_seqscan = off");
          const rows = await tx.query(`explain ${qualifier.text(sql).replaceAll("$1", "null")}`);
          return rows.map((row) => String(row["QUERY PLAN"])).join("\n");
        });
      const look = await planOf(`with ${MOMENT} select ${OUTLOOK} from moment`);
      for (const bound of ["next_at <= moment.now", "next_at > moment.now"]) {
        assert(look.includes(`Index Cond: (${bound})`), look);
      }
      const due = await planOf(
        `select id from @live where state = 2 and run_after <= ${clockOf("$1")}`,
      );
      assert(due.includes("Index Cond: (run_after <= "), due);
    }),
});
