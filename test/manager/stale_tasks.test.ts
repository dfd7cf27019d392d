import { assertEquals } from "@std/assert";
import { StaleTasks, tellApplied } from "../../src/manager/stale_tasks.ts";
import type { TaskChange } from "../../src/queue/task_queue.ts";

function change(leaseToken: number): TaskChange {
  return {
    taskId: 1,
    runId: "r1",
    type: "t",
    status: "queued",
    attempts: 0,
    leaseToken,
    lockedBy: null,
    progress: null,
  };
}

Deno.test("StaleTasks gives each run once, in order, with its last change and all that wait", () => {
  const stale = new StaleTasks();
  const told: string[] = [];
  stale.add({ runId: "r1", taskId: 1, change: change(1), whenApplied: [() => told.push("a")] });
  stale.add({ runId: "r2", taskId: 2 });
  stale.add({ runId: "r1", taskId: 1, change: change(2), whenApplied: [() => told.push("b")] });
  stale.add({ runId: "r1", taskId: 1 });
  const [first, ...others] = stale.take(1);
  assertEquals([first?.runId, first?.change?.leaseToken, others.length], ["r1", 2, 0]);
  tellApplied(first!);
  assertEquals(told, ["a", "b"]);
  assertEquals(stale.take(9).map(({ runId }) => runId), ["r2"]);
  assertEquals(stale.size, 0);
});

Deno.test("StaleTasks puts back what could not be read: a newer change counts, and all that wait stay", () => {
  const stale = new StaleTasks();
  const told: string[] = [];
  stale.add({ runId: "r1", taskId: 1, change: change(1), whenApplied: [() => told.push("old")] });
  const [taken] = stale.take(1);
  stale.add({ runId: "r1", taskId: 1, change: change(2), whenApplied: [() => told.push("new")] });
  stale.restore(taken!);
  assertEquals(stale.take(1).map((each) => each.change?.leaseToken), [2]);
  stale.restore(taken!);
  stale.clear();
  assertEquals([told, stale.size], [["old"], 0]);
});
