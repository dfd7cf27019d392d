/**
 * The operations of a queue, and the plans of their statements.
 */
import { assert } from "@std/assert";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { EXPLAIN_SQL } from "../../src/ledger_queue/insight/place_in_line.ts";
import { SCHEDULE_RUNS_SQL } from "../../src/ledger_queue/schedules/schedule_runs.ts";
import { RECENT_SQL } from "../../src/ledger_queue/insight/recent.ts";
import { PRUNE_SQL } from "../../src/ledger_queue/tasks/prune.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { TRANSITION_SQL } from "../../src/ledger_queue/rows/transition_log.ts";
import { WORKER_SQL } from "../../src/ledger_queue/insight/workers.ts";
import { queueOperationsContract } from "../contract/queue_operations_contract.ts";
import { EMBEDDED_PLACES } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) queueOperationsContract(name, withPlace);

Deno.test("no statement about one task, one worker or a prune scans or sorts", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  const statements = [
    ...Object.values(TRANSITION_SQL),
    ...Object.values(PRUNE_SQL),
    EXPLAIN_SQL.nextLane,
    ...Object.values(EXPLAIN_SQL.readyAhead),
    ...Object.values(EXPLAIN_SQL.dueAhead),
    WORKER_SQL.one,
    WORKER_SQL.silent,
    ...Object.values(RECENT_SQL),
    SCHEDULE_RUNS_SQL,
  ];
  for (const sql of statements) {
    for (const row of database.all(`EXPLAIN QUERY PLAN ${sql}`)) {
      const step = String(row[3]);
      assert(/^(SEARCH|CORRELATED SCALAR SUBQUERY)/.test(step), `${step} in the plan of ${sql}`);
      assert(!step.includes("TEMP B-TREE"), `${step} in the plan of ${sql}`);
    }
  }
  database.close();
});
