/**
 * Rates on a server that many clients ask at once.
 */
import { assert, assertEquals } from "@std/assert";
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

Deno.test("by the server's clock, a group that its rate has closed opens when that allows a start", async () => {
  const queue = await openPostgresQueue(server.url, { schema: freshSchema() });
  const periodMs = 3_600_000;
  await queue.setLimit({ group: "a" }, { rate: { limit: 1, periodMs } });
  await queue.enqueueBatch([{ type: "t", group: "a" }, { type: "t", group: "a" }]);
  const claims = [];
  for (let i = 0; i < 3; i++) {
    claims.push((await queue.claim({ workerId: "w", types: ["t"] })).length);
    if (i === 0) continue;
    const inMs = (await queue.nextDueAt())!.getTime() - Date.now();
    assert(inMs <= periodMs, `the next start is in ${inMs} ms`);
    await queue.enqueue({ type: "other" }); // what was found is no longer known
    assertEquals(await queue.cancel((await queue.list({ type: "other" }))[0]!.id), true);
    const askedInMs = (await queue.nextDueAt())!.getTime() - Date.now();
    assert(askedInMs <= periodMs, `the next start is said to be in ${askedInMs} ms`);
  }
  assertEquals(claims, [1, 0, 0]);
  await queue.close();
});
