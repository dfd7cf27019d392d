import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { z } from "zod";
import { PermanentError, QueueError, StorageError } from "../../src/domain/errors.ts";
import { createRun, type Run } from "../../src/domain/run.ts";
import { BackgroundTaskManager } from "../../src/manager/background_task_manager.ts";
import type { QueuedTaskManagerOptions } from "../../src/manager/manager_options.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import type { ScheduleOptions } from "../../src/manager/schedule_options.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { openQueue } from "../../src/mod.ts";
import type { EnqueueResult, TaskQueue } from "../../src/queue/task_queue.ts";
import { HandlerRegistry, type TaskContext } from "../../src/worker/handler_registry.ts";
import type { LogLine, LogStore } from "../../src/worker/log_store.ts";
import { Worker } from "../../src/worker/worker.ts";
import { overridden } from "../support/overridden_queue.ts";
import { until } from "../support/until.ts";

const BROKEN = new StorageError("append", "queue.log", "no space left on device");

function newRun(runId: string, moduleId = "report", parameters: unknown = { month: 1 }): Run {
  return createRun({ runId, moduleId, parameters });
}

/** Runs `body` with a queue in memory and a manager on it. */
async function withManager(
  body: (manager: QueuedTaskManager, queue: TaskQueue) => Promise<void>,
  options: QueuedTaskManagerOptions = {},
  overrides: (queue: TaskQueue) => Partial<TaskQueue> = () => ({}),
): Promise<void> {
  const queue = await openQueue({ memory: true });
  const manager = await QueuedTaskManager.open(
    overridden(queue, overrides(queue)),
    new RunRegistry(),
    options,
  );
  try {
    await body(manager, queue);
  } finally {
    await manager.close({ graceMs: 0 });
    await queue.close();
  }
}

// --- handlers

Deno.test("a scheduled task is run by its registered handler, and its run tells of it", () =>
  withManager(async (manager) => {
    const description = "Adds two numbers";
    manager.registerTask("add", ({ payload }) => payload.a + payload.b, description);
    const id = await manager.scheduleTask("add", { a: 1, b: 2 }, { runId: "sum", priority: 7 });
    await manager.waitAll();
    const run = manager.registry.getRun("sum");
    assertEquals([run?.status, run?.result, run?.exitCode], ["completed", 3, 0]);
    assertEquals([run?.moduleName, run?.parameters, run?.priority], ["add", { a: 1, b: 2 }, 7]);
    assertEquals(manager.handlers.get("add")?.description, description);
    const report = await manager.getTaskStatus(id);
    assert(report.createdAt && report.startedAt && report.finishedAt && report.lockedBy);
    assertEquals({ ...report, createdAt: 0, startedAt: 0, finishedAt: 0, lockedBy: "" }, {
      taskId: id,
      runId: "sum",
      status: "completed",
      type: "add",
      attempts: 1,
      maxAttempts: 5,
      errorMessage: null,
      createdAt: 0,
      startedAt: 0,
      finishedAt: 0,
      lockedBy: "",
      progress: 100,
      result: 3,
    });
    assertEquals(await manager.getTaskStatus("sum"), report);
  }));

Deno.test("a registered handler takes precedence over the work of startTask()", () =>
  withManager(async (manager) => {
    manager.registerTask("report", () => "by handler");
    const [byFunction, byPromise, alone] = ["a", "b", "c"].map((runId) => newRun(runId));
    let called = false;
    manager.startTask(byFunction!, () => {
      called = true;
      return Promise.resolve("by work");
    });
    manager.startTask(byPromise!, Promise.reject(new Error("never unhandled")));
    manager.startTask(alone!);
    await manager.waitAll();
    assertEquals(
      [byFunction, byPromise, alone].map((run) => run?.result),
      ["by handler", "by handler", "by handler"],
    );
    assert(!called);
  }));

