/**
 * What every TaskQueue must do for those who operate it.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { ClaimOrder } from "../../src/domain/claim_order.ts";
import { PermanentError, QueueError } from "../../src/domain/errors.ts";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { Explanation, ExplanationReason } from "../../src/queue/operator.ts";
import type { QueueMetrics } from "../../src/queue/metrics.ts";
import type { WorkerBeat, WorkerRecord } from "../../src/queue/workers.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import type { TaskTransition } from "../../src/queue/task_transition.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { until } from "../support/until.ts";
import { behavioursOf, untilRescued, type UseQueue } from "./suite.ts";

const FIXED_RETRY = { initialDelayMs: 1000, multiplier: 1, maxDelayMs: 1000 };

/** Registers the suite for one implementation. */
export function queueOperationsContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue, { retryPolicy: FIXED_RETRY });

  // --- workers

  behaviour("heartbeat() keeps a worker with what it said last", async (queue, clock) => {
    const startedAt = new Date(clock.nowMs());
    await queue.heartbeat(worker({ workerId: "w1", types: ["b", "a", "b"] }));
    await clock.advance(5000);
    const changed: WorkerBeat = {
      workerId: "w1",
      types: ["c"],
      concurrency: 2,
      capabilities: { gpu: true },
    };
    await queue.heartbeat(changed);
    await queue.enqueue({ type: "t" });
    await claim(queue);
    assertEquals(await queue.listWorkers(), [{
      ...changed,
      state: "active",
      startedAt,
      heartbeatAt: new Date(clock.nowMs()),
      leasedTasks: 1,
      strategy: "priority",
      typeLimits: {},
      version: null,
      runtime: null,
      slotsInUse: 1,
      typeSlotsInUse: {},
    }]);
  });

  behaviour(
    "a worker's state is by the age of its heartbeat, to the millisecond",
    async (queue, clock) => {
      await queue.heartbeat(worker());
      const state = async (): Promise<string | undefined> => (await queue.listWorkers())[0]?.state;
      for (
        const [ms, expected] of [
          [0, "active"],
          [60_000, "active"],
          [1, "limbo"],
          [239_999, "limbo"],
          [1, "stale"],
          [24 * 3_600_000 - 300_001, "stale"],
          [1, undefined],
        ] as const
      ) {
        clock.jump(ms);
        assertEquals(await state(), expected, `after ${ms} ms more`);
      }
    },
  );

  behaviour("retireWorker() forgets a worker, a known one or not", async (queue) => {
    await queue.heartbeat(worker({ workerId: "w1" }));
    await queue.heartbeat(worker({ workerId: "w2" }));
    await queue.retireWorker("w1");
    await queue.retireWorker("nobody");
    assertEquals((await queue.listWorkers()).map(({ workerId }) => workerId), ["w2"]);
  });

  behaviour("heartbeat() refuses bad fields before any effect", async (queue) => {
    await assertRejects(() => queue.heartbeat(worker({ workerId: " " })), TypeError, "worker id");
    await assertRejects(() => queue.heartbeat(worker({ types: [""] })), TypeError, "task type");
    await assertRejects(() => queue.heartbeat(worker({ concurrency: 0 })), RangeError);
    await assertRejects(() => queue.heartbeat(worker({ capabilities: [] as never })), TypeError);
    await assertRejects(
      () => queue.heartbeat(worker({ strategy: "best" as never })),
      TypeError,
      'Cannot use "best" as strategy: allowed are',
    );
    for (const typeLimits of [[1], { "": 1 }, { t: 0 }, { t: 1001 }, { t: "1" }, { t: null }]) {
      await assertRejects(() => queue.heartbeat(worker({ typeLimits: typeLimits as never })));
    }
    assertEquals(await queue.listWorkers(), []);
  });

  behaviour(
    "listWorkers() counts slots by type, and none for what a worker was given to run itself",
    async (queue) => {
      const typeLimits = { u: 3, __proto__x: 2 };
      await queue.heartbeat(worker({ workerId: "w1", strategy: "lifo", typeLimits }));
      await queue.enqueueBatch([{ type: "t" }, { type: "u" }, { type: "u" }, { type: "t" }]);
      await queue.claim({ workerId: "w1", types: ["t", "u"], limit: 3 });
      await queue.claim({ workerId: "w1", types: [], taskId: 4 });
      await queue.enqueue({ type: "u" }, { leaseTo: { workerId: "w1", leaseDurationMs: 10_000 } });
      const [record] = await queue.listWorkers();
      const { strategy, leasedTasks, slotsInUse, typeSlotsInUse } = record!;
      assertEquals([strategy, leasedTasks, slotsInUse], ["lifo", 5, 3]);
      assertEquals([record!.typeLimits, typeSlotsInUse], [typeLimits, { u: 2, __proto__x: 0 }]);
    },
  );

  behaviour("a worker's version and runtime are those of its last heartbeat", async (queue) => {
    const seen = async (): Promise<unknown[]> => {
      const [{ version, runtime }] = await queue.listWorkers() as [WorkerRecord];
      return [version, runtime];
    };
    await queue.heartbeat(worker({ version: " 1.2.3-rc.1 ", runtime: "Deno/2.9.6" }));
    assertEquals(await seen(), ["1.2.3-rc.1", "Deno/2.9.6"]);
    await queue.heartbeat(worker({ version: "1.3.0", runtime: null }));
    assertEquals(await seen(), ["1.3.0", null]);
    for (const version of ["", " ", "v".repeat(101), 2 as never]) {
      await assertRejects(() => queue.heartbeat(worker({ version })), TypeError, "version");
      await assertRejects(
        () => queue.heartbeat(worker({ runtime: version })),
        TypeError,
        "runtime",
      );
    }
    assertEquals(await seen(), ["1.3.0", null]);
    await queue.heartbeat(worker({}));
    assertEquals(await seen(), [null, null]);
  });

  // --- transitions

  behaviour("transitions() tells a task's whole life, in order", async (queue, clock) => {
    await queue.enqueue({ type: "t", maxAttempts: 4 });
    await clock.advance(10);
    await queue.fail((await claim(queue))!, new Error("not yet"));
    await clock.advance(2000);
    await queue.release((await claim(queue))!);
    await claim(queue);
    await clock.advance(12_000);
    await untilRescued(queue, clock, 1);
    await queue.cancel(1);
    await queue.retry(1);
    const last = await claim(queue);
    await clock.advance(7);
    await queue.fail(last!, new PermanentError("hopeless"));
    const told = await queue.transitions(1);
    assertEquals(told.map(({ kind }) => kind), [
      "enqueued",
      "leased",
      "retried",
      "leased",
      "released",
      "leased",
      "rescued",
      "cancelled",
      "requeued",
      "leased",
      "failed",
    ]);
    assertEquals(
      told[1],
      transition({ at: told[1]!.at, kind: "leased", worker: "w1", attempt: 1, durationMs: 10 }),
    );
    const { delayMs, ...retried } = told[2]!;
    assert(delayMs! >= 900 && delayMs! <= 1000, `${delayMs} ms`);
    assertEquals<unknown>(
      { ...retried, delayMs: null },
      transition({
        at: told[2]!.at,
        kind: "retried",
        level: "warn",
        attempt: 1,
        error: "not yet",
        durationMs: 0,
      }),
    );
    assertEquals([told[6]!.worker, told[6]!.attempt, told[6]!.level], ["w1", 2, "warn"]);
    assertEquals([told[10]!.error, told[10]!.durationMs, told[10]!.level], [
      "hopeless",
      7,
      "error",
    ]);
    assertEquals(told.map(({ at }) => at.getTime()), told.map(({ at }) => at.getTime()).sort());
  });

  behaviour("a transition is written with what it tells of, or not at all", async (queue) => {
    await queue.enqueueBatch([{ type: "t", idempotencyKey: "k" }, { type: "t" }, {
      type: "t",
      idempotencyKey: "k",
    }]);
    await queue.enqueue({ type: "t", idempotencyKey: "k" });
    await assertRejects(
      () => queue.enqueueBatch([{ type: "t" }, { type: "x", idempotencyKey: "k" }]),
      QueueError,
    );
    const task = (await claim(queue))!;
    await queue.complete(task);
    await assertRejects(() => queue.complete(task), QueueError);
    await queue.cancel(1);
    const kinds = async (id: number): Promise<string[]> =>
      (await queue.transitions(id)).map(({ kind }) => kind);
    assertEquals(await kinds(1), ["enqueued", "leased", "completed"]);
    assertEquals(await kinds(2), ["enqueued"]);
    assertEquals(await kinds(3), []);
  });

  behaviour(
    "history() gives every step of every task once, in order, page by page",
    async (queue) => {
      assertEquals(await queue.history(), { entries: [], cursor: "0" });
      await queue.enqueueBatch([{ type: "t", runId: "r1" }, { type: "u", runId: "r2" }]);
      await hasSteps(queue, "0", 2);
      const start = await queue.history();
      assertEquals([start.entries.length, start.cursor !== "0"], [0, true]);
      const task = (await claim(queue))!;
      await queue.complete(task);
      await queue.cancel(2);
      await hasSteps(queue, start.cursor, 3);
      const first = await queue.history({ after: start.cursor, limit: 2 });
      const rest = await queue.history({ after: first.cursor });
      const told = [...first.entries, ...rest.entries];
      assertEquals(told.map(({ runId, type, kind }) => `${runId} ${type} ${kind}`), [
        "r1 t leased",
        "r1 t completed",
        "r2 u cancelled",
      ]);
      assertEquals(new Set(told.map(({ cursor }) => cursor)).size, told.length);
      assertEquals(rest.cursor, told.at(-1)!.cursor);
      const { cursor: _cursor, runId: _runId, type: _type, ...step } = told[0]!;
      assertEquals(step, (await queue.transitions(1))[1]);
      assertEquals(await queue.history({ after: rest.cursor }), {
        entries: [],
        cursor: rest.cursor,
      });
      await assertRejects(() => queue.history({ after: "no cursor" }), RangeError, "after");
      await assertRejects(() => queue.history({ limit: 1001 }), RangeError, "limit");
    },
  );

  // --- explain

  const explains = (
    reason: ExplanationReason,
    summary: RegExp,
    prepare: (queue: TaskQueue, clock: FakeClock) => Promise<number>,
  ): void => {
    behaviour(`explain() says why: ${reason}`, async (queue, clock) => {
      const id = await prepare(queue, clock);
      const explanation = (await queue.explain(id))!;
      assertEquals([explanation.reason, explanation.taskId], [reason, id]);
      assertMatch(explanation.summary, summary);
      assertEquals(await queue.explain(explanation.runId), explanation);
      assertEquals(JSON.parse(JSON.stringify(explanation.data)), explanation.data);
    });
  };

  explains(
    "scheduled",
    /^Task 1 is scheduled: it waits until 2026-01-01T00:03:20\.000Z, in 3 min 20 s$/,
    async (queue, clock) => await add(queue, { runAfter: new Date(clock.nowMs() + 200_000) }),
  );
  explains(
    "waiting_for_retry",
    /^Task 1 waits until .*Z, in \d+ ms, for attempt 2 of 5, because attempt 1 failed: no luck today$/,
    async (queue) => {
      const id = await add(queue);
      await queue.fail((await claim(queue))!, new Error("no luck\n today"));
      return id;
    },
  );
  explains("no_worker", /^Task 1 is due, but no worker lives/, async (queue, clock) => {
    await queue.heartbeat(worker());
    clock.jump(60_001);
    return await add(queue);
  });
  explains(
    "no_handler",
    /^Task 1 is due, but no live worker has a handler for "rare" \(of 1\)$/,
    async (queue) => {
      await queue.heartbeat(worker());
      return await add(queue, { type: "rare" });
    },
  );
  explains(
    "no_capable_worker",
    /has the capabilities it needs; nearest lacks \{"gpu":true\}$/,
    async (queue) => {
      await queue.heartbeat(worker({ workerId: "w1", capabilities: { region: "us", gpu: false } }));
      await queue.heartbeat(worker({ workerId: "w2", capabilities: { region: "eu" } }));
      return await add(queue, { compatibility: { region: "eu", gpu: true } });
    },
  );
  explains(
    "behind_others",
    /^Task 5 is due, and 3 tasks are ahead of it in order of priority; the worker that can take it has 0 of 4 slots in use$/,
    async (queue, clock) => {
      await queue.heartbeat(worker({ types: ["t", "u"], capabilities: { gpu: true } }));
      await add(queue, { compatibility: { gpu: true } });
      await add(queue, { type: "foreign", priority: 1 });
      await add(queue, { type: "u", priority: 1, runAfter: new Date(clock.nowMs() + 5) });
      await add(queue, { compatibility: { gpu: 7 } });
      const id = await add(queue);
      await add(queue, { type: "u", priority: 7 });
      await add(queue, { priority: 101 });
      await clock.advance(10);
      return id;
    },
  );
  const followsOrder = (
    strategy: ClaimOrder,
    reason: ExplanationReason,
    summaries: readonly string[],
  ): void => {
    behaviour(`explain() follows the order of the workers: ${strategy}`, async (queue, clock) => {
      await queue.heartbeat(worker({ types: ["t", "u"], strategy }));
      await add(queue, { priority: 3 });
      await add(queue, { type: "u", priority: 2, runAfter: new Date(clock.nowMs() + 5) });
      await add(queue, { type: "foreign", priority: 1 });
      await add(queue, { priority: 1 });
      await clock.advance(10);
      const told = await Promise.all([1, 2, 4].map((id) => queue.explain(id)));
      const use = "the worker that can take it has 0 of 4 slots in use";
      assertEquals(told.map((each) => each!.summary), summaries.map((text) => text + use));
      assertEquals(told.map((each) => each!.reason).includes(reason), true);
      if (strategy === "weighted_random") return;
      const order = await queue.claim({ workerId: "w", types: ["t", "u"], limit: 3, strategy });
      const ahead = new Map(told.map((each) => [each!.taskId, each!.data.ahead]));
      assertEquals(order.map(({ id }) => id).map((id) => ahead.get(id)).toSorted(), [0, 1, 2]);
    });
  };
  followsOrder("priority", "next", [
    "Task 1 is due, and 2 tasks are ahead of it in order of priority; ",
    "Task 2 is due, and 1 task is ahead of it in order of priority; ",
    "Task 4 is next: ",
  ]);
  followsOrder("fifo", "next", [
    "Task 1 is next: ",
    "Task 2 is due, and 1 task is ahead of it in order of age; ",
    "Task 4 is due, and 2 tasks are ahead of it in order of age; ",
  ]);
  followsOrder("lifo", "next", [
    "Task 1 is due, and 2 tasks are ahead of it in order of age, the latest first; ",
    "Task 2 is due, and 1 task is ahead of it in order of age, the latest first; ",
    "Task 4 is next: ",
  ]);
  followsOrder(
    "weighted_random",
    "in_draw",
    [1, 2, 4].map((id) =>
      `Task ${id} is due, and drawn by weight from among it and 2 tasks more; `
    ),
  );
  explains(
    "behind_others",
    /^Task 2 is due; the 2 workers that can take it choose in different orders \(.*priority: 1 task ahead.*\) and have 0 of 8 slots in use$/,
    async (queue) => {
      await queue.heartbeat(worker({ workerId: "w1" }));
      await queue.heartbeat(worker({ workerId: "w2", strategy: "fifo" }));
      await add(queue, { priority: 1 });
      return await add(queue);
    },
  );
  explains(
    "next",
    /^Task 2 is due; .* \(.*lifo: 0 tasks ahead.*\) and have 0 of 8 slots in use$/,
    async (queue) => {
      await queue.heartbeat(worker({ workerId: "w1" }));
      await queue.heartbeat(worker({ workerId: "w2", strategy: "lifo" }));
      await add(queue);
      return await add(queue);
    },
  );
  explains(
    "next",
    /^Task 1 is next: the worker that can take it has 0 of 4 slots in use$/,
    async (queue) => {
      await queue.heartbeat(worker({ strategy: "weighted_random" }));
      return await add(queue);
    },
  );
  explains(
    "type_at_limit",
    /^Task 2 is due, but the 1 place for type "t" of worker "w1" is in use$/,
    async (queue) => {
      await queue.heartbeat(worker({ typeLimits: { t: 1 } }));
      await add(queue);
      await claim(queue);
      return await add(queue);
    },
  );
  explains(
    "type_at_limit",
    /^Task 3 is due, but the 2 places for type "t" of the 2 workers that can take it are in use$/,
    async (queue) => {
      for (const workerId of ["w1", "w2"]) {
        await queue.heartbeat(worker({ workerId, typeLimits: { t: 1 } }));
        await add(queue);
        await queue.claim({ workerId, types: ["t"] });
      }
      return await add(queue);
    },
  );
  explains(
    "next",
    /^Task 3 is next: the worker that can take it has 1 of 4 slots in use$/,
    async (queue) => {
      await queue.heartbeat(worker({ types: ["t", "u"], typeLimits: { t: 1 } }));
      await add(queue);
      await claim(queue);
      await add(queue);
      return await add(queue, { type: "u" });
    },
  );
  explains(
    "next",
    /^Task 6 is next: the worker that can take it has 0 of 1 slots in use$/,
    async (queue) => {
      await queue.heartbeat(worker({ concurrency: 1, typeLimits: { t: 1 } }));
      for (let count = 0; count < 5; count++) {
        const leaseTo = { workerId: "w1", leaseDurationMs: 10_000 };
        await queue.enqueue({ type: "t" }, { leaseTo });
      }
      return await add(queue);
    },
  );
  explains(
    "workers_busy",
    /^Task 3 is next, but the worker that can take it has 1 of 1 slots in use$/,
    async (queue) => {
      await queue.heartbeat(worker());
      await add(queue);
      await add(queue);
      await queue.claim({ workerId: "w1", types: ["t"], limit: 2 });
      // It came back under its id, with fewer slots.
      await queue.heartbeat(worker({ concurrency: 1 }));
      return await add(queue);
    },
  );
  explains(
    "waiting_for_parents",
    /^Task 2 waits for 1 of its 1 parent to end: task 1 \(queued\)$/,
    async (queue) => {
      await queue.heartbeat(worker());
      return await add(queue, { dependsOn: [await add(queue)] });
    },
  );
  explains(
    "workers_busy",
    /^Task 2 is next, but the worker that can take it has 1 of 1 slots in use$/,
    async (queue) => {
      await queue.heartbeat(worker({ concurrency: 1 }));
      await add(queue);
      await claim(queue);
      return await add(queue);
    },
  );
  explains(
    "next",
    /^Task 1 is next: the 2 workers that can take it have 0 of 8 slots in use$/,
    async (queue) => {
      await queue.heartbeat(worker({ workerId: "w1" }));
      await queue.heartbeat(worker({ workerId: "w2" }));
      return await add(queue);
    },
  );
  explains(
    "leased",
    /^Task 1 is leased by worker "w1" since .*Z, attempt 1 of 5, until .*Z unless renewed$/,
    async (queue) => {
      const id = await add(queue);
      await claim(queue);
      return id;
    },
  );
  explains(
    "lease_expired",
    /^Worker "w1" stopped renewing its lease of task 1, which ended at .*Z: the task will be rescued within seconds$/,
    async (queue, clock) => {
      const id = await add(queue);
      await claim(queue, 200);
      await clock.advance(200);
      return id;
    },
  );
  explains(
    "completed",
    /^Task 1 completed at .*Z in attempt 1 of 5 by worker "w1"$/,
    async (queue) => {
      const id = await add(queue);
      await queue.complete((await claim(queue))!);
      return id;
    },
  );
  behaviour(
    "explain() tells how many attempts the handler allows, once it has failed",
    async (queue, clock) => {
      const id = await add(queue);
      const sentence = async (): Promise<string> => (await queue.explain(id))!.summary;
      const failOnce = async (): Promise<void> => {
        await queue.fail((await claim(queue))!, new Error("no luck"), { maxAttempts: 2 });
      };
      await failOnce();
      assertMatch(await sentence(), /for attempt 2 of 2, because attempt 1 failed: no luck$/);
      await clock.advance(2000);
      await failOnce();
      assertMatch(await sentence(), /^Task 1 failed at .*Z in attempt 2 of 2, because: no luck$/);
      const told = await queue.transitions(id);
      assertEquals(told.map(({ handlerMaxAttempts }) => handlerMaxAttempts), [
        ...[null, null, 2],
        ...[null, 2],
      ]);
      assertEquals((await queue.get(id))!.maxAttempts, 5);
      await queue.retry(id);
      await queue.fail((await claim(queue))!, new PermanentError("other"), { maxAttempts: 9 });
      assertMatch(await sentence(), /in attempt 1 of 5, because: other$/);
    },
  );
  explains(
    "failed",
    /^Task 1 failed at .*Z in attempt 1 of 5, because: hopeless$/,
    async (queue) => {
      const id = await add(queue);
      await queue.fail((await claim(queue))!, new PermanentError("hopeless"));
      return id;
    },
  );
  explains(
    "cancelled",
    /^Task 1 was cancelled at .*Z because: Cancelled by user$/,
    async (queue) => {
      const id = await add(queue);
      await queue.cancel(id);
      return id;
    },
  );

  behaviour(
    "explain() never takes a run id for a task id, and knows no unknown task",
    async (queue) => {
      await queue.enqueue({ type: "t", runId: "2" });
      await queue.enqueue({ type: "t" });
      assertEquals(((await queue.explain("2")) as Explanation).taskId, 1);
      assertEquals(((await queue.explain(2)) as Explanation).taskId, 2);
      assertEquals([await queue.explain(99), await queue.explain("1")], [undefined, undefined]);
    },
  );

  // --- metrics and health

  behaviour(
    "metrics() counts a window and gives percentiles by nearest rank",
    async (queue, clock) => {
      await queue.enqueueBatch(Array.from({ length: 100 }, () => ({ type: "t", maxAttempts: 2 })));
      await queue.enqueue({ type: "t", runAfter: new Date(clock.nowMs() + 10_000_000) });
      for (let n = 1; n <= 95; n++) {
        const task = (await claim(queue))!;
        clock.jump(n);
        await queue.complete(task);
      }
      await queue.fail((await claim(queue))!, "once");
      await queue.fail((await claim(queue))!, new PermanentError("for good"));
      const metrics = await queue.metrics({ windowMs: 60_000 });
      const { window } = metrics;
      assertEquals([
        metrics.byStatus.completed,
        metrics.byType["t"]!.failed,
        metrics.scheduled,
        metrics.due,
      ], [95, 1, 2, 3]);
      assertEquals(metrics.oldestDueAgeMs, 95 * 96 / 2);
      assertEquals([
        window.enqueued,
        window.leased,
        window.completed,
        window.failed,
        window.retried,
      ], [101, 97, 95, 1, 1]);
      assertEquals([
        window.throughputPerSecond,
        window.successRate,
        window.failureRate,
        window.retryRate,
      ], [96 / 60, 95 / 96, 1 / 96, 1 / 97]);
      assertEquals(window.runMs, { count: 97, p50: 47, p95: 91, p99: 95, max: 95 });
      assertEquals([window.waitMs.count, window.waitMs.max, window.isTruncated], [97, 4560, false]);
      clock.jump(60_001);
      const later = (await queue.metrics({ windowMs: 60_000 })).window;
      assertEquals([later.leased, later.successRate, later.runMs.p50, later.runMs.count], [
        0,
        null,
        null,
        0,
      ]);
      await assertRejects(() => queue.metrics({ windowMs: 0 }), RangeError, "windowMs");
    },
  );

  behaviour(
    "metrics().window has what is in the log: nothing of tasks that are gone",
    async (queue) => {
      const [gone, kept] = [await add(queue), await add(queue)];
      const windowOf = async (): Promise<readonly unknown[]> => {
        const { enqueued, leased, completed, cancelled, waitMs, runMs } =
          (await queue.metrics()).window;
        return [enqueued, leased, completed, cancelled, waitMs.count, runMs.count];
      };
      assertEquals((await claim(queue))!.id, gone);
      await queue.complete((await queue.get(gone))!);
      assertEquals(await windowOf(), [2, 1, 1, 0, 1, 1]);
      await queue.prune({ keep: 0 });
      assertEquals(await windowOf(), [1, 0, 0, 0, 0, 0]);
      await queue.remove(kept);
      assertEquals(await windowOf(), [0, 0, 0, 0, 0, 0]);
      const later = await add(queue);
      assertEquals(await windowOf(), [1, 0, 0, 0, 0, 0]);
      assertEquals((await queue.get(later))!.status, "queued");
    },
  );

  behaviour(
    "metrics().totals counts what happened, also to tasks that are gone",
    async (queue, clock) => {
      await queue.enqueueBatch([{ type: "a" }, { type: "a" }, { type: "b" }]);
      const [first, second] = await queue.claim({ workerId: "w", types: ["a"], limit: 2 });
      clock.jump(2000);
      await queue.complete(first!);
      await queue.fail(second!, new PermanentError("for good"));
      const [third] = await queue.list({ type: "b" });
      await queue.cancel(third!.id);
      // what is under way in other transactions is counted when they are over
      const totals = async (): Promise<QueueMetrics["totals"]> => (await queue.metrics()).totals;
      await until(async () => (await totals())["b"]?.transitions.cancelled === 1);
      const before = await totals();
      const { enqueued, leased, completed, failed, retried } = before["a"]!.transitions;
      assertEquals([enqueued, leased, completed, failed, retried], [2, 2, 1, 1, 0]);
      const { count, sumMs, buckets } = before["a"]!.runMs;
      assertEquals([count, sumMs], [2, 4000]);
      assertEquals(buckets.filter(({ leMs }) => [1000, 5000].includes(leMs)), [
        { leMs: 1000, count: 0 },
        { leMs: 5000, count: 2 },
      ]);
      assertEquals([before["a"]!.waitMs.count, before["b"]!.waitMs.count], [2, 0]);
      await queue.remove(third!.id);
      assertEquals((await queue.prune({ keep: 0 })).pruned, 2);
      assertEquals(await totals(), before); // they do not fall, not even for a moment
      await queue.enqueue({ type: "b" });
      await until(async () => (await totals())["b"]!.transitions.enqueued === 2);
    },
  );

  behaviour("health() is healthy where nothing is wrong", async (queue) => {
    assertEquals((await queue.health()).verdict, "healthy");
    await queue.heartbeat(worker());
    await queue.enqueue({ type: "t" });
    assertEquals((await queue.health()).reasons, []);
  });

  const judges = (
    expected: readonly [verdict: string, code: string],
    what: string,
    prepare: (queue: TaskQueue, clock: FakeClock) => Promise<void>,
  ): void => {
    behaviour(`health() is ${expected[0]}: ${what}`, async (queue, clock) => {
      await prepare(queue, clock);
      const { verdict, reasons } = await queue.health();
      assertEquals([verdict, ...reasons.map(({ code }) => code)], [...expected]);
      assertEquals(reasons[0]!.severity as string, verdict);
    });
  };

  judges(
    ["unhealthy", "no_active_worker"],
    "a task due for over a minute and no worker",
    async (queue, clock) => {
      await queue.enqueue({ type: "t" });
      clock.jump(60_000);
      assertEquals((await queue.health()).verdict, "healthy");
      clock.jump(1);
    },
  );
  judges(
    ["degraded", "oldest_due_waits"],
    "a task due for over five minutes although a silent worker holds a lease",
    async (queue, clock) => {
      await queue.enqueueBatch([{ type: "t" }, { type: "t" }]);
      clock.jump(300_001);
      await claim(queue);
    },
  );
  judges(
    ["degraded", "oldest_due_waits"],
    "a task due for over five minutes",
    async (queue, clock) => {
      await queue.enqueue({ type: "t" });
      clock.jump(300_001);
      await queue.heartbeat(worker());
    },
  );
  judges(["unhealthy", "oldest_due_waits"], "a task due for over an hour", async (queue, clock) => {
    await queue.enqueue({ type: "t" });
    clock.jump(3_600_001);
    await queue.heartbeat(worker());
  });
  for (const [failures, verdict] of [[3, "degraded"], [11, "unhealthy"]] as const) {
    judges([verdict, "failure_rate"], `${failures} of 20 tasks failed lately`, async (queue) => {
      await queue.enqueueBatch(Array.from({ length: 20 }, () => ({ type: "t" })));
      for (let n = 0; n < 20; n++) {
        const task = (await claim(queue))!;
        if (n < failures) await queue.fail(task, new PermanentError("no"));
        else await queue.complete(task);
      }
    });
  }
  judges(["degraded", "silent_workers"], "a worker in limbo", async (queue, clock) => {
    await queue.heartbeat(worker());
    clock.jump(60_001);
  });

  // --- prune

  behaviour(
    "prune() deletes finished tasks by age and count, and nothing else",
    async (queue, clock) => {
      const finishEach = async (count: number): Promise<void> => {
        for (let n = 0; n < count; n++) {
          await queue.enqueue({ type: "t", idempotencyKey: `k${n}` });
          await queue.complete((await claim(queue))!);
        }
      };
      await finishEach(3);
      await queue.cancel((await queue.enqueue({ type: "t" })).task.id);
      await queue.enqueue({ type: "waits" });
      clock.jump(1000);
      await queue.enqueue({ type: "t" });
      await queue.fail((await claim(queue))!, new PermanentError("no"));
      const left = async (): Promise<number[]> =>
        (await queue.list()).map(({ id }) => id).reverse();
      assertEquals(await queue.prune({ olderThanMs: 1000 }), report(0, 0, 0));
      assertEquals(await queue.prune({ olderThanMs: 999, keep: 3 }), report(0, 0, 0));
      assertEquals(await queue.prune({ keep: 1, statuses: ["completed"] }), report(2, 0, 0));
      assertEquals(await left(), [3, 4, 5, 6]);
      assertEquals([await queue.transitions(1), (await queue.transitions(3)).length], [[], 3]);
      assertEquals(await queue.prune({ olderThanMs: 999 }), report(1, 0, 1));
      assertEquals(await left(), [5, 6]);
      assertEquals(await queue.prune({ keep: 0 }), report(0, 1, 0));
      assertEquals(await left(), [5]);
      assertEquals((await queue.enqueue({ type: "t", idempotencyKey: "k0" })).task.id, 7);
      await assertRejects(() => queue.prune({}), TypeError, "olderThanMs or keep");
      await assertRejects(() => queue.prune({ keep: -1 }), RangeError, "keep");
      await assertRejects(
        () => queue.prune({ keep: 1, statuses: ["queued" as never] }),
        TypeError,
        "completed, failed",
      );
    },
  );

  behaviour(
    "prune() by count also deletes what finished before the clock was put back",
    async (queue, clock) => {
      await queue.enqueue({ type: "t" });
      await queue.complete((await claim(queue))!);
      clock.jump(-60_000);
      assertEquals(await queue.prune({ olderThanMs: 0 }), report(0, 0, 0));
      assertEquals(await queue.prune({ keep: 0 }), report(1, 0, 0));
    },
  );

  behaviour("prune() deletes more than one transaction holds", async (queue) => {
    const tasks = await queue.enqueueBatch(Array.from({ length: 1201 }, () => ({ type: "t" })));
    await Promise.all(tasks.map(({ task }) => queue.cancel(task.id)));
    assertEquals(await queue.prune({ keep: 1 }), report(0, 0, 1200));
    assertEquals((await queue.list()).map(({ id }) => id), [1201]);
  });

  behaviour("a closed queue refuses these too with queue_closed", async (queue) => {
    await queue.close();
    const acts = [
      () => queue.heartbeat(worker()),
      () => queue.retireWorker("w1"),
      () => queue.listWorkers(),
      () => queue.transitions(1),
      () => queue.history(),
      () => queue.explain(1),
      () => queue.metrics(),
      () => queue.health(),
      () => queue.prune({ keep: 1 }),
    ];
    for (const act of acts) {
      assertEquals((await assertRejects(act, QueueError)).code, "queue_closed");
    }
  });
}

