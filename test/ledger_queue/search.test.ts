/**
 * How the embedded engine searches: by which indexes, and in slices that are as long as they may be.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
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
  assertMatch(planOf(SEARCH_SQL.match), /SEARCH task USING INTEGER PRIMARY KEY \(rowid=\?\)/);
  database.close();
});

Deno.test("a slice has as many tasks as its time allows, and never more than it may", () => {
  const pace = new Pace(2000);
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
