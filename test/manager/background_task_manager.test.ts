import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createRun, type Run } from "../../src/domain/run.ts";
import { BackgroundTaskManager } from "../../src/manager/background_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import type { TaskContext } from "../../src/worker/handler_registry.ts";
import type { LogLine } from "../../src/worker/log_store.ts";
import { FakeClock } from "../support/fake_clock.ts";

function newRun(runId: string): Run {
  return createRun({ runId, moduleId: "m" });
}

Deno.test("startTask() without work is refused before any effect", () => {
  const registry = new RunRegistry();
  const manager = new BackgroundTaskManager(registry);
  assertThrows(() => manager.startTask(newRun("r")), TypeError, "Cannot run undefined as work");
  assertEquals(manager.getActiveTaskCount(), 0);
  assertEquals(registry.getRun("r"), undefined);
});

Deno.test("a run is stamped with the clock's time", async () => {
  const clock = new FakeClock();
  const manager = new BackgroundTaskManager(new RunRegistry({ clock }), { clock });
  const run = newRun("r");
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  manager.startTask(run, () => {
    begun.resolve();
    return gate.promise;
  });
  clock.jump(1000);
  await begun.promise;
  clock.jump(2500);
  gate.resolve();
  await manager.waitAll();
  const startMs = Date.UTC(2026, 0, 1);
  assertEquals(run.startedAt, new Date(startMs + 1000));
  assertEquals(run.completedAt, new Date(startMs + 3500));
  assertEquals(run.durationSeconds, 2.5);
});

Deno.test("what work logs reaches onLog", async () => {
  const clock = new FakeClock();
  const lines: [string, LogLine][] = [];
  const manager = new BackgroundTaskManager(new RunRegistry(), {
    clock,
    onLog: (runId, line) => lines.push([runId, line]),
  });
  manager.startTask(newRun("r"), (context) => {
    context.log("warn", "half full", { left: 2 });
    return Promise.resolve();
  });
  await manager.waitAll();
  assertEquals(lines, [["r", {
    at: "2026-01-01T00:00:00.000Z",
    level: "warn",
    message: "half full",
    attempt: 1,
    details: { left: 2 },
  }]]);
});

Deno.test("onLog may throw, and no run is ever told a time below 0", async () => {
  const clock = new FakeClock();
  const onLog = (): void => {
    throw new Error("not interested");
  };
  const manager = new BackgroundTaskManager(new RunRegistry(), { onLog, clock });
  const run = createRun({ runId: "r1", moduleId: "m" });
  manager.startTask(run, ({ log }) => {
    log("info", "heard by nobody");
    clock.jump(-3_600_000);
    return Promise.resolve();
  });
  await manager.waitAll();
  assertEquals([run.status, run.durationSeconds], ["completed", 0]);
});

Deno.test("progress out of its range fails the run", async () => {
  const manager = new BackgroundTaskManager(new RunRegistry());
  for (const percent of [-1, 101, NaN]) {
    const run = newRun(`r${percent}`);
    manager.startTask(run, (context) => Promise.resolve(context.progress(percent)));
    await manager.waitAll();
    assertEquals(run.status, "failed");
    assertEquals(
      run.errorMessage,
      `Cannot report progress ${percent}: a number from 0 to 100 is needed`,
    );
  }
});

Deno.test("a promise is not followed once its run was cancelled before it began", async () => {
  const manager = new BackgroundTaskManager(new RunRegistry());
  const run = newRun("r");
  manager.startTask(run, Promise.resolve("done"));
  manager.cancelTask("r");
  assertEquals([run.status, run.startedAt], ["cancelled", null]);
  await manager.waitAll();
  assertEquals([run.status, run.result], ["cancelled", null]);
});

Deno.test("the signal's reason says that the user cancelled", async () => {
  const manager = new BackgroundTaskManager(new RunRegistry());
  const begun = Promise.withResolvers<TaskContext>();
  manager.startTask(newRun("r"), (context) => {
    begun.resolve(context);
    return new Promise(() => {});
  });
  const { signal } = await begun.promise;
  await manager.cancelTask("r");
  assert(signal.aborted);
  assertEquals(signal.reason.message, "Cancelled by user");
});

Deno.test("close() waits for active runs within the grace time", async () => {
  const clock = new FakeClock();
  const manager = new BackgroundTaskManager(new RunRegistry(), { clock });
  const gate = Promise.withResolvers<string>();
  const run = newRun("r");
  manager.startTask(run, () => gate.promise);
  const closed = manager.close();
  gate.resolve("in time");
  await closed;
  assertEquals([run.status, run.result], ["completed", "in time"]);
  assertEquals(clock.pendingTimers, 0);
});

Deno.test("close() cancels what is active after the grace time, and says so", async () => {
  const clock = new FakeClock();
  const manager = new BackgroundTaskManager(new RunRegistry(), { clock });
  const run = newRun("r");
  manager.startTask(run, () => new Promise(() => {}));
  const closed = manager.close({ graceMs: 300 });
  clock.jump(300);
  await closed;
  assertEquals(run.status, "cancelled");
  assertEquals(run.errorMessage, "Cancelled when the task manager was closed after 300 ms");
  assertEquals(manager.getActiveTaskCount(), 0);
});

Deno.test("close() refuses a negative grace time", async () => {
  const manager = new BackgroundTaskManager(new RunRegistry());
  await assertRejects(() => manager.close({ graceMs: -1 }), RangeError, "graceMs");
});
