import { assert, assertEquals } from "@std/assert";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { TAG_LIST_SQL } from "../../src/ledger_queue/insight/list.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { BULK_SQL } from "../../src/ledger_queue/tasks/bulk.ts";
import { tagsContract } from "../contract/tags_contract.ts";
import { EMBEDDED_PLACES, IN_MEMORY, withQueue } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) tagsContract(name, withPlace);

Deno.test("integrityCheck() finds tags and their rows as they should be", () =>
  withQueue(IN_MEMORY, async (queue) => {
    await queue.enqueueBatch([{ type: "t", tags: ["ü \u{1F3AC}", 'a"b'] }, { type: "t" }]);
    await queue.update(1, { tags: ['a"b', "c"] });
    await queue.bulk({ action: "cancel", filter: { tag: 'a"b' } });
    assertEquals(await queue.integrityCheck(), { ok: true, problems: [] });
  }));

Deno.test("tasks are found by a tag in its index, in order", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  const statements = [...Object.values(TAG_LIST_SQL), BULK_SQL.withTag];
  assertEquals(statements.length, 4);
  for (const sql of statements) {
    const steps = database.all(`EXPLAIN QUERY PLAN ${sql}`).map((row) => String(row[3]));
    assert(steps[0]!.startsWith("SEARCH"), `${steps} in the plan of ${sql}`);
    assert(steps[0]!.includes("PRIMARY KEY (tag="), `${steps} in the plan of ${sql}`);
    const rest = steps.slice(1);
    assert(
      rest.every((step) => /^SEARCH .* INTEGER PRIMARY KEY \(rowid=\?\)$/.test(step)),
      `${steps}`,
    );
  }
  database.close();
});
