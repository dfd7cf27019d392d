/**
 * The verdict on a queue, from facts of a database server.
 */
import { assertEquals } from "@std/assert";
import { HEALTH_THRESHOLDS } from "../../src/queue_policy/health_thresholds.ts";
import { type DatabaseFacts, verdictOf } from "../../src/queue_policy/verdict.ts";

const QUIET: DatabaseFacts = {
  deadRows: { table: "live", count: 1_000_000 },
  oldestSnapshot: { kind: "session", name: "7", program: "psql", state: "", ageMs: 300_000 },
  isDeaf: false,
};

function judge(facts: Partial<DatabaseFacts>): readonly [string, ...string[]] {
  const { verdict, reasons } = verdictOf({
    closure: null,
    nowMs: 0,
    thresholds: HEALTH_THRESHOLDS,
    oldestDueAgeMs: null,
    workers: [],
    isLeaseHeld: false,
    window: { completed: 0, failed: 0, failureRate: null },
    expiredTaskId: null,
    latestWriteMs: null,
    database: { ...QUIET, ...facts },
  });
  return [verdict, ...reasons.map(({ severity, message }) => `${severity}: ${message}`)];
}

Deno.test("verdictOf() is degraded by what is above the thresholds, and not by what is at them", () => {
  assertEquals(judge({}), ["healthy"]);
  assertEquals(judge({ deadRows: { table: "live", count: 1_000_001 } }), [
    "degraded",
    'degraded: Table "live" has 1000001 dead rows: vacuum does not keep up',
  ]);
  const oldestSnapshot = { ...QUIET.oldestSnapshot!, ageMs: 300_001 };
  assertEquals(judge({ oldestSnapshot }), [
    "degraded",
    "degraded: Session 7 (psql) has held a snapshot for 5 min 0 s, so vacuum removes no row that died since",
  ]);
  const slot = { kind: "replication slot", name: "s", program: "", state: "inactive" } as const;
  assertEquals(judge({ oldestSnapshot: { ...slot, ageMs: 300_001 } }), [
    "degraded",
    'degraded: Replication slot "s" (inactive) has held a snapshot for 5 min 0 s, so vacuum removes no row that died since',
  ]);
});

Deno.test("verdictOf() stays healthy with a notice", () => {
  assertEquals(judge({ isDeaf: true, oldestSnapshot: null }), [
    "healthy",
    "notice: No notification reaches this process, perhaps because of a pooler: it looks each second for what others have changed",
  ]);
});