/** A database tells of a step when no transaction that began before it is under way any more, of whatever program. */
async function hasSteps(queue: TaskQueue, after: string, count: number): Promise<void> {
  await until(async () => (await queue.history({ after })).entries.length === count);
}

function worker(fields: Partial<WorkerBeat> = {}): WorkerBeat {
  return { workerId: "w1", capabilities: {}, types: ["t"], concurrency: 4, ...fields };
}

async function add(queue: TaskQueue, fields: Partial<NewTask> = {}): Promise<number> {
  return (await queue.enqueue({ type: "t", ...fields })).task.id;
}

/** The next due task of type `t`, leased by `w1`. */
async function claim(queue: TaskQueue, leaseDurationMs?: number): Promise<Task | undefined> {
  return (await queue.claim({ workerId: "w1", types: ["t"], leaseDurationMs }))[0];
}

function transition(fields: Partial<TaskTransition>): TaskTransition {
  return {
    taskId: 1,
    at: new Date(0),
    level: "info",
    kind: "enqueued",
    worker: null,
    attempt: null,
    handlerMaxAttempts: null,
    error: null,
    delayMs: null,
    by: null,
    changes: null,
    causedBy: null,
    enqueuedCount: null,
    enqueuedRuns: [],
    durationMs: null,
    ...fields,
  };
}

function report(completed: number, failed: number, cancelled: number): unknown {
  return { pruned: completed + failed + cancelled, byStatus: { completed, failed, cancelled } };
}
