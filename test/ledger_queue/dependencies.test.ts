/**
 * Dependencies between tasks, and the plans of their statements.
 */
import { assert } from "@std/assert";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { DEPENDENCY_SQL } from "../../src/ledger_queue/tasks/dependencies.ts";
import { CHILDREN_SQL } from "../../src/ledger_queue/insight/children.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { PROPAGATE_SQL } from "../../src/ledger_queue/tasks/propagate.ts";
import { dependenciesContract, manyChildrenContract } from "../contract/dependencies_contract.ts";
import { withBudget } from "../support/budgets.ts";
import { isThorough } from "../support/effort.ts";
import type { UseQueue } from "../contract/suite.ts";
import { EMBEDDED_PLACES } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) {
  dependenciesContract(name, withPlace);
  if (isThorough()) manyChildrenContract(name, withPlace);
}
// a record holds 40 of such children, as it does of the large ones
if (!isThorough()) {
  const withLittle: UseQueue = (_options, test) => withBudget(100_000, test);
  manyChildrenContract("queue with a small budget", withLittle, 2000);
}

Deno.test("no statement about a task's parents or children scans or sorts", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  const { deferred, followed, ...settling } = PROPAGATE_SQL;
  for (const sql of [CHILDREN_SQL, ...Object.values(DEPENDENCY_SQL), ...Object.values(settling)]) {
    for (const row of database.all(`EXPLAIN QUERY PLAN ${sql}`)) {
      const step = String(row[3]);
      assert(step.startsWith("SEARCH"), `${step} in the plan of ${sql}`);
      assert(!step.includes("TEMP B-TREE"), `${step} in the plan of ${sql}`);
    }
  }
  const looks = database.all(`EXPLAIN QUERY PLAN ${followed}`).map((row) => String(row[3]));
  assert(
    looks.every((step) => /^(SEARCH|SCALAR SUBQUERY|SCAN CONSTANT ROW)/.test(step)),
    `${looks}`,
  );
  assert(deferred.includes("LIMIT"), "it reads a whole table, which is nearly always empty");
  database.close();
});
