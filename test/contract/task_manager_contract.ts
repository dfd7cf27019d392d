/**
 * The contract of a TaskManager: what holds whether runs are kept in memory or on the durable queue.
 */
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { deferred } from "../../src/domain/deferred.ts";
import { ExitCodeError, QueueError } from "../../src/domain/errors.ts";
import {
  createRun,
  type GivenRun,
  type NewRun,
  type Run,
  secondsBetween,
} from "../../src/domain/run.ts";
import type { RunRegistry } from "../../src/manager/run_registry.ts";
import type { CloseOptions, TaskManager } from "../../src/manager/task_manager.ts";
import type { TaskContext } from "../../src/worker/handler_registry.ts";
import { until } from "../support/until.ts";

/** A manager under test, without handlers for any module. */
export interface ManagerFixture {
  readonly manager: TaskManager & {
    flush(): Promise<void>;
    whenStored(runId: string): Promise<void>;
    close(options?: CloseOptions): Promise<void>;
  };
  readonly registry: RunRegistry;
  close(): Promise<void>;
}

/** Registers the suite for the managers that `make` makes. */
export function taskManagerContract(name: string, make: () => Promise<ManagerFixture>): void {
  function test(behaviour: string, body: (fixture: ManagerFixture) => Promise<void>): void {
    Deno.test(`${name}: ${behaviour}`, async () => {
      const fixture = await make();
      try {
        await body(fixture);
      } finally {
        await fixture.close();
      }
    });
  }

  test("startTask returns the run id, and the run is active at once", async ({ manager, registry }) => {
    const run = newRun("r1");
    assertEquals(manager.startTask(run, () => Promise.resolve()), "r1");
    assertEquals(run.status, "queued");
    assert(manager.isTaskActive("r1"));
    assertEquals(manager.getActiveTaskCount(), 1);
    assertEquals(manager.getActiveTaskIds(), ["r1"]);
    assertStrictEquals(registry.getRun("r1"), run);
    await manager.waitAll();
  });

  test("work that ends with an exit code fails its run once, and the run says the code", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, () => Promise.reject(new ExitCodeError(3, "Exit code 3: no paper")));
    await manager.waitAll();
    assertEquals([run.status, run.exitCode, run.attempts], ["failed", 3, 1]);
    assertEquals(run.errorMessage, "Exit code 3: no paper");
    assertEquals(run.result, { exit_code: 3 });
  });

  test("the exit_code of a result is the run's, also when it is not 0", async ({ manager }) => {
    const runs = [newRun("r1"), newRun("r2")] as const;
    manager.startTask(runs[0], () => Promise.resolve({ exit_code: 4 }));
    manager.startTask(runs[1], () => Promise.resolve({ exit_code: "4" }));
    await manager.waitAll();
    assertEquals(runs.map(({ status }) => status), ["completed", "completed"]);
    assertEquals(runs.map(({ exitCode }) => exitCode), [4, 0]);
  });

  test("✗ none were set: a run goes from queued over running to completed, with times, exit code and result", async ({ manager }) => {
    const gate = deferred<unknown>();
    const run = newRun("r1");
    manager.startTask(run, () => gate.promise);
    await until(() => run.status === "running", "the run to start");
    assert(run.startedAt instanceof Date);
    assertEquals(run.completedAt, null);
    assertEquals(run.attempts, 1);
    assert(manager.isTaskActive("r1"));
    gate.resolve({ rows: 3 });
    await manager.waitAll();
    assertEquals(run.status, "completed");
    assertEquals(run.exitCode, 0);
    assertEquals(run.result, { rows: 3 });
    assertEquals(run.errorMessage, null);
    assert(run.completedAt instanceof Date);
    assertEquals(run.durationSeconds, secondsBetween(run.startedAt, run.completedAt));
    assert((run.durationSeconds ?? -1) >= 0);
  });

  test("a run is running, in the registry too, when its work begins", async ({ manager, registry }) => {
    const run = newRun("r1");
    const seen: unknown[] = [];
    manager.startTask(run, () => {
      const known = registry.getRun("r1");
      seen.push(known === run, known?.status, known?.attempts, known?.startedAt instanceof Date);
      return Promise.resolve();
    });
    await manager.waitAll();
    assertEquals(seen, [true, "running", 1, true]);
  });

  test("a finished run is no longer active", async ({ manager, registry }) => {
    manager.startTask(newRun("r1"), () => Promise.resolve("done"));
    await manager.waitAll();
    assert(!manager.isTaskActive("r1"));
    assertEquals(manager.getActiveTaskCount(), 0);
    assertEquals(manager.getActiveTaskIds(), []);
    assertEquals(registry.getActiveRuns(), []);
  });

  test("work that rejects fails its run at once, with its message", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, () => Promise.reject(new Error("no such host")));
    await manager.waitAll();
    assertEquals(run.status, "failed");
    assertEquals(run.errorMessage, "no such host");
    assertEquals(run.exitCode, null);
    assertEquals(run.result, null);
    assertEquals(run.attempts, 1);
    assert(run.completedAt instanceof Date);
    assert(run.durationSeconds !== null);
  });

  test("work that throws before its first await fails its run", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, () => {
      throw new Error("at once");
    });
    await manager.waitAll();
    assertEquals([run.status, run.errorMessage], ["failed", "at once"]);
  });

  test("what is thrown need not be an Error", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, () => Promise.reject("just text"));
    await manager.waitAll();
    assertEquals([run.status, run.errorMessage], ["failed", "just text"]);
  });

  test("a run that fails without a message says so", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, () => Promise.reject(new Error()));
    await manager.waitAll();
    assertEquals([run.status, run.errorMessage], ["failed", "failed without a message"]);
  });

  test("✗ the original ignored it: work is done once, in this process, and awaited", async ({ manager }) => {
    const steps: string[] = [];
    const run = newRun("r1");
    manager.startTask(run, async () => {
      steps.push("begin");
      await new Promise((resolve) => setTimeout(resolve, 5));
      steps.push("end");
    });
    assertEquals(steps, []);
    await manager.waitAll();
    assertEquals(steps, ["begin", "end"]);
    assertEquals([run.status, run.result], ["completed", null]);
  });

  test("work sees its context", async ({ manager }) => {
    let seen: TaskContext | undefined;
    manager.startTask(newRun("r1"), (context) => {
      seen = context;
      context.log("info", "hello", { n: 1 });
      return Promise.resolve();
    });
    await manager.waitAll();
    assertEquals([seen?.runId, seen?.attempt, seen?.deadline], ["r1", 1, null]);
    assertEquals(seen?.signal.aborted, false);
  });

  test("work that was given to the manager cannot be snoozed, which fails it with the reason", async ({ manager }) => {
    const run = newRun("r1");
    let isLast: boolean | undefined;
    manager.startTask(run, (context) => {
      isLast = context.isLastAttempt;
      return context.snooze(1000);
    });
    await manager.waitAll();
    assertEquals([run.status, isLast], ["failed", true]);
    assertEquals(run.errorMessage?.includes('Cannot snooze run "r1": its work was given'), true);
  });

  test("a promise already under way is followed", async ({ manager }) => {
    const work = deferred<string>();
    const run = newRun("r1");
    manager.startTask(run, work.promise);
    await until(() => run.status === "running", "the run to start");
    work.resolve("late");
    await manager.waitAll();
    assertEquals([run.status, run.result], ["completed", "late"]);
  });

  test("a promise that has rejected already fails its run and is never unhandled", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, Promise.reject(new Error("early")));
    await manager.waitAll();
    assertEquals([run.status, run.errorMessage], ["failed", "early"]);
  });

  test("the promise of a refused run is never unhandled", async ({ manager }) => {
    const failing = Promise.reject(new Error("nobody waits for me"));
    assertThrows(() => manager.startTask(newRun(""), failing), TypeError, "run id");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(manager.getActiveTaskCount(), 0);
  });

  test("✗ cancel before the first tick leaked: a run cancelled before it begins never does its work", async ({ manager }) => {
    let begun = false;
    const run = newRun("r1");
    manager.startTask(run, () => {
      begun = true;
      return Promise.resolve();
    });
    assertEquals(await manager.cancelTask("r1"), true);
    assertEquals([run.status, run.errorMessage], ["cancelled", "Cancelled by user"]);
    assertEquals([run.startedAt, run.durationSeconds, run.exitCode], [null, null, null]);
    assert(run.completedAt instanceof Date);
    assert(!manager.isTaskActive("r1"));
    await manager.waitAll();
    await manager.flush();
    assert(!begun);
  });

  test("the promise of a run cancelled before it begins is never unhandled", async ({ manager }) => {
    const work = deferred<void>();
    const run = newRun("r1");
    manager.startTask(run, work.promise);
    await manager.cancelTask("r1");
    work.reject(new Error("too late"));
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals([run.status, run.errorMessage], ["cancelled", "Cancelled by user"]);
  });

  test("cancelling a running run fires its signal and ignores its result", async ({ manager }) => {
    const { run, context, gate } = await startRunning(manager, "r1");
    assertEquals(await manager.cancelTask("r1"), true);
    assertEquals([run.status, run.errorMessage], ["cancelled", "Cancelled by user"]);
    assert(!manager.isTaskActive("r1"));
    await until(() => context.signal.aborted, "the signal");
    const cancelledAt = run.completedAt;
    assertEquals(run.durationSeconds, secondsBetween(run.startedAt, cancelledAt));
    gate.resolve("too late");
    await manager.waitAll();
    await manager.flush();
    assertEquals([run.status, run.result, run.exitCode], ["cancelled", null, null]);
    assertEquals(run.completedAt, cancelledAt);
  });

  test("cancelling a running run ignores its late error and progress", async ({ manager }) => {
    const { run, context, gate } = await startRunning(manager, "r1");
    await manager.cancelTask("r1");
    await until(() => context.signal.aborted, "the signal");
    context.progress(70);
    gate.reject(new Error("aborted"));
    await manager.waitAll();
    await manager.flush();
    assertEquals([run.status, run.errorMessage], ["cancelled", "Cancelled by user"]);
    assertEquals(run.progressPercent, null);
  });

  test("cancelTask answers false for a run it does not know", async ({ manager }) => {
    assertEquals(await manager.cancelTask("nobody"), false);
  });

  test("cancelTask answers false for a finished run and leaves it alone", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, () => Promise.resolve(1));
    await manager.waitAll();
    const before = { ...run };
    assertEquals(await manager.cancelTask("r1"), false);
    assertEquals({ ...run }, before);
  });

  test("of two cancels one succeeds", async ({ manager }) => {
    manager.startTask(newRun("r1"), () => Promise.resolve());
    const answers = await Promise.all([manager.cancelTask("r1"), manager.cancelTask("r1")]);
    assertEquals(answers.sort(), [false, true]);
  });

  test("cancelling one run leaves the others alone", async ({ manager }) => {
    const runs = ["a", "b", "c"].map((id) => newRun(id));
    for (const run of runs) manager.startTask(run, () => Promise.resolve(run.runId));
    await manager.cancelTask("b");
    await manager.waitAll();
    assertEquals(runs.map((run) => run.status), ["completed", "cancelled", "completed"]);
  });

  test("✗ a numeric run id answered for another task: it is a string like any other", async ({ manager }) => {
    const { gate } = await startRunning(manager, "first");
    assertEquals(await manager.cancelTask("1"), false);
    assert(!manager.isTaskActive("1"));
    assert(manager.isTaskActive("first"));
    gate.resolve(null);
  });

  test("waitAll resolves at once when nothing is active", async ({ manager }) => {
    await manager.waitAll();
    assertEquals(manager.getActiveTaskCount(), 0);
  });

  test("waitAll also waits for runs started meanwhile", async ({ manager }) => {
    const second = newRun("second");
    manager.startTask(newRun("first"), () => {
      manager.startTask(second, async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return "second";
      });
      return Promise.resolve();
    });
    await manager.waitAll();
    assertEquals([second.status, second.result], ["completed", "second"]);
  });

  test("waitAll does not reject when runs fail, and wakes everyone who waits", async ({ manager }) => {
    manager.startTask(newRun("bad"), () => Promise.reject(new Error("bad")));
    manager.startTask(newRun("good"), () => Promise.resolve());
    const answers = await Promise.allSettled([manager.waitAll(), manager.waitAll()]);
    assertEquals(answers.map(({ status }) => status), ["fulfilled", "fulfilled"]);
    assertEquals(manager.getActiveTaskCount(), 0);
  });

  test("a plain run with the six fields of the migration guide is taken", async ({ manager, registry }) => {
    const run: GivenRun = {
      runId: "task-123",
      moduleId: "cleanup",
      moduleName: "Cleanup",
      status: "queued",
      createdAt: new Date(),
      parameters: { max_age_hours: 24 },
    };
    registry.addRun(run);
    assertEquals(manager.startTask(run, () => Promise.resolve("done")), "task-123");
    await manager.waitAll();
    const known = registry.getRun("task-123");
    assertStrictEquals(known, run);
    assertEquals([known.status, known.result, known.priority], ["completed", "done", 100]);
    assertEquals([known.exitCode, known.errorMessage, known.attempts], [0, null, 1]);
  });

  test("a run that cannot show its state is refused, and stops no other", async ({ manager, registry }) => {
    const other = newRun("other");
    manager.startTask(other, () => Promise.resolve("done"));
    const stubborn = Object.defineProperty(newRun("stubborn"), "status", {
      get: () => "queued",
      set: () => {
        throw new Error("no status, please");
      },
    });
    for (const run of [Object.freeze(newRun("frozen")), stubborn]) {
      assertThrows(() => manager.startTask(run, () => Promise.resolve()), TypeError, "status");
      assertEquals(registry.getRun(run.runId), undefined);
    }
    await manager.waitAll();
    assertEquals(other.status, "completed");
  });

  test("a run whose object breaks later is its own trouble", async ({ manager }) => {
    const broken = Object.defineProperty(newRun("broken"), "completedAt", {
      get: () => null,
      set: (value) => {
        if (value !== null) throw new Error("never completed");
      },
    });
    const others = [newRun("before"), newRun("after")];
    let done = 0;
    for (const run of [others[0]!, broken, others[1]!]) {
      manager.startTask(run, () => Promise.resolve(++done));
    }
    await manager.waitAll();
    assertEquals([done, ...others.map(({ status }) => status)], [3, "completed", "completed"]);
    assertEquals(manager.getActiveTaskIds(), []);
  });

  test("a run that its caller ended by hand and cleaned up ends all the same", async ({ manager, registry }) => {
    const { run, gate } = await startRunning(manager, "r1");
    run.status = "failed";
    run.completedAt = new Date(0);
    assertEquals(registry.cleanupOldRuns(0), 1);
    gate.resolve("done");
    await manager.waitAll();
    assertEquals(manager.getActiveTaskIds(), []);
  });

  test("an object that another manager has taken is refused", async ({ manager }) => {
    const another = await make();
    const { run, gate } = await startRunning(manager, "r1");
    run.status = "queued";
    const error = assertThrows(
      () => another.manager.startTask(run, () => Promise.resolve()),
      QueueError,
    );
    assertEquals(error.code, "run_id_conflict");
    gate.resolve(null);
    await manager.waitAll();
    await another.close();
  });

  test("a forgotten run stays forgotten when somebody cancels it", async ({ manager, registry }) => {
    manager.startTask(newRun("r1"), () => Promise.resolve());
    await manager.waitAll();
    registry.getRun("r1")!.completedAt = new Date(0);
    assertEquals(registry.cleanupOldRuns(1), 1);
    assertEquals(await manager.cancelTask("r1"), false);
    assertEquals(registry.getRun("r1"), undefined);
  });

  test("what a run failed with is kept readable", async ({ manager }) => {
    const told = ["  ", "a\0b", "half \ud83d", "x".repeat(3999) + "😀"];
    const runs = told.map((message, i) => {
      const run = newRun(`r${i}`);
      manager.startTask(run, () => Promise.reject(new Error(message)));
      return run;
    });
    await manager.waitAll();
    assertEquals(runs.map(({ errorMessage }) => errorMessage), [
      "failed without a message",
      "a\ufffdb",
      "half \ufffd",
      "x".repeat(3999) + "\ufffd",
    ]);
  });

  test("progress that is not a number from 0 to 100 fails the work", async ({ manager }) => {
    for (const percent of ["50", -1, NaN]) {
      const run = newRun(`r ${percent}`);
      manager.startTask(run, (context) => {
        context.progress(percent as number);
        return Promise.resolve();
      });
      await manager.waitAll();
      assertEquals([run.status, run.progressPercent], ["failed", null]);
      assert(run.errorMessage?.startsWith("Cannot report progress"), run.errorMessage ?? "");
    }
  });

  test("a log line of an unknown level, or that is not a string, fails the work", async ({ manager }) => {
    for (const [level, message] of [["said", undefined], ["info", 7]] as const) {
      const run = newRun(`r ${level}`);
      manager.startTask(run, (context) => {
        context.log(level as "info", message as never);
        return Promise.resolve();
      });
      await manager.waitAll();
      assertEquals(run.status, "failed");
      const allowed = level === "info"
        ? "Cannot log number: a string is needed"
        : 'Cannot use "said" as log level: allowed are debug, info, warn, error';
      assertEquals(run.errorMessage, allowed);
    }
  });

  test("a run that fails shows the progress that it reported last", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, (context) => {
      for (const percent of [10, 50, 90]) context.progress(percent);
      return Promise.reject(new Error("so near"));
    });
    await manager.waitAll();
    assertEquals([run.status, run.progressPercent], ["failed", 90]);
  });

  test("a run id that is active is refused", async ({ manager, registry }) => {
    const run = newRun("r1");
    manager.startTask(run, () => Promise.resolve());
    for (const again of [run, newRun("r1")]) {
      const error = assertThrows(
        () => manager.startTask(again, () => Promise.resolve()),
        QueueError,
        '"r1"',
      );
      assertEquals(error.code, "run_id_conflict");
    }
    assertStrictEquals(registry.getRun("r1"), run);
    await manager.waitAll();
    assertEquals(run.status, "completed");
  });

  test("a run id that was used before is refused", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, () => Promise.resolve("first"));
    await manager.waitAll();
    for (const again of [run, newRun("r1")]) {
      const error = assertThrows(
        () => manager.startTask(again, () => Promise.resolve("second")),
        QueueError,
      );
      assertEquals(error.code, "run_id_conflict");
    }
    assertEquals(run.result, "first");
  });

  test("a run may be added to the registry before it is started", async ({ manager, registry }) => {
    const run = newRun("r1");
    registry.addRun(run);
    assert(!manager.isTaskActive("r1"));
    manager.startTask(run, () => Promise.resolve());
    await manager.waitAll();
    assertEquals(run.status, "completed");
    assertStrictEquals(registry.getRun("r1"), run);
  });

  test("a run that cannot be used is refused before any effect", async ({ manager, registry }) => {
    const work = (): Promise<void> => Promise.resolve();
    const wrong: [Partial<NewRun>, typeof TypeError | typeof RangeError][] = [
      [{ runId: "" }, TypeError],
      [{ runId: " r1" }, TypeError],
      [{ runId: "x".repeat(201) }, TypeError],
      [{ moduleId: "  " }, TypeError],
      [{ moduleId: "holdfast.webhook" }, TypeError],
      [{ moduleName: 5 as unknown as string }, TypeError],
      [{ createdAt: "2026-01-01T00:00:00Z" as unknown as Date }, TypeError],
      [{ createdAt: new Date(NaN) }, TypeError],
      [{ createdAt: new Date(8.64e15) }, RangeError],
      [{ priority: 0 }, RangeError],
      [{ parameters: { n: NaN } }, TypeError],
      [{ parameters: { f: work } }, TypeError],
      [{ parameters: "x".repeat(256 * 1024) }, RangeError],
    ];
    for (const [fields, errorClass] of wrong) {
      assertThrows(
        () => manager.startTask(createRun({ runId: "r1", moduleId: "m", ...fields }), work),
        errorClass,
        "Cannot",
      );
    }
    assertEquals(manager.getActiveTaskCount(), 0);
    assertEquals(registry.getRecentRuns(), []);
    await manager.waitAll();
  });

  test("work that is neither a function nor a promise is refused", async ({ manager, registry }) => {
    // @ts-expect-error A caller without types can do this.
    assertThrows(() => manager.startTask(newRun("r1"), "work"), TypeError, "function or a promise");
    assertEquals(registry.getRun("r1"), undefined);
    await manager.waitAll();
  });

  test("progress reaches the run", async ({ manager }) => {
    const { run, context, gate } = await startRunning(manager, "r1");
    context.progress(40, "almost half");
    await until(() => run.progressPercent === 40, "the progress");
    gate.resolve(null);
    await manager.waitAll();
    assertEquals([run.status, run.progressPercent], ["completed", 100]);
  });

  test("a result that is not JSON fails the run", async ({ manager }) => {
    const run = newRun("r1");
    manager.startTask(run, () => Promise.resolve({ when: new Map() }));
    await manager.waitAll();
    assertEquals(run.status, "failed");
    assertEquals(run.errorMessage, "Cannot store result.when: a Map is not a JSON value");
    assertEquals(run.attempts, 1);
  });

  test("a result is kept as JSON", async ({ manager }) => {
    const run = newRun("r1");
    const result = { at: new Date(0), nothing: undefined, list: [1, null] };
    manager.startTask(run, () => Promise.resolve(result));
    await manager.waitAll();
    assertEquals(run.result, { at: "1970-01-01T00:00:00.000Z", list: [1, null] });
  });

  test("a hundred runs at once all complete", async ({ manager, registry }) => {
    const runs = Array.from({ length: 100 }, (_, i) => newRun(`r${i}`));
    for (const [i, run] of runs.entries()) manager.startTask(run, () => Promise.resolve(i));
    assertEquals(manager.getActiveTaskCount(), 100);
    await manager.waitAll();
    assertEquals(runs.map((run) => run.result), runs.map((_, i) => i));
    assertEquals(registry.getRunsByStatus("completed").length, 100);
  });

  test("whenStored() resolves for a run that was started, and rejects for one that nobody knows", async ({ manager }) => {
    manager.startTask(newRun("r1"), () => Promise.resolve());
    await manager.whenStored("r1");
    await manager.waitAll();
    await manager.whenStored("r1");
    const error = await assertRejects(() => manager.whenStored("r2"), QueueError, '"r2"');
    assertEquals(error.code, "task_not_found");
  });

  test("a closed manager refuses runs, and waitAll still resolves", async ({ manager, registry, close }) => {
    await close();
    const error = assertThrows(
      () => manager.startTask(newRun("r1"), () => Promise.resolve()),
      QueueError,
      "closed",
    );
    assertEquals(error.code, "queue_closed");
    assertEquals(registry.getRun("r1"), undefined);
    await manager.waitAll();
  });

  test("a closed manager has nothing to cancel or to flush", async ({ manager, close }) => {
    manager.startTask(newRun("r1"), () => Promise.resolve());
    await manager.waitAll();
    await close();
    assertEquals(await manager.cancelTask("r1"), false);
    assertEquals(await manager.cancelTask("nobody"), false);
    await manager.flush();
  });

  test("a second close() with a shorter grace time hurries the first", async ({ manager }) => {
    const { run, context } = await startRunning(manager, "r1");
    const patient = manager.close({ graceMs: Infinity });
    assert(!context.signal.aborted);
    await manager.close({ graceMs: 0 });
    await patient;
    assert(context.signal.aborted);
    assertNotEquals(run.status, "completed");
  });

  test("close() refuses a grace time that is none, and the manager goes on", async ({ manager }) => {
    const graceMs = "5" as unknown as number;
    await assertRejects(() => manager.close({ graceMs }), TypeError, "graceMs");
    await assertRejects(() => manager.close({ graceMs: -1 }), RangeError, "graceMs");
    const run = newRun("r1");
    manager.startTask(run, () => Promise.resolve("done"));
    await manager.waitAll();
    assertEquals(run.result, "done");
  });

  test("all that was given before close() is begun by it, however much", async ({ manager, close }) => {
    const runs = Array.from({ length: 300 }, (_, i) => newRun(`r${i}`));
    let begun = 0;
    for (const run of runs) manager.startTask(run, () => Promise.resolve(++begun));
    await close();
    assertEquals(begun, 300);
  });

  test("closing cuts off work that goes on after the grace time", async ({ manager, close }) => {
    const { run, context, gate } = await startRunning(manager, "r1");
    context.signal.addEventListener("abort", () => gate.reject(context.signal.reason));
    await close();
    assert(context.signal.aborted);
    await manager.waitAll();
    assertNotEquals(run.status, "completed");
    assertEquals(run.result, null);
  });
}

function newRun(runId: string): Run {
  return createRun({ runId, moduleId: "report", parameters: { month: 1 } });
}

interface RunningWork {
  readonly run: Run;
  readonly context: TaskContext;
  /** Ends the work. */
  readonly gate: PromiseWithResolvers<unknown>;
}

async function startRunning(manager: TaskManager, runId: string): Promise<RunningWork> {
  const gate = deferred<unknown>();
  const begun = deferred<TaskContext>();
  const run = newRun(runId);
  manager.startTask(run, (context) => {
    begun.resolve(context);
    return gate.promise;
  });
  const context = await begun.promise;
  await until(() => run.status === "running", "the run to start");
  return { run, context, gate };
}