Deno.test("a run's own attempts and retry policy go with its task, and bad ones are refused at once", () =>
  withManager(async (manager, queue) => {
    const retryPolicy = { initialDelayMs: 1, maxDelayMs: 2 };
    manager.registerTask("report", () => {
      throw new Error("always");
    });
    const run = createRun({ runId: "r", moduleId: "report", maxAttempts: 2, retryPolicy });
    manager.startTask(run);
    await manager.waitAll();
    assertEquals([run.status, run.attempts], ["failed", 2]);
    const task = (await queue.getByRunId("r"))!;
    assertEquals([task.maxAttempts, task.retryPolicy], [2, { ...retryPolicy, multiplier: 2 }]);
    for (const wrong of [{ maxAttempts: 101 }, { retryPolicy: { multiplier: 0 } }]) {
      const other = createRun({ runId: "other", moduleId: "report", ...wrong });
      assertThrows(() => manager.startTask(other), RangeError);
    }
    assertEquals(await queue.count(), 1);
  }));

Deno.test("a module id with blanks around it finds its handler", () =>
  withManager(async (manager) => {
    manager.registerTask("report", () => "done");
    const run = newRun("r", " report ");
    manager.startTask(run);
    await manager.waitAll();
    assertEquals(run.result, "done");
  }));

Deno.test("a handler that fails is retried, and the run follows each attempt", () =>
  withManager(async (manager) => {
    const run = newRun("r", "flaky");
    const seen: (string | null)[] = [];
    manager.registerTask(
      "flaky",
      async (_task, { attempt }) => {
        await until(() => run.attempts === attempt, "the run to follow");
        seen.push(`${run.status} ${run.attempts} ${run.errorMessage}`);
        if (attempt === 1) throw new Error("not yet");
        return "now";
      },
      "",
      { retryPolicy: { initialDelayMs: 0 } },
    );
    manager.startTask(run);
    await manager.waitAll();
    assertEquals(seen, ["running 1 null", "running 2 not yet"]);
    assertEquals([run.status, run.attempts, run.result], ["completed", 2, "now"]);
    assertEquals(run.errorMessage, null);
  }));

Deno.test("a run is running when its registered handler begins, in each attempt", () =>
  withManager(async (manager) => {
    const run = newRun("r", "flaky");
    const seen: string[] = [];
    const options = { retryPolicy: { initialDelayMs: 0 } };
    manager.registerTask(
      "flaky",
      (_task, { attempt }) => {
        seen.push(`${manager.registry.getRun("r")?.status} ${run.attempts}`);
        if (attempt < 3) throw new Error("not yet");
      },
      "",
      options,
    );
    manager.startTask(run);
    await manager.waitAll();
    assertEquals(seen, ["running 1", "running 2", "running 3"]);
    assertEquals(run.status, "completed");
  }));

Deno.test("work that was given is stored and leased at once, so that a second handler has no chance", async () => {
  const queue = await openQueue({ memory: true });
  const first = await QueuedTaskManager.open(queue, new RunRegistry(), { ownsQueue: false });
  const second = await QueuedTaskManager.open(queue, new RunRegistry(), { ownsQueue: false });
  const elsewhere: string[] = [];
  second.registerTask("report", ({ runId }) => elsewhere.push(runId));
  const runs = Array.from({ length: 60 }, (_, i) => newRun(`r${i}`));
  const work = (): Promise<string> => Promise.resolve("here");
  for (const [i, run] of runs.entries()) first.startTask(run, i % 2 ? work : work());
  await first.waitAll();
  assertEquals(elsewhere, []);
  assertEquals(new Set(runs.map(({ result }) => result)), new Set(["here"]));
  await first.close();
  await second.close();
  await queue.close();
});

Deno.test("work that another process cancels while it is being stored is interrupted", () =>
  withManager(
    async (manager) => {
      const run = newRun("r");
      const begun = Promise.withResolvers<TaskContext>();
      manager.startTask(run, (context) => {
        begun.resolve(context);
        return new Promise(() => {});
      });
      const { signal } = await begun.promise;
      await until(() => signal.aborted, "the signal");
      await manager.waitAll();
      assertEquals(run.status, "cancelled");
    },
    {},
    (queue) => ({
      async enqueue(task, options): Promise<EnqueueResult> {
        const stored = await queue.enqueue(task, options);
        await queue.cancel(stored.task.id);
        return stored;
      },
    }),
  ));

Deno.test("a type can be registered once, unless it may be overridden", () =>
  withManager((manager) => {
    manager.registerTask("t", () => 1);
    assertThrows(() => manager.registerTask("t", () => 2), TypeError, "allowOverride");
    manager.registerTask("t", () => 3, "third", { allowOverride: true });
    assertEquals(manager.handlers.get("t")?.description, "third");
    return Promise.resolve();
  }));

