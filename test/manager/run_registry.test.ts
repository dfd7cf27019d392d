import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { QueueError } from "../../src/domain/errors.ts";
import { createRun, type Run } from "../../src/domain/run.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { FakeClock } from "../support/fake_clock.ts";

const DAY_MS = 24 * 3_600_000;

function runAt(runId: string, createdAtMs: number, moduleId = "m"): Run {
  return createRun({ runId, moduleId, createdAt: new Date(createdAtMs) });
}

function ids(runs: readonly Run[]): string[] {
  return runs.map((run) => run.runId);
}

Deno.test("addRun() keeps the very object", () => {
  const registry = new RunRegistry();
  const run = runAt("a", 0);
  registry.addRun(run);
  registry.addRun(run);
  assertStrictEquals(registry.getRun("a"), run);
  assertEquals(registry.getRun("b"), undefined);
});

Deno.test("addRun() refuses another run with the same id", () => {
  const registry = new RunRegistry();
  const run = runAt("a", 0);
  registry.addRun(run);
  const error = assertThrows(() => registry.addRun(runAt("a", 0)), QueueError, '"a"');
  assertEquals(error.code, "run_id_conflict");
  assertStrictEquals(registry.getRun("a"), run);
});

Deno.test("updateRun() replaces a run, and refuses one that was never added", () => {
  const registry = new RunRegistry();
  registry.addRun(runAt("a", 0));
  const other = runAt("a", 0);
  registry.updateRun(other);
  assertStrictEquals(registry.getRun("a"), other);
  const error = assertThrows(() => registry.updateRun(runAt("b", 0)), QueueError, '"b"');
  assertEquals(error.code, "task_not_found");
});

Deno.test("queries see a run as it is now", () => {
  const registry = new RunRegistry();
  const [a, b, c] = [runAt("a", 0), runAt("b", 0, "other"), runAt("c", 0)];
  for (const run of [a, b, c]) registry.addRun(run);
  a.status = "running";
  b.status = "failed";
  registry.updateRun(a);
  registry.updateRun(b);
  assertEquals(ids(registry.getActiveRuns()), ["a", "c"]);
  assertEquals(ids(registry.getRunsByStatus("running")), ["a"]);
  assertEquals(ids(registry.getRunsByStatus("failed")), ["b"]);
  assertEquals(ids(registry.getRunsByModule("m")), ["a", "c"]);
  assertEquals(ids(registry.getRunsByModule("nobody")), []);
});

Deno.test("getRecentRuns() gives the newest first, fifty unless told otherwise", () => {
  const registry = new RunRegistry();
  for (let i = 0; i < 60; i++) registry.addRun(runAt(`r${i}`, i));
  registry.addRun(runAt("oldest", -1));
  assertEquals(registry.getRecentRuns().length, 50);
  assertEquals(ids(registry.getRecentRuns(2)), ["r59", "r58"]);
  assertEquals(registry.getRecentRuns(100).at(-1)?.runId, "oldest");
  assertThrows(() => registry.getRecentRuns(0), RangeError, "limit");
});

Deno.test("cleanupOldRuns() forgets finished runs only, after thirty days unless told otherwise", () => {
  const clock = new FakeClock();
  const registry = new RunRegistry({ clock });
  const finishedDaysAgo = (runId: string, days: number): void => {
    const run = runAt(runId, clock.nowMs() - 90 * DAY_MS);
    run.status = "completed";
    run.completedAt = new Date(clock.nowMs() - days * DAY_MS);
    registry.addRun(run);
  };
  finishedDaysAgo("31 days", 31);
  finishedDaysAgo("29 days", 29);
  finishedDaysAgo("1 day", 1);
  registry.addRun(runAt("still queued", clock.nowMs() - 90 * DAY_MS));
  assertEquals(registry.cleanupOldRuns(), 1);
  assertEquals(registry.getRun("31 days"), undefined);
  assertEquals(registry.cleanupOldRuns(0.5), 2);
  assertEquals(ids(registry.getRecentRuns()), ["still queued"]);
  for (const days of [-1, NaN]) {
    assertThrows(() => registry.cleanupOldRuns(days), RangeError, "days");
  }
});

Deno.test("an update costs about the same at a hundred thousand runs as at a hundred", () => {
  const fastestMs = (runs: number): number => {
    const registry = new RunRegistry();
    const last = runAt("last", 0);
    for (let i = 1; i < runs; i++) registry.addRun(runAt(`r${i}`, i));
    registry.addRun(last);
    return Math.min(...Array.from({ length: 5 }, () => {
      const beganMs = performance.now();
      for (let i = 0; i < 2000; i++) registry.updateRun(last);
      return performance.now() - beganMs;
    }));
  };
  const [few, many] = [fastestMs(100), fastestMs(100_000)];
  // Looking at every run would take a thousand times as long.
  assert(many < 50 * Math.max(few, 0.05), `${many} ms with many runs, ${few} ms with few`);
});

Deno.test("a registry forgets finished runs beyond maxRuns, the earliest first, and never active ones", () => {
  const registry = new RunRegistry({ maxRuns: 10 });
  const active = runAt("active", 0);
  registry.addRun(active);
  for (let n = 0; n < 30; n++) {
    const run = runAt(`run-${n}`, n);
    run.status = "completed";
    registry.addRun(run);
    assert(registry.getRecentRuns().length <= 11);
    assertStrictEquals(registry.getRun(run.runId), run);
  }
  assertStrictEquals(registry.getRun("active"), active);
  assertEquals(registry.getRun("run-0"), undefined);
});

Deno.test("a registry keeps all runs that are active, however many", () => {
  const registry = new RunRegistry({ maxRuns: 1 });
  for (let n = 0; n < 50; n++) registry.addRun(runAt(`run-${n}`, n));
  assertEquals(registry.getActiveRuns().length, 50);
  assertThrows(() => new RunRegistry({ maxRuns: 0 }), RangeError, "maxRuns");
});
