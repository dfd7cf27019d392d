/**
 * How the embedded engine searches: by which indexes, and in slices that are as long as they may be.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mergedSql } from "../../src/ledger_queue/insight/list.ts";
import { SEARCH_SQL } from "../../src/ledger_queue/insight/search.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { Pace } from "../../src/queue_policy/search_walk.ts";
import { withMemoryQueue } from "../support/queues.ts";

Deno.test("what a text names is found by indexes, and slices are ranges of them", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  const planOf = (sql: string): string =>
    database.all(`EXPLAIN QUERY PLAN ${sql}`).map((row) => String(row[3])).join("; ");
  assertMatch(planOf(SEARCH_SQL.byKey), /^SEARCH .* INDEX \S+ \(idempotency_key=\?\)$/);
  assertMatch(planOf(SEARCH_SQL.runs), /^SEARCH .* INDEX \S+ \(run_id>\? AND run_id<\?\)$/);
  assertMatch(planOf(SEARCH_SQL.all), /^SEARCH .* INTEGER PRIMARY KEY \(rowid<\?\)$/);
  assertMatch(planOf(SEARCH_SQL.ofGroup), /^SEARCH .* tasks_by_group \(grp=\? AND id<\?\)$/);
  assertMatch(
    planOf(SEARCH_SQL.ofShelf),
    /^SEARCH .* tasks_by_status \(status=\? AND type=\? AND id<\?\)$/,
  );
  assertMatch(
    planOf(SEARCH_SQL.withTag),
    /^SEARCH tagged USING .* \(tag=\? AND task_id<\?\); SEARCH task_queue/,
  );
  assertMatch(planOf(SEARCH_SQL.match), /SEARCH task USING INTEGER PRIMARY KEY \(rowid=\?\)/);
  database.close();
});

Deno.test("a page of several shelves is merged from ranges of one index", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  const plan = database.all(`EXPLAIN QUERY PLAN ${mergedSql(3)}`).map((row) => String(row[3]));
  const range =
    "SEARCH task_queue USING COVERING INDEX tasks_by_status (status=? AND type=? AND id<?)";
  assertEquals(plan.filter((step) => step.startsWith("SEARCH")), [range, range, range]);
  assertEquals(plan.filter((step) => /B-TREE/.test(step)), [], "nothing is sorted");
  database.close();
  await withMemoryQueue({}, async (queue) => {
    for (const types of [2, 6]) {
      await queue.enqueueBatch(Array.from({ length: 60 }, (_, n) => ({ type: `t${n % types}` })));
    }
    await queue.claim({ workerId: "w", types: ["t1"], limit: 10 });
    for (const types of [6, 25]) {
      const ids = (await queue.list({ status: "queued", limit: 1000 })).map(({ id }) => id);
      assertEquals(ids, ids.toSorted((a, b) => b - a));
      assertEquals(ids.length, await queue.count({ status: "queued" }));
      const part = await queue.list({ status: "queued", limit: 7, offset: 40, beforeId: 100 });
      const wanted = ids.filter((id) => id < 100).slice(40, 47);
      assertEquals(part.map(({ id }) => id), wanted, `${types} types`);
      await queue.enqueueBatch(Array.from({ length: 50 }, (_, n) => ({ type: `t${n % 25}` })));
    }
  });
});

Deno.test("a slice has as many tasks as its time allows, and never more than it may", () => {
  const pace = new Pace();
  const sizes = [pace.size];
  for (let n = 0; n < 5; n++) {
    pace.note(pace.size, 0.01);
    sizes.push(pace.size);
  }
  assertEquals(sizes, [250, 500, 1000, 2000, 2000, 2000]);
  pace.note(2000, 80);
  assertEquals(pace.size, 200, "a tenth after ten times as long");
  pace.note(200, 1_000_000);
  assertEquals(pace.size, 20, "not none");
});

Deno.test("a slice ends early where payloads are large", async () => {
  await withMemoryQueue({ payloadMaxBytes: 1024 * 1024 }, async (queue) => {
    const payload = "x".repeat(400 * 1024);
    await queue.enqueueBatch(Array.from({ length: 9 }, () => ({ type: "t", payload })));
    const pages = [await queue.search({ text: "none", budgetMs: 0 })];
    while (pages.at(-1)!.cursor !== null) {
      pages.push(await queue.search({ text: "none", budgetMs: 0, cursor: pages.at(-1)!.cursor! }));
    }
    const searched = pages.map((page) => page.searched);
    assertEquals(searched, [3, 6, 9]);
    assert(pages.every(({ tasks }) => tasks.length === 0));
  });
});