Deno.test("a payload that the handler's schema refuses is refused before any effect", () =>
  withManager(async (manager, queue) => {
    manager.registerTask("mail", () => {}, "", { payload: z.object({ to: z.string() }) });
    assertThrows(() => manager.startTask(newRun("r", "mail", { to: 7 })), TypeError, "payload.to");
    await assertRejects(() => manager.scheduleTask(" mail ", {}), TypeError, "payload.to");
    const batch = [{ type: "mail", payload: { to: "a" } }, { type: "mail" }];
    await assertRejects(() => manager.scheduleTasks(batch), TypeError, "payload.to");
    assertEquals(await queue.count(), 0);
    assertEquals(manager.registry.getRecentRuns(), []);
  }));

Deno.test("handlers that were given are used", () => {
  const handlers = new HandlerRegistry().register("report", () => "given");
  return withManager(async (manager) => {
    const run = newRun("r");
    manager.startTask(run);
    await manager.waitAll();
    assertStrictEquals(manager.handlers, handlers);
    assertEquals(run.result, "given");
  }, { handlers });
});

Deno.test("✗ async handlers were never awaited: the run ends when the handler's promise does", () =>
  withManager(async (manager) => {
    const gate = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    manager.registerTask("slow", async () => {
      begun.resolve();
      return { said: await gate.promise };
    });
    manager.registerTask("broken", async () => {
      await gate.promise;
      throw new PermanentError("after its await");
    });
    const [slow, broken] = [newRun("s", "slow"), newRun("b", "broken")];
    manager.startTask(slow);
    manager.startTask(broken);
    await begun.promise;
    await until(() => slow.status === "running", "the handler to start");
    assert(manager.isTaskActive("s"));
    gate.resolve("awaited");
    await manager.waitAll();
    assertEquals([slow.status, slow.result], ["completed", { said: "awaited" }]);
    assertEquals([broken.status, broken.errorMessage], ["failed", "after its await"]);
  }));

// --- other processes

Deno.test("✗ stayed QUEUED for ever: a run whose task another worker does follows it", () =>
  withManager(async (manager, queue) => {
    const run = newRun("r");
    manager.startTask(run);
    await manager.flush();
    assertEquals([run.status, manager.getActiveTaskIds()], ["queued", ["r"]]);
    const gate = Promise.withResolvers<string>();
    const handlers = new HandlerRegistry().register("report", (_task, context) => {
      context.progress(25);
      return gate.promise;
    });
    const other = new Worker({ queue, handlers, workerId: "other" });
    other.start();
    await until(() => run.progressPercent === 25, "the progress");
    assertEquals(run.status, "running");
    gate.resolve("elsewhere");
    await manager.waitAll();
    assertEquals([run.status, run.result, run.attempts], ["completed", "elsewhere", 1]);
    assertEquals((await manager.getTaskStatus("r")).lockedBy, "other");
    await other.stop();
  }));

Deno.test("without an embedded worker a registered handler is left to others, and work is done here", () =>
  withManager(async (manager) => {
    manager.registerTask("report", () => "by handler");
    const [left, done] = [newRun("left"), newRun("done")];
    manager.startTask(left);
    manager.startTask(done, () => Promise.resolve("by work"));
    await until(() => done.status === "completed", "the work");
    assertEquals([done.result, left.status], ["by work", "queued"]);
  }, { worker: false }));

Deno.test("tasks of other processes become runs", () =>
  withManager(async (manager, queue) => {
    const { task } = await queue.enqueue({ type: "import", runId: "theirs", payload: { n: 1 } });
    await until(() => manager.isTaskActive("theirs"), "the run");
    const run = manager.registry.getRun("theirs");
    assertEquals([run?.moduleId, run?.moduleName, run?.parameters], ["import", "import", { n: 1 }]);
    assertEquals(await manager.cancelTask("theirs"), true);
    assertEquals([run?.status, run?.errorMessage], ["cancelled", "Cancelled by user"]);
    assertEquals((await queue.get(task.id))?.status, "cancelled");
  }));

