/**
 * Groups on a server: what a claim has to find although nobody has told of it, what it costs, and what goes with a queue.
 */
import { assert, assertEquals } from "@std/assert";
import pg from "pg";
import { CLAIM_ORDERS } from "../../src/domain/claim_order.ts";
import type { Task } from "../../src/domain/task.ts";
import { parsePostgresAddress } from "../../src/platform/postgres_address.ts";
import type { Database, Statements } from "../../src/postgres_queue/rows/database.ts";
import type { ClaimRequest, TaskQueue } from "../../src/queue/task_queue.ts";
import type { PostgresQueue } from "../../src/postgres_queue/postgres_queue.ts";
import {
  freshSchema,
  openPostgresQueue,
  postgresForTests,
  type PostgresParts,
  usePostgresQueue,
} from "../support/postgres_queues.ts";

const server = postgresForTests();

function claim(queue: TaskQueue, request: Partial<ClaimRequest> = {}): Promise<Task[]> {
  return queue.claim({ workerId: "w", types: ["t"], ...request });
}

async function claimedIds(
  queue: TaskQueue,
  request: Partial<ClaimRequest> = {},
): Promise<number[]> {
  return (await claim(queue, request)).map(({ id }) => id);
}

async function enqueue(queue: TaskQueue, groups: readonly (string | undefined)[]): Promise<void> {
  await queue.enqueueBatch(groups.map((group) => ({ type: "t", group })));
}

async function withClient(test: (client: pg.Client) => Promise<void>): Promise<void> {
  const { hosts: [host], user, database } = parsePostgresAddress(server.url);
  const client = new pg.Client({ ...host!, user, database });
  await client.connect();
  try {
    await test(client);
  } finally {
    await client.end();
  }
}

for (const strategy of CLAIM_ORDERS) {
  Deno.test(`claim() by ${strategy} finds a group's task whose transaction was open when it looked`, () =>
    usePostgresQueue(server.url, {}, async ({ queue }) => {
      await enqueue(queue, ["known"]);
      const [first] = await claim(queue, { strategy });
      await withClient(async (client) => {
        await client.query("begin");
        const ids: number[] = [];
        for (const group of ["known", "new"]) {
          const { task } = await queue.enqueue({ type: "t", group }, { tx: client });
          ids.push(task.id);
        }
        await enqueue(queue, ["other"]);
        assertEquals((await claim(queue, { strategy, limit: 5 })).length, 1);
        await queue.complete(first!);
        assertEquals(await claim(queue, { strategy }), []);
        await enqueue(queue, ["other"]); // it need not wait until it hears of the commit
        await client.query("commit");
        const found = await claimedIds(queue, { strategy, limit: 5 });
        assertEquals(found.filter((id) => ids.includes(id)).toSorted((a, b) => a - b), ids);
      });
    }));

  Deno.test(`claim() by ${strategy} finds the tasks of groups that it makes ready itself`, () =>
    usePostgresQueue(server.url, {}, async ({ queue, clock }) => {
      await enqueue(queue, ["a"]);
      assertEquals(await claimedIds(queue, { strategy }), [1]);
      const runAfter = new Date(clock.nowMs() + 1000);
      await queue.enqueueBatch(["a", "b", "c"].map((group) => ({ type: "t", group, runAfter })));
      assertEquals(await claim(queue, { strategy }), []);
      await clock.advance(1001);
      const found: number[] = [];
      for (let i = 0; i < 3; i++) found.push(...await claimedIds(queue, { strategy }));
      assertEquals(found.toSorted((a, b) => a - b), [2, 3, 4]);
    }));
}

Deno.test("claim() finds the tasks of groups that it makes ready itself, though a later transaction has ended before it looks", () =>
  withClient(async (client) => {
    let before: Promise<unknown> = Promise.resolve();
    const wrap = (database: Database): Database =>
      watching(database, async (text) => {
        if (text.includes("under_way")) before = client.query("select pg_current_xact_id()");
        await before; // also what is sent after it, so that all go in their order
      });
    await usePostgresQueue(server.url, { wrap }, async ({ queue, clock }) => {
      await enqueue(queue, ["a"]);
      assertEquals(await claimedIds(queue), [1]);
      const runAfter = new Date(clock.nowMs() + 1000);
      await queue.enqueueBatch(["b", "c"].map((group) => ({ type: "t", group, runAfter })));
      await clock.advance(1001);
      await enqueue(queue, ["new"]); // so the claim notes what it has seen, before it makes the others ready
      const found: number[] = [];
      for (let i = 0; i < 3; i++) found.push(...await claimedIds(queue));
      assertEquals(found.toSorted((a, b) => a - b), [2, 3, 4]);
    });
  }));

