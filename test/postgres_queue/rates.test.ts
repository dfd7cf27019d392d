/**
 * Rates on a server that many clients ask at once.
 */
import { assertEquals } from "@std/assert";
import { groupRatesContract, ratesContract } from "../contract/rates_contract.ts";
import {
  freshSchema,
  openPostgresQueue,
  postgresForTests,
  withPostgresQueue,
} from "../support/postgres_queues.ts";

const server = postgresForTests();

ratesContract("queue on PostgreSQL", withPostgresQueue(server));
groupRatesContract("queue on PostgreSQL", withPostgresQueue(server));

Deno.test("clients that claim at once under rates start as many as those allow", async () => {
  const schema = freshSchema();
  const queues = await Promise.all(
    Array.from({ length: 3 }, () => openPostgresQueue(server.url, { schema, connections: 3 })),
  );
  const [queue] = queues;
  const hour = { periodMs: 3_600_000 };
  await queue!.setLimit({ type: "t" }, { rate: { limit: 7, ...hour, burst: 7 } });
  await queue!.setLimit({ group: "*" }, { rate: { limit: 2, ...hour, burst: 2 } });
  const groups = [undefined, "a", "b", "c"];
  const tasks = Array.from({ length: 40 }, (_, i) => ({ type: "t", group: groups[i % 4] }));
  await queue!.enqueueBatch(tasks);
  const claims = Array.from(
    { length: 12 },
    (_, i) => queues[i % 3]!.claim({ workerId: `w${i}`, types: ["t"], limit: 2 }),
  );
  const claimed = (await Promise.all(claims)).flat();
  assertEquals(claimed.length, 7);
  for (const group of ["a", "b", "c"]) {
    assertEquals(claimed.filter((task) => task.group === group).length <= 2, true, group);
  }
  for (const each of queues) await each.close();
});
