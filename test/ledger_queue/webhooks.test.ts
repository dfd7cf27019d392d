/**
 * Webhooks in the queue, and the plans of their statements.
 */
import { assert } from "@std/assert";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { WEBHOOK_SQL } from "../../src/ledger_queue/tasks/webhooks.ts";
import { webhooksContract } from "../contract/webhooks_contract.ts";
import { EMBEDDED_PLACES } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) webhooksContract(name, withPlace);

Deno.test("no statement about a webhook scans or sorts", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  for (const sql of Object.values(WEBHOOK_SQL)) {
    for (const row of database.all(`EXPLAIN QUERY PLAN ${sql}`)) {
      assert(String(row[3]).startsWith("SEARCH"), `${row[3]} in the plan of ${sql}`);
    }
  }
  database.close();
});