Deno.test("a group's task that a caller's transaction has locked holds up no other, and starts after it", () =>
  usePostgresQueue(server.url, {}, async ({ queue }) => {
    await enqueue(queue, ["a", "a", "b"]);
    await withClient(async (client) => {
      await client.query("begin");
      await queue.enqueue({ type: "child", dependsOn: [1] }, { tx: client });
      const found = [...await claimedIds(queue), ...await claimedIds(queue)];
      assertEquals(found.toSorted((a, b) => a - b), [2, 3]);
      assertEquals(await claim(queue), []);
      await enqueue(queue, ["c"]);
      await client.query("commit");
    });
    const rest = await claimedIds(queue, { limit: 5 });
    assertEquals(rest.toSorted((a, b) => a - b), [1, 5]);
  }));

Deno.test("18: many groups that have been idle have no credit for it", () =>
  usePostgresQueue(server.url, {}, async ({ queue }) => {
    await queue.setLimit({ group: "*" }, { weight: 0.1 });
    await queue.setLimit({ group: "a" }, { weight: 1 });
    const groups = Array.from({ length: 20 }, (_, i) => `g${i}`);
    await enqueue(queue, [...Array<string>(60).fill("a"), ...groups]);
    assertEquals((await claim(queue, { limit: 21 })).length, 21);
    assertEquals((await claim(queue, { limit: 30 })).length, 30);
    await enqueue(queue, [...groups, ...groups, ...groups]);
    const started = (await claim(queue, { limit: 20 })).map(({ group }) => group);
    assertEquals(new Set(started).size, 20, started.join());
  }));

/** How often each group has started before the end of each claim, in the order of the claims. */
async function startsAfterEachClaim(parts: PostgresParts): Promise<Record<string, number>[]> {
  const { access: { schema }, database } = parts;
  const rows = await database.query(
    `select p.tx::text as tx, t.grp, count(*)::int as starts, min(p.step) as step
      from "${schema}".transition p join "${schema}".task t on t.id = p.task_id
      where p.kind = 'leased' group by p.tx, t.grp order by min(min(p.step)) over (partition by p.tx)`,
  );
  const claims = new Map<string, Record<string, number>>();
  let total: Record<string, number> = {};
  for (const { tx, grp, starts } of rows) {
    total = { ...total, [String(grp)]: (total[String(grp)] ?? 0) + Number(starts) };
    claims.set(String(tx), total);
  }
  return [...claims.values()];
}

Deno.test("4 clients that claim at once share starts by weight, after each claim within the bound", () =>
  usePostgresQueue(server.url, {}, async (parts) => {
    const { queue, access: { schema } } = parts;
    const weights: Record<string, number> = { "": 1, a: 1, b: 2, c: 0.5 };
    for (const group of ["b", "c"]) await queue.setLimit({ group }, { weight: weights[group]! });
    const each = 24;
    await enqueue(
      queue,
      Array.from({ length: 4 * each }, (_, i) => [undefined, "a", "b", "c"][i % 4]),
    );
    const clients = await Promise.all(
      Array.from({ length: 4 }, () => openPostgresQueue(server.url, { schema, connections: 2 })),
    );
    await Promise.all(clients.map(async (client, i) => {
      while ((await claim(client, { limit: i % 3 + 1 })).length > 0);
      await client.close();
    }));
    const claims = await startsAfterEachClaim(parts);
    const both = (starts: Record<string, number>, x: string, y: string): boolean =>
      (starts[x] ?? 0) < each && (starts[y] ?? 0) < each;
    let checked = 0;
    for (const starts of claims) {
      for (const [x, y] of [["", "a"], ["", "b"], ["a", "b"], ["a", "c"], ["b", "c"]] as const) {
        if (!both(starts, x, y)) continue;
        const share = (group: string): number => (starts[group] ?? 0) / weights[group]!;
        const apart = Math.abs(share(x) - share(y));
        assert(apart <= 1 / weights[x]! + 1 / weights[y]! + 1e-9, JSON.stringify({ x, y, starts }));
        checked++;
      }
    }
    assert(checked > 50, `${checked} checked`);
    assertEquals(Object.values(claims.at(-1)!), [each, each, each, each]);
  }));

Deno.test("claims of different types wait for each other where one limit of a group counts both", async () => {
  let [isHeld, atLease, toLock] = [true, () => {}, () => {}];
  let release = (): void => {};
  const reached = new Promise<void>((resolve) => atLease = resolve);
  const asked = new Promise<void>((resolve) => toLock = resolve);
  const released = new Promise<void>((resolve) => release = resolve);
  const schema = freshSchema();
  const open = (before: (text: string) => Promise<void> | void): Promise<PostgresQueue> =>
    openPostgresQueue(server.url, { schema, wrap: (database) => watching(database, before) });
  const first = await open((text) => {
    if (!isHeld || !text.includes("'leased'")) return;
    isHeld = false;
    atLease();
    return released;
  });
  const second = await open((text) => {
    if (text.includes("for update of f")) toLock();
  });
  await first.setLimit({ group: "a" }, { concurrency: 1 });
  await first.enqueueBatch([{ type: "x", group: "a" }, { type: "y", group: "a" }]);
  const claimed = claim(first, { types: ["x"] });
  await reached;
  const other = claim(second, { types: ["y"] });
  await Promise.race([asked, other]);
  release();
  assertEquals((await claimed).length + (await other).length, 1);
  await first.close();
  await second.close();
});

