/**
 * Transitions are counted once, whenever they are counted and whatever becomes of their tasks.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { NewTask } from "../../src/domain/task.ts";
import type { SqlRow } from "../../src/ledger/sql_engine.ts";
import { LedgerQueue } from "../../src/ledger_queue/ledger_queue.ts";
import { QUEUE_SCHEMA, TOTALS_TABLE } from "../../src/ledger_queue/rows/schema.ts";
import {
  COUNT_MAX,
  countTransitions,
  TOTALS_SQL,
  TotalsSum,
} from "../../src/ledger_queue/rows/totals.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import type { TypeTotals } from "../../src/queue/metrics.ts";
import { TransitionTotals } from "../../src/queue_policy/transition_totals.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { openLedger } from "../support/ledgers.ts";
import { seededRandom } from "../support/queues.ts";

const PARTS = { random: seededRandom(1), onBackgroundError: () => {} };

const STORED = "SELECT type, totals FROM transition_totals ORDER BY type";

Deno.test("what one transaction has counted the next one does not", async () => {
  const clock = new FakeClock();
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA, clock });
  const queue = new LedgerQueue(ledger, { ...PARTS, clock });
  await queue.enqueueBatch(Array.from({ length: 5 }, () => ({ type: "t" })));
  const count = (): Promise<number> => ledger.write((tx) => countTransitions(tx, 3));
  assertEquals([await count(), await count(), await count()], [3, 2, 0]);
  const stored = await ledger.read((reader) => reader.read(STORED));
  assertEquals(stored, [["", "5"], ["t", '{"n":{"enqueued":5}}']]);
  await queue.close();
});

Deno.test("a duty counts what has happened, and nothing is counted twice", async () => {
  const clock = new FakeClock();
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA, clock });
  const queue = new LedgerQueue(ledger, { ...PARTS, clock });
  const stored = async (): Promise<SqlRow[]> => {
    await clock.advance(1000);
    return await ledger.read((reader) => reader.read(STORED));
  };
  const tasks = (count: number): NewTask[] => Array.from({ length: count }, () => ({ type: "t" }));
  await queue.enqueueBatch(tasks(999));
  assertEquals(await stored(), []);
  for (let part = 0; part < 3; part++) await queue.enqueueBatch(tasks(500));
  assertEquals(await stored(), [["", "2499"], ["t", '{"n":{"enqueued":2499}}']]);
  await queue.enqueue({ type: "t" });
  assertEquals((await queue.metrics()).totals["t"]!.transitions.enqueued, 2500);
  await queue.close();
});

Deno.test("totals are those of all processes, and stay when the last one ends", async () => {
  const clock = new FakeClock();
  const disk = new MemoryDisk();
  const open = async (): Promise<LedgerQueue> => {
    const ledger = await openLedger(new MemoryStorage(disk), { schema: QUEUE_SCHEMA, clock });
    return new LedgerQueue(ledger, { ...PARTS, clock });
  };
  const [here, there] = [await open(), await open()];
  const enqueued = async (queue: LedgerQueue): Promise<number | undefined> =>
    (await queue.metrics()).totals["t"]?.transitions.enqueued;
  await here.enqueueBatch([{ type: "t" }, { type: "t" }]);
  await there.cancel((await there.enqueue({ type: "t" })).task.id);
  await here.prune({ keep: 0 });
  assertEquals([await enqueued(here), await enqueued(there)], [3, 3]);
  await here.close();
  await there.close();
  const later = await open();
  assertEquals((await later.metrics()).totals["t"]!.transitions.cancelled, 1);
  assertEquals(await enqueued(later), 3);
  await later.close();
});

Deno.test("what many transitions come to is added up in slices, before a prune, a removal and an answer", async () => {
  const clock = new FakeClock();
  const ledger = await openLedger(new MemoryStorage(), { schema: QUEUE_SCHEMA, clock });
  const queue = new LedgerQueue(ledger, { ...PARTS, clock });
  const places: number[] = [0];
  ledger.watch((changes) => {
    for (const { table, row } of changes === "reset" ? [] : changes) {
      if (table === TOTALS_TABLE && row?.[0] === "") places.push(Number(row[1]));
    }
  });
  const stepsUpTo = (last: number): void => {
    assertEquals(places.at(-1), last);
    for (const [n, place] of places.slice(1).entries()) assert(place - places[n]! <= COUNT_MAX);
  };
  const enqueue = async (count: number): Promise<void> => {
    await queue.enqueueBatch(Array.from({ length: count }, () => ({ type: "t", payload: {} })));
  };
  await enqueue(2500);
  await queue.bulk({ action: "cancel", filter: { type: "t" } });
  const sum = new TotalsSum();
  const follow = (): Promise<boolean> => ledger.read((reader) => sum.follow(reader));
  const steps = [await follow(), await follow(), await follow(), await follow()];
  assertEquals(steps, [false, false, false, true]);
  const again = new TotalsSum();
  assertEquals(await ledger.read((reader) => again.follow(reader)), false);
  await queue.prune({ keep: 0 }); // what `again` has yet to read is gone
  stepsUpTo(5000);
  while (!await ledger.read((reader) => again.follow(reader)));
  assertEquals(again.values(), sum.values());
  assertEquals(sum.values()["t"]!.transitions.cancelled, 2500);
  await queue.cancel((await queue.enqueue({ type: "t" })).task.id);
  await enqueue(4500);
  await queue.remove(2501);
  stepsUpTo(9502);
  await enqueue(4500);
  await queue.bulk({ action: "cancel", filter: { ids: [7002] } });
  await queue.bulk({ action: "remove", filter: { ids: [7002] } });
  stepsUpTo(14_003);
  assertEquals((await queue.metrics()).totals["t"]!.transitions.enqueued, 11_501);
  await queue.close();
});

Deno.test("no statement of counting scans or sorts", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  for (const sql of Object.values(TOTALS_SQL)) {
    const plan = database.all(`EXPLAIN QUERY PLAN ${sql}`).map((row) => String(row[3]));
    for (const step of plan) {
      assertMatch(step, /^SEARCH .* USING (INTEGER )?PRIMARY KEY|^SEARCH task_logs$/);
    }
  }
  database.close();
});

Deno.test("199 types have totals of their own, later ones share those of other", () => {
  const totals = new TransitionTotals([]);
  const add = (type: string): void => totals.add({ type, kind: "leased", durationMs: 20 });
  for (let n = 1; n <= 250; n++) add(`t${n}`);
  add("other");
  add("t1");
  const kept = new TransitionTotals(totals.texts());
  assertEquals(kept.values(), totals.values());
  const leased = (type: string): number => (kept.values()[type] as TypeTotals).transitions.leased;
  assertEquals([Object.keys(kept.values()).length, leased("t1"), leased("other")], [200, 2, 52]);
  kept.add({ type: "t200", kind: "leased", durationMs: null });
  assertEquals(kept.texts().map(([type]) => type), ["other"]);
});
