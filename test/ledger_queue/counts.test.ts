/**
 * What is counted without reading all tasks, and the latest transitions.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { DUE_SQL } from "../../src/ledger_queue/insight/due.ts";
import { impossibleRows } from "../../src/ledger_queue/insight/integrity.ts";
import { RecentTransitions } from "../../src/ledger_queue/insight/recent.ts";
import { COUNT_SQL, countTasks, TaskCounts } from "../../src/ledger_queue/insight/task_counts.ts";
import { LedgerAccess } from "../../src/ledger_queue/ledger_access.ts";
import { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import { QUEUE_SCHEMA, TASK_TABLE } from "../../src/ledger_queue/rows/schema.ts";
import { Replica } from "../../src/ledger/replica.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";
import { openLedger } from "../support/ledgers.ts";
import { seededRandom, withQueue } from "../support/queues.ts";

const NONE = { queued: 0, leased: 0, completed: 0, failed: 0, cancelled: 0 };

Deno.test("no statement about counts reads a row, and none about what is due walks through ready tasks", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  const planOf = (sql: string): string =>
    database.all(`EXPLAIN QUERY PLAN ${sql}`).map((row) => String(row[3])).join("; ");
  const oldest = planOf(DUE_SQL.oldest);
  assertEquals(oldest, "SEARCH task_queue USING INDEX ready_by_due (type=?)");
  assertMatch(planOf(DUE_SQL.come), /^SEARCH task_queue USING INDEX scheduled_tasks/);
  const walked = (sql: string): string[] =>
    planOf(sql).split("; ").filter((step) => /INDEX/.test(step));
  const [byStatus, ready] = ["COVERING INDEX tasks_by_status", "COVERING INDEX ready_by_id"];
  assertEquals(walked(COUNT_SQL.byStatus), [
    `SEARCH task_queue USING ${byStatus} (status=? AND type=? AND id>?)`,
    `SEARCH task_queue USING ${byStatus} ((status,type)>(?,?))`,
  ]);
  assertEquals(walked(COUNT_SQL.ready), [
    `SEARCH task_queue USING ${ready} (type=? AND compatibility=? AND grp=? AND id>?)`,
    `SEARCH task_queue USING ${ready} ((type,compatibility,grp)>(?,?,?))`,
  ]);
  assertEquals(planOf(COUNT_SQL.waiting), "SEARCH task_queue USING INDEX waiting_tasks (id>?)");
  database.close();
});

Deno.test("counts follow every way that a task can go, and a type that is empty is forgotten", async () => {
  await withQueue({ memory: true }, async (queue, clock) => {
    await queue.enqueueBatch([
      { type: "a", runId: "first" },
      { type: "a", dependsOn: ["first"] },
      { type: "b", runAfter: new Date(clock.nowMs() + 1000) },
      { type: "b" },
    ]);
    const seen = async (): Promise<unknown> => {
      const { byType, scheduled, waitingForParents } = await queue.stats();
      assertEquals((await queue.integrityCheck()).problems, []);
      return [Object.keys(byType), byType["a"]?.queued, scheduled, waitingForParents];
    };
    assertEquals(await seen(), [["a", "b"], 2, 1, 1]);
    const [first, other] = await queue.claim({ workerId: "w", types: ["a", "b"], limit: 2 });
    await queue.fail(other!, new Error("again"));
    await queue.complete(first!);
    assertEquals(await seen(), [["a", "b"], 1, 2, 0]);
    await queue.cancel(2);
    assertEquals(await seen(), [["a", "b"], 0, 2, 0]);
    await queue.retry(2);
    await queue.cancel(2);
    await clock.advance(2000);
    assertEquals((await queue.metrics()).due, 2);
    await queue.prune({ keep: 0 });
    assertEquals(await seen(), [["b"], undefined, 0, 0]);
  });
});

Deno.test("tasks that change while they are counted are counted once, whichever way they go", async () => {
  const types = ["a", "\u{e000}", "\u{1f600}", "b", "\u{1f601}x"];
  for (let seed = 1; seed <= 5; seed++) {
    const [clock, random] = [new FakeClock(), seededRandom(seed)];
    const below = (n: number): number => Math.floor(random() * n);
    const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA, clock });
    const queue = new LedgerQueue(ledger, { clock, random, onBackgroundError: () => {} });
    const newTask = (): Parameters<LedgerQueue["enqueue"]>[0] => ({
      type: types[below(types.length)]!,
      group: below(2) === 0 ? undefined : types[below(types.length)],
      dependsOn: below(4) === 0 ? [1] : undefined,
    });
    await queue.enqueue({ type: "parent" });
    await queue.enqueueBatch(Array.from({ length: 40 }, newTask));
    const isOver = (): boolean =>
      ledger.peek((reader) => {
        const counts = reader.tally(TASK_TABLE, () => new TaskCounts());
        counts.countOn(reader, 3);
        return counts.isWhole;
      });
    let slices = 1;
    for (; !isOver(); slices++) {
      const steps = [
        () => queue.enqueue(newTask()),
        () => queue.cancel(2 + below(50)),
        () => queue.retry(2 + below(40)),
        () => queue.update(2 + below(40), { group: types[below(types.length)] }),
        () => queue.claim({ workerId: "w", types, limit: 2 }),
        () => queue.remove(2 + below(40)),
      ];
      await steps[below(steps.length)]!().catch(() => {}); // some are refused, and change nothing
    }
    assert(slices > 15, `${slices} slices`);
    assertEquals(ledger.peek(impossibleRows), [], `seed ${seed}`);
    await queue.close();
  }
});

Deno.test("counts follow what another process does, also when it prunes", async () => {
  const clock = new FakeClock();
  const disk = new MemoryDisk();
  const open = async (): Promise<LedgerQueue> => {
    const ledger = await openLedger(new MemoryStorage(disk), { schema: QUEUE_SCHEMA, clock });
    return new LedgerQueue(ledger, { clock, random: seededRandom(1), onBackgroundError: () => {} });
  };
  const [here, there] = [await open(), await open()];
  assertEquals((await here.stats()).total, 0);
  await there.enqueueBatch([{ type: "a" }, { type: "a" }, { type: "b" }]);
  const [task] = await there.claim({ workerId: "w", types: ["a"] });
  assertEquals((await here.stats()).byType["a"], { ...NONE, queued: 1, leased: 1 });
  await there.complete(task!);
  await there.prune({ keep: 0 });
  assertEquals((await here.stats()).byType, {
    a: { ...NONE, queued: 1 },
    b: { ...NONE, queued: 1 },
  });
  assertEquals((await here.integrityCheck()).problems, []);
  await here.close();
  await there.close();
});

Deno.test("what is undone is not counted: an operation that throws, and a record that cannot be written", async () => {
  const storage = new FaultyStorage(new MemoryStorage());
  await withQueue({ storage, onBackgroundError: () => {} }, async (queue) => {
    await queue.enqueue({ type: "t", runId: "r" });
    assertEquals((await queue.stats()).total, 1);
    await assertRejects(() => queue.enqueueBatch([{ type: "t" }, { type: "t", runId: "r" }]));
    assertEquals((await queue.stats()).total, 1);
    storage.fault = (point) => point === "write" ? { message: "disk full" } : undefined;
    await assertRejects(() => queue.enqueue({ type: "t" }));
    storage.fault = () => undefined;
    assertEquals([(await queue.stats()).total, await queue.count()], [1, 1]);
    await queue.enqueue({ type: "t" });
    assertEquals((await queue.integrityCheck()).problems, []);
  });
});

Deno.test("integrityCheck() finds a wrong count", async () => {
  const engine = await loadSqlJsEngine();
  const replica = Replica.open({ engine, schema: QUEUE_SCHEMA, path: "" }, undefined);
  replica.migrate(QUEUE_SCHEMA.migrations.length);
  assertEquals(impossibleRows(replica), []);
  replica.tally(TASK_TABLE, countTasks).of("t").ready++;
  assertEquals(impossibleRows(replica), ["the counts that are kept are not those of the tasks"]);
  replica.close();
});

Deno.test("the latest transitions are read once, and no more are kept than are wanted", async () => {
  const clock = new FakeClock();
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA, clock });
  const options = { clock, random: seededRandom(1), onBackgroundError: () => {} };
  const queue = new LedgerQueue(ledger, options);
  const enqueue = (count: number): Promise<unknown> =>
    queue.enqueueBatch(Array.from({ length: count }, () => ({ type: "t" })));
  const recent = new RecentTransitions(3);
  const measured = (windowMs: number): [number, boolean] => {
    while (ledger.peek((reader) => recent.follow(reader)));
    const { enqueued, isTruncated } = recent.sumOf(windowMs, clock.nowMs()).next()!;
    return [enqueued, isTruncated];
  };
  await enqueue(3);
  assertEquals(measured(1000), [3, false]);
  clock.jump(2000);
  await enqueue(2);
  assertEquals([measured(1000), measured(5000)], [[2, false], [3, true]]);
  await enqueue(8);
  assertEquals(measured(1000), [3, true]);
  recent.forget();
  clock.jump(2000);
  assertEquals([measured(1000), measured(5000)], [[0, false], [3, true]]);
  await queue.close();
});

Deno.test("the latest transitions begin where too many come before, found in steps", async () => {
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA });
  const options = { clock: new FakeClock(), random: seededRandom(1), onBackgroundError: () => {} };
  const queue = new LedgerQueue(ledger, options);
  for (let n = 0; n < 13; n++) {
    await queue.enqueueBatch(Array.from({ length: 1000 }, () => ({ type: "t" })));
  }
  for (const [max, steps, kept] of [[12_500, 2, 12_500], [20_000, 2, 13_000]] as const) {
    const recent = new RecentTransitions(max, 20_000);
    let looks = 0;
    while (ledger.peek((reader) => recent.follow(reader))) looks++;
    assertEquals(looks, steps - 1 + Math.ceil(kept / 1000), `${max} at most`);
    const { enqueued, isTruncated } = recent.sumOf(1000, options.clock.nowMs()).next()!;
    assertEquals([enqueued, isTruncated], [kept, kept < 13_000]);
  }
  await queue.close();
});

Deno.test("of several long reads one at a time does a step, and one without steps waits for none", async () => {
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA });
  const access = new LedgerAccess(ledger, { clock: new FakeClock(), random: seededRandom(1) });
  let steps = 0;
  const turns: number[] = [];
  const read = (): Promise<number> => {
    let left = 3;
    return access.readOnce(() => (steps++, --left > 0 ? undefined : { value: left }));
  };
  const reads = Promise.all([read(), read(), read(), read()]);
  let isOver = false;
  reads.then(() => isOver = true);
  while (!isOver) {
    steps = 0;
    await new Promise((resume) => setTimeout(resume, 0));
    turns.push(steps);
  }
  assertEquals(await reads, [0, 0, 0, 0]);
  assert(Math.max(...turns) <= 2, `steps between two turns of the loop: ${turns}`);
  assertEquals(await access.readOnce(() => ({ value: "at once" })), "at once");
  await ledger.close();
});

Deno.test("a long window is added up in steps, and as it was when that began", async () => {
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA });
  const options = { clock: new FakeClock(), random: seededRandom(1), onBackgroundError: () => {} };
  const queue = new LedgerQueue(ledger, options);
  const enqueue = (count: number): Promise<unknown> =>
    queue.enqueueBatch(Array.from({ length: count }, () => ({ type: "t" })));
  await enqueue(2300);
  const recent = new RecentTransitions(10_000, 1000);
  ledger.watch((changes) => recent.heed(changes));
  let reads = 0;
  while (ledger.peek((reader) => recent.follow(reader))) reads++;
  assertEquals(reads, 3); // 1,000 at a time; 300 are still too many to go on with in the same step
  const sum = recent.sumOf(1000, options.clock.nowMs());
  assertEquals([sum.next(), sum.next()], [undefined, undefined]);
  await enqueue(7);
  for (const action of ["cancel", "remove"] as const) {
    await queue.bulk({ action, filter: { ids: [1, 2201] } });
  }
  assertEquals(ledger.peek((reader) => recent.follow(reader)), false);
  assertEquals(sum.next()!.enqueued, 2300);
  const later = recent.sumOf(1000, options.clock.nowMs());
  assertEquals([later.next(), later.next(), later.next()!.enqueued], [undefined, undefined, 2305]);
  await queue.close();
});