Deno.test("a task that gets a group, another one or none is claimed with those that have it", () =>
  usePostgresQueue(server.url, {}, async ({ queue }) => {
    await enqueue(queue, [undefined, undefined]);
    await queue.setLimit({ group: "full" }, { concurrency: 1 });
    await queue.update(1, { group: "full" });
    await queue.update(2, { group: "full" });
    assertEquals(await claimedIds(queue, { limit: 5 }), [1]);
    await queue.update(2, { group: "free" });
    assertEquals(await claimedIds(queue, { limit: 5 }), [2]);
    await enqueue(queue, ["full"]);
    assertEquals(await claim(queue), []);
    await queue.update(3, { group: null });
    assertEquals(await claimedIds(queue), [3]);
  }));

Deno.test("a group's limit holds for claims by id and first leases", () =>
  usePostgresQueue(server.url, {}, async ({ queue }) => {
    await queue.setLimit({ group: "*" }, { concurrency: 1 });
    await enqueue(queue, ["a", "a", "b"]);
    assertEquals(await claimedIds(queue, { taskId: 2 }), [2]);
    assertEquals(await claim(queue, { taskId: 1 }), []);
    const leaseTo = { workerId: "w", leaseDurationMs: 60_000 };
    const { task: waiting } = await queue.enqueue({ type: "x", group: "a" }, { leaseTo });
    assertEquals(waiting.status, "queued");
    const { task: started } = await queue.enqueue({ type: "x", group: "c" }, { leaseTo });
    assertEquals(started.status, "leased");
    await queue.enqueue({ type: "y", group: "a" });
    assertEquals(await claim(queue, { types: ["y"] }), []);
    assertEquals(await claimedIds(queue, { limit: 9 }), [3]);
  }));

Deno.test("limits, weights and pauses of groups go with an export, and with an import", () =>
  usePostgresQueue(server.url, {}, async ({ queue }) => {
    await enqueue(queue, ["a", "b"]);
    await queue.setLimit({ type: "t", group: "a" }, { concurrency: 3, weight: 0.5 }, { by: "ops" });
    await queue.setLimit({ group: "*" }, { weight: 2 });
    await queue.pause({ group: "b" }, { reason: "unpaid" });
    const { tasks, limits } = await queue.exportAll();
    await usePostgresQueue(server.url, {}, async ({ queue: target }) => {
      const report = await target.importRecords(tasks, { limits });
      assertEquals(report.storedIds.length, tasks.length);
      assertEquals(await target.listLimits(), await queue.listLimits());
      assertEquals(await claimedIds(target, { limit: 9 }), [1]);
    });
  }));

/** A database that tells of each statement before it is sent. */
function watching(database: Database, before: (text: string) => Promise<void> | void): Database {
  const watched = (statements: Statements): Statements => ({
    query: async (text, parameters) => {
      const waiting = before(text);
      if (waiting !== undefined) await waiting;
      return await statements.query(text, parameters);
    },
  });
  return {
    ...watched(database),
    location: database.location,
    inOrder: (run) => database.inOrder((statements) => run(watched(statements))),
    transaction: (run, isolation) =>
      database.transaction((tx, serverMs) => run(watched(tx), serverMs), isolation),
    joined: (tx) => database.joined(tx),
    listen: (channel, listeners) => database.listen(channel, listeners),
    close: () => database.close(),
  };
}

/** How many statements a claim of one task runs in a queue with these tasks beside it. */
async function statementsBeside(groups: readonly string[]): Promise<number> {
  let [statements, counted] = [0, 0];
  const wrap = (database: Database): Database => watching(database, () => void statements++);
  await usePostgresQueue(server.url, { wrap }, async ({ queue }) => {
    await queue.setLimit({ group: "full" }, { concurrency: 1 });
    await enqueue(queue, groups);
    while ((await claim(queue)).some(({ group }) => group !== "full"));
    await enqueue(queue, ["free", "free"]);
    await claim(queue);
    const before = statements;
    assertEquals((await claim(queue))[0]?.group, "free");
    counted = statements - before;
  });
  assert(counted > 0);
  return counted;
}

Deno.test("8: a claim runs as many statements beside 3,000 blocked tasks as beside one", async () => {
  const blocked = (count: number): string[] => Array<string>(count + 1).fill("full");
  assertEquals(await statementsBeside(blocked(3000)), await statementsBeside(blocked(1)));
});