Deno.test("a run that is cancelled in the queue is cancelled, and its signal fires", () =>
  withManager(async (manager, queue) => {
    const run = newRun("r");
    const begun = Promise.withResolvers<TaskContext>();
    manager.startTask(run, (context) => {
      begun.resolve(context);
      return new Promise((_resolve, reject) =>
        context.signal.addEventListener("abort", () => reject(context.signal.reason))
      );
    });
    const { signal } = await begun.promise;
    const task = await queue.getByRunId("r");
    assert(task && await queue.cancel(task.id));
    await manager.waitAll();
    assertEquals([run.status, run.errorMessage], ["cancelled", "Cancelled by user"]);
    await until(() => signal.aborted, "the signal");
  }));

Deno.test("✗ stayed QUEUED for ever: a run done by the manager of another queue on the same file follows it", async () => {
  const folder = await Deno.makeTempDir();
  const open = async (options: QueuedTaskManagerOptions): Promise<QueuedTaskManager> =>
    await QueuedTaskManager.open(await openQueue(`${folder}/queue.db`), new RunRegistry(), options);
  const handlers = new HandlerRegistry().register("report", (_task, { runId }) => `did ${runId}`);
  const [asks, does] = [await open({ worker: false }), await open({ handlers })];
  const run = newRun("r");
  asks.startTask(run);
  await asks.waitAll();
  assertEquals([run.status, run.result], ["completed", "did r"]);
  await until(() => does.registry.getRun("r")?.status === "completed", "the other registry");
  await asks.close();
  await does.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("work whose lease was lost is done again by this process", () =>
  withManager(
    async (manager, queue) => {
      const run = newRun("r");
      const attempts: number[] = [];
      manager.startTask(run, ({ attempt, signal }) => {
        attempts.push(attempt);
        if (attempt > 1) return Promise.resolve("second");
        return new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      });
      await until(async () => (await queue.rescue()).length > 0, "the lease to expire");
      await manager.waitAll();
      assertEquals(attempts, [1, 2]);
      assertEquals([run.status, run.result, run.attempts], ["completed", "second", 2]);
    },
    { worker: { leaseDurationMs: 100 } },
    () => ({ renew: () => Promise.reject(BROKEN) }),
  ));

Deno.test("parameters may be as large as the queue allows", async () => {
  const payloadMaxBytes = 1024 * 1024;
  const queue = await openQueue({ memory: true, payloadMaxBytes });
  const manager = await QueuedTaskManager.open(queue, new RunRegistry(), { payloadMaxBytes });
  const run = newRun("r", "report", "x".repeat(payloadMaxBytes - 2));
  manager.startTask(run, () => Promise.resolve());
  await manager.waitAll();
  assertEquals(run.status, "completed");
  const larger = newRun("larger", "report", "x".repeat(payloadMaxBytes));
  assertThrows(() => manager.startTask(larger), RangeError, "parameters");
  await manager.close();
});

Deno.test("a worker's wrong option is refused before any effect", async () => {
  const queue = await openQueue({ memory: true });
  let watched = false;
  const watch = (): () => void => {
    watched = true;
    return () => {};
  };
  assertThrows(
    () => {
      const options = { worker: { concurrency: 0 } };
      return new QueuedTaskManager(overridden(queue, { watch }), new RunRegistry(), options);
    },
    RangeError,
    "concurrency",
  );
  assert(!watched);
  await queue.close();
});

// --- a restart

Deno.test("after a restart the active runs are the queue's", async () => {
  const queue = await openQueue({ memory: true });
  const options = { ownsQueue: false };
  const before = await QueuedTaskManager.open(queue, new RunRegistry(), options);
  before.startTask(newRun("waiting"));
  before.startTask(newRun("finished"), () => Promise.resolve());
  await before.flush();
  await until(() => !before.isTaskActive("finished"), "the work");
  await before.close();

  const after = await QueuedTaskManager.open(queue, new RunRegistry(), options);
  assertEquals(after.getActiveTaskIds(), ["waiting"]);
  const run = after.registry.getRun("waiting");
  assertEquals([run?.status, run?.parameters], ["queued", { month: 1 }]);
  after.registerTask("report", () => "after the restart");
  await after.waitAll();
  assertEquals([run?.status, run?.result], ["completed", "after the restart"]);
  await after.close();
  await queue.close();
});

Deno.test("the constructor loads in the background, and waitAll() and flush() wait for it", async () => {
  const queue = await openQueue({ memory: true });
  await queue.enqueue({ type: "report", runId: "old" });
  const handlers = new HandlerRegistry().register("report", () => "done");
  const manager = new QueuedTaskManager(queue, new RunRegistry(), { handlers });
  await manager.waitAll();
  assertEquals(manager.registry.getRun("old")?.status, "completed");
  await manager.flush();
  await manager.close();
});

Deno.test("open() rejects when the active runs cannot be read, and leaves the queue open", async () => {
  const queue = await openQueue({ memory: true });
  const broken = overridden(queue, { list: () => Promise.reject(BROKEN) });
  const error = await assertRejects(() => QueuedTaskManager.open(broken, new RunRegistry()));
  assertStrictEquals(error, BROKEN);
  assertEquals(await queue.count(), 0);
  await queue.close();
});

Deno.test("a load that fails in the background surfaces in flush()", async () => {
  const queue = await openQueue({ memory: true });
  const broken = overridden(queue, { list: () => Promise.reject(BROKEN) });
  const manager = new QueuedTaskManager(broken, new RunRegistry());
  assertStrictEquals(await assertRejects(() => manager.flush()), BROKEN);
  await manager.close();
});

Deno.test("a read that fails and will be tried again is not a failure of flush()", async () => {
  let reads = 0;
  await withManager(
    async (manager, queue) => {
      manager.startTask(newRun("r"));
      await manager.flush();
      const [task] = await queue.claim({ workerId: "w", types: ["report"] });
      await queue.complete(task!);
      await until(() => reads > 0, "a read that fails");
      await manager.flush();
      assert(manager.isTaskActive("r"));
    },
    { worker: false },
    () => ({
      get: () => {
        reads++;
        return Promise.reject(BROKEN);
      },
    }),
  );
});

// --- storing

Deno.test("flush() waits until every run is stored", async () => {
  const gate = Promise.withResolvers<void>();
  await withManager(
    async (manager, queue) => {
      manager.startTask(newRun("r"));
      assert(manager.isTaskActive("r"));
      const flushed = manager.flush().then(() => queue.getByRunId("r"));
      const status = manager.getTaskStatus("r");
      assertEquals(await queue.count(), 0);
      gate.resolve();
      assertEquals((await flushed)?.status, "queued");
      assertEquals((await status).status, "queued");
    },
    {},
    (queue) => ({ enqueue: (task) => gate.promise.then(() => queue.enqueue(task)) }),
  );
});

Deno.test("a run that cannot be stored fails, and flush() rejects once", () =>
  withManager(
    async (manager) => {
      const run = newRun("r");
      let called = false;
      manager.startTask(run, () => {
        called = true;
        return Promise.resolve();
      });
      assert(manager.isTaskActive("r"));
      await manager.waitAll();
      assertEquals([run.status, run.errorMessage], ["failed", BROKEN.message]);
      assert(run.completedAt instanceof Date);
      assertStrictEquals(await assertRejects(() => manager.flush()), BROKEN);
      await manager.flush();
      assert(!called);
      assertEquals(await manager.cancelTask("r"), false);
      const { status, runId, taskId, errorMessage } = await manager.getTaskStatus("r");
      assertEquals([status, runId, taskId, errorMessage], ["not_found", "r", null, BROKEN.message]);
    },
    {},
    () => ({ enqueue: () => Promise.reject(BROKEN) }),
  ));

Deno.test("a run with the id of an old task fails, and the old task is left alone", async () => {
  const queue = await openQueue({ memory: true });
  const { task } = await queue.enqueue({ type: "report", runId: "r" });
  const manager = new QueuedTaskManager(queue, new RunRegistry(), { worker: false });
  const run = newRun("r");
  manager.startTask(run, () => Promise.resolve("must not run"));
  const error = await assertRejects(() => manager.flush(), QueueError);
  assertEquals(error.code, "run_id_conflict");
  assertEquals(await manager.cancelTask("r"), false);
  assertEquals((await manager.getTaskStatus("r")).status, "not_found");
  assertEquals((await queue.get(task.id))?.status, "queued");
  assertEquals([run.status, run.errorMessage], ["failed", error.message]);
  await manager.close();
});

Deno.test("whenStored() tells each run of its own trouble, whoever asks first", () =>
  withManager(async (_manager, queue) => {
    await queue.enqueue({ type: "other", runId: "taken" });
    const runIds = ["new", "taken", "taken2"];
    await queue.enqueue({ type: "other", runId: "taken2" });
    const fresh = new RunRegistry();
    const other = new QueuedTaskManager(queue, fresh, { ownsQueue: false });
    for (const runId of runIds) other.startTask(newRun(runId), () => Promise.resolve());
    const outcomes = await Promise.allSettled(runIds.map((runId) => other.whenStored(runId)));
    assertEquals(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
    const later = await assertRejects(() => other.whenStored("taken"), QueueError, '"taken"');
    assertEquals(later.code, "run_id_conflict");
    await assertRejects(() => other.flush(), QueueError, '"taken"');
    await other.close();
  }));

Deno.test("scheduleTasks() stores all, in order, and makes runs of them", () =>
  withManager(async (manager, queue) => {
    const runIds = Array.from({ length: 200 }, (_, i) => `r${i}`);
    const ids = await manager.scheduleTasks(runIds.map((runId) => ({ type: "later", runId })));
    assertEquals(ids, [...ids].sort((a, b) => a - b));
    assertEquals((await queue.get(ids[7]!))?.runId, "r7");
    assertEquals(manager.getActiveTaskIds(), runIds);
  }));

Deno.test("the same idempotency key gives the same task", () =>
  withManager(async (manager) => {
    const options = { idempotencyKey: "k" };
    const first = await manager.scheduleTask("later", { n: 1 }, options);
    assertEquals(await manager.scheduleTask("later", { n: 1 }, options), first);
    const error = await assertRejects(
      () => manager.scheduleTask("later", { n: 2 }, options),
      QueueError,
    );
    assertEquals(error.code, "idempotency_conflict");
    assertEquals(manager.getActiveTaskCount(), 1);
  }));

Deno.test("✗ a numeric run id answered for another task: it does not answer for the task with this number", () =>
  withManager(async (manager) => {
    const id = await manager.scheduleTask("later", {}, { runId: "text" });
    assertEquals((await manager.getTaskStatus(id)).runId, "text");
    assertEquals((await manager.getTaskStatus(String(id))).status, "not_found");
    const unknown = await manager.getTaskStatus(id + 1);
    assertEquals([unknown.status, unknown.taskId, unknown.runId], ["not_found", id + 1, null]);
    assertEquals(await manager.cancelTask(String(id)), false);
  }));

Deno.test("deliveries of webhooks are no runs", () =>
  withManager(async (manager, queue) => {
    manager.registerTask("t", () => "done");
    const webhook = { url: "https://hooks.example.com/" };
    await manager.scheduleTask("t", {}, { runId: "r", webhook });
    await manager.waitAll();
    assertEquals(await queue.count({ type: "holdfast.webhook" }), 1);
    assertEquals(manager.getActiveTaskIds(), []);
    assertEquals(manager.registry.getRecentRuns().map(({ runId }) => runId), ["r"]);
    assertThrows(() => manager.registerTask("holdfast.webhook", () => 1), TypeError, "reserved");
  }));

Deno.test("after a restart the active runs come in the order in which they were stored", async () => {
  const queue = await openQueue({ memory: true });
  const runIds = Array.from({ length: 5 }, (_, i) => `r${i}`);
  for (const runId of runIds) await queue.enqueue({ type: "later", runId });
  await queue.claim({ workerId: "other", types: ["later"], limit: 2 });
  const manager = await QueuedTaskManager.open(queue, new RunRegistry());
  assertEquals(manager.getActiveTaskIds(), runIds);
  assertEquals(manager.registry.getActiveRuns().map(({ runId }) => runId), runIds);
  await manager.close();
});

Deno.test("options that nobody knows, and ids that are none, are refused with the name that is meant", () =>
  withManager(async (manager, queue) => {
    const misspelt = { runafter: new Date() } as unknown as ScheduleOptions;
    await assertRejects(
      () => manager.scheduleTask("t", {}, misspelt),
      TypeError,
      "runAfter is meant",
    );
    await assertRejects(
      () => manager.scheduleTasks([{ type: "t", ...misspelt }]),
      TypeError,
      "meant",
    );
    assertEquals(await queue.count(), 0);
    for (const id of [undefined, null, {}]) {
      await assertRejects(() => manager.getTaskStatus(id as unknown as string), TypeError, "id");
    }
  }));

Deno.test("onLog hears what work says in this process, and may throw", async () => {
  const heard: string[] = [];
  const onLog = (runId: string, { message, attempt }: LogLine): void => {
    heard.push(`${runId} ${attempt} ${message}`);
    throw new Error("not interested");
  };
  await withManager(async (manager) => {
    manager.registerTask("report", (_task, { log }) => log("info", "by handler"));
    manager.startTask(newRun("a"));
    manager.startTask(newRun("b", "other"), ({ log }) => Promise.resolve(log("info", "by work")));
    await manager.waitAll();
    assertEquals(manager.registry.getRunsByStatus("completed").length, 2);
  }, { onLog });
  assertEquals(heard.sort(), ["a 1 by handler", "b 1 by work"]);
});

// --- a registry's second life

for (const isPruned of [false, true]) {
  const end = isPruned ? "pruned" : "completed";
  Deno.test(`a registry that a second manager takes over is true: a run was ${end} meanwhile`, async () => {
    const queue = await openQueue({ memory: true });
    const registry = new RunRegistry();
    const options = { ownsQueue: false };
    const first = await QueuedTaskManager.open(queue, registry, options);
    const run = newRun("r");
    first.startTask(run);
    await first.close();
    assertEquals(run.status, "queued");
    const [task] = await queue.claim({ workerId: "other", types: ["report"] });
    await queue.complete(task!, "elsewhere");
    if (isPruned) await queue.prune({ keep: 0 });
    const second = await QueuedTaskManager.open(queue, registry, options);
    assertStrictEquals(registry.getRun("r"), run);
    assertEquals(
      [run.status, run.result],
      isPruned ? ["failed", null] : ["completed", "elsewhere"],
    );
    assertEquals([registry.getActiveRuns(), second.getActiveTaskIds()], [[], []]);
    await second.close();
    await queue.close();
  });
}

Deno.test("what a manager in memory gave up the queue knows better", async () => {
  const queue = await openQueue({ memory: true });
  const registry = new RunRegistry();
  const options = { ownsQueue: false };
  const first = await QueuedTaskManager.open(queue, registry, options);
  const [done, waiting] = [newRun("done"), newRun("waiting", "later")];
  for (const run of [done, waiting]) first.startTask(run);
  await first.close();
  const inMemory = new BackgroundTaskManager(registry);
  assertEquals([done.status, waiting.status], ["failed", "failed"]);
  await inMemory.close();
  const [task] = await queue.claim({ workerId: "other", types: ["report"] });
  await queue.complete(task!, "elsewhere");
  const second = await QueuedTaskManager.open(queue, registry, options);
  assertEquals([done.status, done.result, done.errorMessage], ["completed", "elsewhere", null]);
  assertEquals([waiting.status, waiting.completedAt], ["queued", null]);
  assertEquals(second.getActiveTaskIds(), ["waiting"]);
  await second.close();
  await queue.close();
});

Deno.test("a manager leaves the runs of another on the same registry alone", async () => {
  const registry = new RunRegistry();
  const queued = await QueuedTaskManager.open(await openQueue({ memory: true }), registry);
  const gate = Promise.withResolvers<string>();
  const run = newRun("r");
  queued.startTask(run, () => gate.promise);
  await until(() => run.status === "running");
  await new BackgroundTaskManager(registry).close();
  assertEquals(run.status, "running");
  gate.resolve("done");
  await queued.waitAll();
  assertEquals(run.result, "done");
  await queued.close();
});

// --- cancelling

Deno.test("what is cancelled in the same breath is not done by another process either", async () => {
  const queue = await openQueue({ memory: true });
  const first = await QueuedTaskManager.open(
    // The other one has all the time to claim it before it is cancelled.
    overridden(queue, {
      cancel: async (id) => {
        await queue.claim({ workerId: "other", types: ["report"] });
        return await queue.cancel(id);
      },
    }),
    new RunRegistry(),
    { ownsQueue: false },
  );
  first.registerTask("handled", () => "done");
  for (const [runId, moduleId] of [["work", "report"], ["handled", "handled"]] as const) {
    const run = newRun(runId, moduleId);
    first.startTask(run, () => Promise.resolve("done"));
    assertEquals(await first.cancelTask(runId), true);
    assertEquals([run.status, run.startedAt, run.attempts], ["cancelled", null, 0]);
  }
  await first.close();
  await queue.close();
});

Deno.test("when cancelling work that this process has already fails, it is done after all", () =>
  withManager(
    async (manager) => {
      const run = newRun("r");
      manager.startTask(run, () => Promise.resolve("done"));
      await Promise.resolve();
      const cancelled = manager.cancelTask("r");
      assertStrictEquals(await assertRejects(() => cancelled), BROKEN);
      await manager.waitAll();
      assertEquals([run.status, run.result, run.attempts], ["completed", "done", 1]);
    },
    {},
    () => ({ cancel: () => Promise.reject(BROKEN) }),
  ));

Deno.test("a run that is cancelled before it is stored is stored so, which needs no other call", () =>
  withManager(
    async (manager) => {
      const run = newRun("r");
      manager.startTask(run, () => Promise.resolve("done"));
      assertEquals(await manager.cancelTask("r"), true);
      assertEquals(await manager.cancelTask("r"), false);
      await manager.waitAll();
      assertEquals([run.status, run.result, run.attempts], ["cancelled", null, 0]);
    },
    {},
    () => ({ cancel: () => Promise.reject(BROKEN) }),
  ));

Deno.test("cancelling a task that was pruned meanwhile answers false", () =>
  withManager(
    async (manager) => {
      await manager.scheduleTask("later", {}, { runId: "r" });
      assertEquals(await manager.cancelTask("r"), false);
    },
    {},
    () => ({ cancel: () => Promise.reject(new QueueError("task_not_found", "gone")) }),
  ));

// --- closing

Deno.test("close() gives unfinished work back to the queue without using up an attempt", async () => {
  const queue = await openQueue({ memory: true });
  const manager = await QueuedTaskManager.open(queue, new RunRegistry(), { ownsQueue: false });
  const begun = Promise.withResolvers<TaskContext>();
  manager.startTask(newRun("r"), (context) => {
    begun.resolve(context);
    return new Promise((_resolve, reject) =>
      context.signal.addEventListener("abort", () => reject(context.signal.reason))
    );
  });
  const { signal } = await begun.promise;
  await manager.close({ graceMs: 0 });
  assert(signal.aborted);
  const task = await queue.getByRunId("r");
  assertEquals([task?.status, task?.attempts], ["queued", 0]);
  await queue.close();
});

Deno.test("close() waits for work within the grace time", async () => {
  const queue = await openQueue({ memory: true });
  const manager = await QueuedTaskManager.open(queue, new RunRegistry(), { ownsQueue: false });
  const run = newRun("r");
  const gate = Promise.withResolvers<string>();
  const begun = Promise.withResolvers<void>();
  manager.startTask(run, () => {
    begun.resolve();
    return gate.promise;
  });
  await begun.promise;
  const closed = manager.close({ graceMs: 5000 });
  gate.resolve("in time");
  await closed;
  assertEquals([run.status, run.result], ["completed", "in time"]);
  await queue.close();
});

Deno.test("close() closes the queue and the logs, once", async () => {
  let closedLogs = 0;
  const logs: LogStore = {
    append: () => {},
    read: () => Promise.resolve({ lines: [], nextOffset: 0 }),
    tail: () => Promise.resolve({ lines: [], nextOffset: 0 }),
    end: () => Promise.resolve(0),
    close: () => void closedLogs++,
  };
  const queue = await openQueue({ memory: true });
  const manager = await QueuedTaskManager.open(queue, new RunRegistry(), { logs });
  manager.startTask(newRun("r"));
  const waiting = manager.waitAll();
  await Promise.all([manager.close(), manager.close()]);
  await waiting;
  assertEquals(closedLogs, 1);
  for (
    const refused of [
      (): Promise<unknown> => queue.count(),
      (): Promise<unknown> => manager.scheduleTask("t"),
      (): Promise<unknown> => manager.scheduleTasks([]),
    ]
  ) {
    assertEquals((await assertRejects(refused, QueueError)).code, "queue_closed");
  }
  await assertRejects(() => manager.close({ graceMs: -1 }), RangeError, "graceMs");
});
