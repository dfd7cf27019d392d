/**
 * What every TaskQueue must do, whatever it keeps its tasks in.
 */
import { maintenanceOf } from "../../src/queue/maintenance.ts";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ExitCodeError,
  PermanentError,
  QueueError,
  RetryAfterError,
} from "../../src/domain/errors.ts";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { ClaimRequest, ListRequest, TaskQueue } from "../../src/queue/task_queue.ts";
import {
  behavioursOf,
  thoroughBehavioursOf,
  untilPassed,
  untilRescued,
  type UseQueue,
} from "./suite.ts";

const FIXED_RETRY = { initialDelayMs: 1000, multiplier: 2, maxDelayMs: 3000 };

/** Registers the suite for one implementation. */
export function taskQueueContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);
  const thoroughBehaviour = thoroughBehavioursOf(name, useQueue);

  // --- what nobody would look at

  behaviour(
    "unknown options are refused with what is allowed, before any effect",
    async (queue) => {
      const unknown = (options: object): never => options as never;
      const [task] = [(await queue.enqueue({ type: "a" })).task];
      const [lease] = await queue.claim({ workerId: "w", types: ["a"] });
      const refused: Readonly<Record<string, () => Promise<unknown>>> = {
        delay: () => queue.enqueue(unknown({ type: "t", delay: 5000 })),
        runafter: () => queue.enqueueBatch([{ type: "t" }, unknown({ type: "t", runafter: "x" })]),
        canceled: () => queue.enqueue({ type: "t" }, unknown({ canceled: true })),
        worker: () =>
          queue.enqueue({ type: "t" }, { leaseTo: unknown({ workerId: "w", worker: "x" }) }),
        maxDelay: () => queue.enqueue({ type: "t", retryPolicy: unknown({ maxDelay: 1 }) }),
        link: () =>
          queue.enqueue({ type: "t", webhook: unknown({ url: "https://a.b", link: "x" }) }),
        count: () => queue.claim(unknown({ workerId: "w", types: ["a"], count: 2 })),
        staus: () => queue.list(unknown({ staus: "queued" })),
        tpye: () => queue.count(unknown({ tpye: "t" })),
        timeout: () => queue.wait(task!.id, unknown({ timeout: 5 })),
        from: () => queue.parentResults(task!.id, unknown({ from: 5 })),
        after: () => queue.children(task!.id, unknown({ after: 5 })),
        leaseMs: () => queue.renew(lease!, unknown({ leaseMs: 500 })),
        then: () => queue.complete(lease!, null, unknown({ then: [] })),
        retry: () => queue.fail(lease!, "e", unknown({ retry: {} })),
        afterMs: () => queue.release(lease!, unknown({ afterMs: 5 })),
        olderThan: () => queue.prune(unknown({ keep: 0, olderThan: 5 })),
        dependsOn: () =>
          queue.addSchedule(unknown({ id: "s", type: "t", everyMs: 9e4, dependsOn: [] })),
      };
      for (const [name, ask] of Object.entries(refused)) {
        const error = await assertRejects(ask, TypeError, JSON.stringify(name));
        assert(/: (allowed are |\w+ is meant)/.test(error.message), error.message);
      }
      assertEquals(await queue.count(), 1);
      assertEquals((await queue.get(task!.id))?.status, "leased");
      assertEquals((await queue.listSchedules()).length, 0);
    },
  );

  // --- enqueue

  behaviour("enqueue() stores every field and gives defaults to the rest", async (queue, clock) => {
    const { task, created } = await queue.enqueue({ type: "  email ", payload: { to: "a@b.c" } });
    assertEquals(created, true);
    assertEquals({ ...task, runId: "", createdAt: 0 }, {
      id: 1,
      runId: "",
      type: "email",
      priority: 100,
      payload: { to: "a@b.c" },
      compatibility: {},
      status: "queued",
      attempts: 0,
      maxAttempts: 5,
      runAfter: new Date(clock.nowMs()),
      leaseUntil: null,
      reservedAt: null,
      processingStarted: null,
      finishedAt: null,
      createdAt: 0,
      updatedAt: new Date(clock.nowMs()),
      lockedBy: null,
      leaseToken: 0,
      errorMessage: null,
      idempotencyKey: null,
      result: null,
      progress: null,
      progressMessage: null,
      retryPolicy: null,
      timeoutMs: null,
      group: null,
      expiresAt: null,
      uniqueKey: null,
      orderingKey: null,
      onPredecessorFailure: null,
      tags: [],
      orderingPlace: null,
      waitsFor: 0,
      traceParent: null,
    });
    const full: NewTask = {
      type: "report",
      payload: [1, "zwei 😀\u0000", null, { x: [true] }],
      priority: 1,
      runAfter: "2030-01-01T00:00:00.123+01:00",
      idempotencyKey: "k",
      maxAttempts: 100,
      compatibility: { region: "eu", gpu: true },
      runId: "run-1",
      retryPolicy: { initialDelayMs: 5 },
      timeoutMs: 60_000,
    };
    const stored = (await queue.enqueue(full)).task;
    assertEquals(await queue.get(stored.id), stored);
    assertEquals(stored.payload, full.payload);
    assertEquals(stored.runAfter, new Date("2029-12-31T23:00:00.123Z"));
    assertEquals(stored.compatibility, full.compatibility);
    assertEquals(stored.retryPolicy, { initialDelayMs: 5, multiplier: 2, maxDelayMs: 300_000 });
    assertEquals([stored.runId, stored.timeoutMs, stored.maxAttempts], ["run-1", 60_000, 100]);
  });

  behaviour("list() and count() tell the tasks of a group", async (queue) => {
    for (const [type, group] of [["a", "acme"], ["a", "globex"], ["b", "acme"], ["a", undefined]]) {
      await queue.enqueue({ type: type!, group });
    }
    const listed = async (filter: ListRequest) => (await queue.list(filter)).map(({ id }) => id);
    assertEquals((await queue.list({ group: "acme" })).map(({ group }) => group), ["acme", "acme"]);
    assertEquals(await listed({ group: "acme" }), [3, 1]);
    assertEquals(await listed({ group: "acme", type: "a" }), [1]);
    assertEquals(await listed({ group: "acme", status: "queued", beforeId: 3 }), [1]);
    assertEquals(await listed({ group: "acme", limit: 1, offset: 1 }), [1]);
    assertEquals(await listed({ group: "acme", status: "failed" }), []);
    assertEquals(await listed({ group: "nobody" }), []);
    assertEquals(await queue.count({ group: "acme" }), 2);
    assertEquals(await queue.count({ group: "acme", type: "b", status: "queued" }), 1);
    assertEquals((await queue.get(4))!.group, null);
  });

  behaviour(
    "enqueue() refuses bad fields before any effect, and says the value and what is allowed",
    async (queue) => {
      const cycle: Record<string, unknown> = {};
      cycle.self = cycle;
      const bad: readonly [Partial<NewTask>, typeof TypeError | typeof RangeError, string][] = [
        [{ type: " \t " }, TypeError, "blank task type"],
        [{ type: "x".repeat(201) }, TypeError, "201 characters"],
        [{ type: "a\u0000b" }, TypeError, "control characters"],
        [{ priority: 0 }, RangeError, "from 1 to 1000"],
        [{ priority: 1001 }, RangeError, "1001"],
        [{ priority: 1.5 }, RangeError, "1.5"],
        [{ maxAttempts: 0 }, RangeError, "from 1 to 100"],
        [{ payload: { n: NaN } }, TypeError, "payload.n"],
        [{ payload: [() => 1] }, TypeError, "payload[0]"],
        [{ payload: cycle }, TypeError, "contains itself"],
        [{ payload: new Map() }, TypeError, "Map"],
        [{ payload: 1n }, TypeError, "bigint"],
        [{ payload: "x".repeat(300 * 1024) }, RangeError, "at most 262144"],
        [{ runAfter: "tomorrow" }, TypeError, "ISO 8601"],
        [{ runAfter: "2026-02-30T00:00:00Z" }, TypeError, "2026-02-30"],
        [{ runAfter: new Date(NaN) }, TypeError, "invalid Date"],
        [{ runId: "" }, TypeError, "blank run id"],
        [{ idempotencyKey: "k".repeat(256) }, TypeError, "256 characters"],
        [{ compatibility: [] as never }, TypeError, "JSON object"],
        [{ timeoutMs: 0 }, RangeError, "timeoutMs"],
        [{ group: "" }, TypeError, "blank group"],
        [{ group: "*" }, TypeError, "stands for each group"],
        [{ retryPolicy: { multiplier: 0 } }, RangeError, "multiplier"],
      ];
      for (const [fields, errorClass, message] of bad) {
        await assertRejects(() => queue.enqueue({ type: "t", ...fields }), errorClass, message);
      }
      assertEquals((await queue.stats()).total, 0);
    },
  );

  behaviour("enqueueBatch() stores all tasks or none", async (queue) => {
    assertEquals(await queue.enqueueBatch([]), []);
    const results = await queue.enqueueBatch([{ type: "a" }, { type: "b", idempotencyKey: "k" }, {
      type: "c",
    }]);
    assertEquals(results.map(({ task }) => task.id), [1, 2, 3]);
    await assertRejects(
      () => queue.enqueueBatch([{ type: "d" }, { type: "e", priority: 0 }]),
      RangeError,
    );
    await assertRejects(
      () => queue.enqueueBatch([{ type: "d" }, { type: "x", idempotencyKey: "k" }]),
      QueueError,
    );
    assertEquals((await queue.stats()).total, 3);
  });

  behaviour(
    "an idempotency key names one task; other content under it is a conflict",
    async (queue) => {
      const first = await queue.enqueue({
        type: "t",
        payload: { a: 1, b: 2 },
        idempotencyKey: "k",
      });
      const again = await queue.enqueue({
        type: "t",
        payload: { b: 2, a: 1 },
        idempotencyKey: "k",
        priority: 1,
      });
      assertEquals([again.created, again.task], [false, first.task]);
      for (
        const other of [{ type: "u", payload: { a: 1, b: 2 } }, {
          type: "t",
          payload: { a: 2, b: 2 },
        }]
      ) {
        const error = await assertRejects(
          () => queue.enqueue({ ...other, idempotencyKey: "k" }),
          QueueError,
        );
        assertEquals(error.code, "idempotency_conflict");
      }
      const empty = await Promise.all(
        [1, 2].map(() => queue.enqueue({ type: "t", idempotencyKey: "" })),
      );
      assertEquals(empty.map(({ created }) => created), [true, true]);
      const race = await Promise.all(
        [1, 2, 3].map(() => queue.enqueue({ type: "t", idempotencyKey: "race" })),
      );
      assertEquals(race.filter(({ created }) => created).length, 1);
      assertEquals(new Set(race.map(({ task }) => task.id)).size, 1);
    },
  );

  behaviour(
    "✗ a numeric run id answered for another task: a run id is unique and never taken for a task id",
    async (queue) => {
      await queue.enqueue({ type: "t", runId: "2" });
      const second = await queue.enqueue({ type: "t" });
      assertEquals(second.task.id, 2);
      assertEquals((await queue.getByRunId("2"))?.id, 1);
      assertEquals(await queue.getByRunId("1"), undefined);
      const error = await assertRejects(() => queue.enqueue({ type: "t", runId: "2" }), QueueError);
      assertEquals(error.code, "run_id_conflict");
      assertEquals(await queue.get(99), undefined);
    },
  );

  // --- claim

  behaviour("claim() leases a task to one worker for its time", async (queue, clock) => {
    await queue.enqueue({ type: "t" });
    const [task] = await claim(queue, { workerId: "w1", leaseDurationMs: 5000 });
    assertEquals([task!.status, task!.attempts, task!.lockedBy, task!.leaseToken], [
      "leased",
      1,
      "w1",
      1,
    ]);
    assertEquals(task!.leaseUntil, new Date(clock.nowMs() + 5000));
    assertEquals(task!.processingStarted, new Date(clock.nowMs()));
    assertEquals(await claim(queue, { workerId: "w2" }), []);
  });

  behaviour("claim() takes only the types asked for, up to the limit", async (queue) => {
    await queue.enqueueBatch(["a", "b", "c", "a", "b"].map((type) => ({ type })));
    assertEquals(ids(await claim(queue, { types: ["b", "zzz"], limit: 10 })), [2, 5]);
    assertEquals(ids(await claim(queue, { types: ["a", "c"], limit: 2 })), [1, 3]);
    assertEquals(ids(await claim(queue, { types: ["a", "c", "a"], limit: 2 })), [4]);
  });

  behaviour(
    "✗ 1-second resolution: claim() never takes a task before its time, to the millisecond",
    async (queue, clock) => {
      await queue.enqueue({ type: "t", runAfter: new Date(clock.nowMs() + 1000) });
      await queue.enqueue({ type: "t", runAfter: new Date(clock.nowMs() - 1000) });
      assertEquals(ids(await claim(queue, { limit: 5 })), [2]);
      await clock.advance(999);
      assertEquals(await claim(queue), []);
      await clock.advance(1);
      assertEquals(ids(await claim(queue)), [1]);
    },
  );

  behaviour(
    "✗ ISO text compared with SQLite text made tasks unclaimable until midnight: a time given as ISO text, in any zone, is due when it has come",
    async (queue, clock) => {
      const runAfters = [
        "2026-01-01T13:59:59.999Z",
        "2026-01-01T14:59:59.999+01:00",
        "2026-01-01T08:30:00-05:30",
        "2026-01-01T23:59:59Z",
        "2026-01-02T00:00:00+12:00",
        "2026-01-01T14:00:00.001Z",
      ];
      await queue.enqueueBatch(runAfters.map((runAfter) => ({ type: "t", runAfter })));
      await clock.advance(14 * 3_600_000 - 1);
      assertEquals(ids(await claim(queue, { limit: 9, strategy: "fifo" })), [1, 2, 5]);
      await clock.advance(1);
      assertEquals(ids(await claim(queue, { limit: 9 })), [3]);
      await clock.advance(1);
      assertEquals(ids(await claim(queue, { limit: 9 })), [6]);
      assertEquals((await queue.stats()).scheduled, 1);
    },
  );

  behaviour("claim() orders by priority then id, by id up, and by id down", async (queue) => {
    const priorities = [5, 1, 5, 1, 1000];
    for (
      const [strategy, expected] of [["priority", [2, 4, 1, 3, 5]], ["fifo", [1, 2, 3, 4, 5]], [
        "lifo",
        [5, 4, 3, 2, 1],
      ]] as const
    ) {
      const type = `for ${strategy}`;
      const first =
        (await queue.enqueueBatch(priorities.map((priority) => ({ type, priority }))))[0]!.task.id;
      const claimed: number[] = [];
      for (const limit of [1, 3, 1]) {
        const tasks = await claim(queue, { types: [type], strategy, limit });
        claimed.push(...tasks.map(({ id }) => id - first + 1));
      }
      assertEquals(claimed, [...expected], strategy);
    }
  });

  behaviour("claim() merges types and compatibilities in one order", async (queue) => {
    const tasks = [
      ["a", 30, {}],
      ["b", 10, { gpu: true }],
      ["a", 20, { gpu: true }],
      ["b", 40, {}],
      ["c", 1, {}],
    ] as const;
    await queue.enqueueBatch(
      tasks.map(([type, priority, compatibility]) => ({ type, priority, compatibility })),
    );
    const claimed = await claim(queue, {
      types: ["a", "b"],
      limit: 9,
      capabilities: { gpu: true },
    });
    assertEquals(ids(claimed), [2, 3, 1, 4]);
  });

  behaviour(
    "✗ compatibility never matched: a worker gets a task only if its capabilities contain every pair",
    async (queue) => {
      const compatibilities = [{}, { region: "eu" }, { region: "us" }, {
        region: "eu",
        gpu: { cores: 2, kind: "x" },
      }];
      await queue.enqueueBatch(
        compatibilities.map((compatibility) => ({ type: "t", compatibility })),
      );
      assertEquals(ids(await claim(queue, { limit: 9, capabilities: { region: "as", gpu: 1 } })), [
        1,
      ]);
      assertEquals(ids(await claim(queue, { limit: 9, capabilities: { region: "eu" } })), [2]);
      const able = { extra: 1, gpu: { kind: "x", cores: 2 }, region: "eu" };
      assertEquals(ids(await claim(queue, { limit: 9, capabilities: able })), [4]);
      assertEquals((await queue.get(3))!.status, "queued");
    },
  );

  behaviour("claim() by task id takes that one, if it is queued and due", async (queue, clock) => {
    await queue.enqueueBatch([{ type: "a" }, { type: "b" }, {
      type: "c",
      runAfter: new Date(clock.nowMs() + 1),
    }]);
    assertEquals(ids(await claim(queue, { types: [], taskId: 2 })), [2]);
    assertEquals(await claim(queue, { types: [], taskId: 2 }), []);
    assertEquals(await claim(queue, { types: [], taskId: 3 }), []);
    assertEquals(await claim(queue, { types: [], taskId: 99 }), []);
  });

  behaviour("claim() gives a task to one of two that ask for it at once", async (queue) => {
    await queue.enqueue({ type: "t" });
    for (const request of [{ types: [], taskId: 1 }, { types: ["t"] }]) {
      const claims = await Promise.all(
        ["w1", "w2"].map((workerId) => claim(queue, { ...request, workerId })),
      );
      const [task, ...others] = claims.flat() as [Task];
      assertEquals(others, []);
      assertEquals(await queue.get(1), task);
      await queue.release(task);
    }
  });

  behaviour("claim() refuses bad requests", async (queue) => {
    await assertRejects(() => claim(queue, { types: [] }), TypeError, "at least one");
    await assertRejects(() => claim(queue, { workerId: " " }), TypeError, "worker id");
    await assertRejects(() => claim(queue, { limit: 0 }), RangeError, "limit");
    await assertRejects(() => claim(queue, { leaseDurationMs: 50 }), RangeError, "leaseDurationMs");
    await assertRejects(() => claim(queue, { strategy: "best" as never }), TypeError, "fifo, lifo");
  });

  // --- leases

  behaviour("complete() stores the result and ends the lease", async (queue, clock) => {
    const task = await leased(queue);
    await clock.advance(1234);
    const done = await queue.complete(task, { answer: [42] });
    assertEquals([done.status, done.result, done.leaseUntil, done.progress], [
      "completed",
      { answer: [42] },
      null,
      100,
    ]);
    assertEquals(done.finishedAt!.getTime() - done.processingStarted!.getTime(), 1234);
    assertEquals((await queue.complete(await leased(queue))).result, null);
  });

  behaviour(
    "complete() refuses a result that is not JSON or too large, and the lease stays",
    async (queue) => {
      const task = await leased(queue);
      await assertRejects(() => queue.complete(task, NaN), TypeError, "result");
      await assertRejects(
        () => queue.complete(task, "x".repeat(1024 * 1024)),
        RangeError,
        "1048576",
      );
      assertEquals((await queue.complete(task, "ok")).status, "completed");
    },
  );

  behaviour(
    "✗ anyone could finish: only the current lease may renew, report, complete, fail or release",
    async (queue, clock) => {
      const old = await leased(queue);
      await clock.advance(10_000);
      await untilRescued(queue, clock, old.id);
      const [current] = await claim(queue, { workerId: "w2" });
      const stale = [
        old,
        { taskId: old.id, workerId: "w2", leaseToken: 1 },
        { taskId: old.id, workerId: "w1", leaseToken: 2 },
      ];
      const before = await queue.get(old.id);
      for (const lease of stale) {
        const acts = [
          () => queue.renew(lease),
          () => queue.reportProgress(lease, 1),
          () => queue.complete(lease),
          () => queue.fail(lease, "no"),
          () => queue.release(lease),
        ];
        for (const act of acts) {
          assertEquals(
            (await assertRejects(act, QueueError)).code,
            "lease_lost",
          );
        }
      }
      assertEquals(await queue.get(old.id), before);
      assertEquals((await queue.complete(current!)).status, "completed");
      assertEquals(
        (await assertRejects(() => queue.complete(current!), QueueError)).code,
        "lease_lost",
      );
      const unknown = { taskId: 99, workerId: "w", leaseToken: 1 };
      assertEquals(
        (await assertRejects(() => queue.complete(unknown), QueueError)).code,
        "task_not_found",
      );
    },
  );

  behaviour("lease_lost says what was found and what was wanted", async (queue) => {
    const task = await leased(queue);
    const stale = { taskId: task.id, workerId: "w1", leaseToken: 7 };
    const error = await assertRejects(() => queue.complete(stale), QueueError);
    assertEquals(error.message, "Cannot complete task 1: lease token 7 is stale, current is 1");
  });

  behaviour("renew() extends the lease from now", async (queue, clock) => {
    const task = await leased(queue);
    await clock.advance(9000);
    const renewed = await queue.renew(task, { leaseDurationMs: 2000 });
    assertEquals(renewed.leaseUntil, new Date(clock.nowMs() + 2000));
    await clock.advance(1999);
    assertEquals(await queue.rescue(), []);
    assertEquals((await queue.get(task.id))!.status, "leased");
  });

  behaviour(
    "reportProgress() stores 0 to 100 with a message, and a new attempt begins without",
    async (queue) => {
      const task = await leased(queue);
      const told = await queue.reportProgress(task, 12.5, "an eighth");
      assertEquals([told.progress, told.progressMessage], [12.5, "an eighth"]);
      await assertRejects(() => queue.reportProgress(task, 101), RangeError);
      await assertRejects(() => queue.reportProgress(task, NaN), RangeError);
      assertEquals((await queue.release(task)).progress, null);
    },
  );

  behaviour("release() gives the task back without using up its attempt", async (queue) => {
    const task = await leased(queue);
    const released = await queue.release(task);
    assertEquals([released.status, released.attempts, released.leaseUntil], ["queued", 0, null]);
    const [again] = await claim(queue);
    assertEquals([again!.attempts, again!.leaseToken], [1, 2]);
  });

  // --- failure

  behavioursOf(name, useQueue, { retryPolicy: FIXED_RETRY })(
    "fail() retries after growing delays, capped, until attempts are used up",
    async (queue, clock) => {
      await queue.enqueue({ type: "t", maxAttempts: 4 });
      for (const delayMs of [1000, 2000, 3000]) {
        const [task] = await claim(queue);
        const failed = await queue.fail(task!, new Error("not yet"));
        const waitsMs = failed.runAfter.getTime() - clock.nowMs();
        assertEquals([failed.status, failed.errorMessage], ["queued", "not yet"]);
        assert(
          Math.abs(waitsMs - delayMs) <= delayMs * 0.1 && waitsMs <= 3000,
          `${waitsMs} ms instead of ${delayMs}`,
        );
        assertEquals(await claim(queue), []);
        await clock.advance(waitsMs);
      }
      const [last] = await claim(queue);
      const failed = await queue.fail(last!, new Error("never"));
      assertEquals([failed.status, failed.attempts, failed.errorMessage], ["failed", 4, "never"]);
      assertEquals(failed.finishedAt, new Date(clock.nowMs()));
      await clock.advance(3_600_000);
      assertEquals(await claim(queue), []);
    },
  );

  behaviour(
    "the task's retry policy takes precedence over the handler's, and that over the queue's",
    async (queue, clock) => {
      await queue.enqueue({
        type: "t",
        priority: 1,
        retryPolicy: { initialDelayMs: 10_000, multiplier: 1 },
      });
      await queue.enqueue({ type: "t", priority: 2 });
      await queue.enqueue({ type: "t", priority: 3 });
      const [own, handlers, queues] = await claim(queue, { limit: 3 });
      const waitMs = (task: Task): number => task.runAfter.getTime() - clock.nowMs();
      const retryPolicy = { initialDelayMs: 100_000 };
      assert(waitMs(await queue.fail(own!, "x", { retryPolicy })) < 11_001);
      assert(waitMs(await queue.fail(handlers!, "x", { retryPolicy })) > 80_000);
      assert(waitMs(await queue.fail(queues!, "x")) < 1_101);
    },
  );

  behaviour(
    "PermanentError fails at once, RetryAfterError sets the delay",
    async (queue, clock) => {
      const permanent = await queue.fail(await leased(queue), new PermanentError("hopeless"));
      assertEquals([permanent.status, permanent.attempts, permanent.errorMessage], [
        "failed",
        1,
        "hopeless",
      ]);
      const later = await queue.fail(await leased(queue), new RetryAfterError(77_000));
      assertEquals(later.runAfter, new Date(clock.nowMs() + 77_000));
      const now = await queue.fail(await leased(queue), new RetryAfterError(0, "at once"));
      assertEquals(ids(await claim(queue)), [now.id]);
    },
  );

  behaviour(
    "fail() keeps the exit code of the last attempt as the result, until it is retried by hand",
    async (queue, clock) => {
      const { task } = await queue.enqueue({ type: "t", maxAttempts: 2 });
      const claim = { workerId: "w", types: ["t"] };
      const again = await queue.fail(
        (await queue.claim(claim))[0]!,
        new ExitCodeError(3, "no paper"),
      );
      assertEquals([again.status, again.result], ["queued", null]);
      await clock.advance(5000);
      const failed = await queue.fail(
        (await queue.claim(claim))[0]!,
        new ExitCodeError(4, "no ink"),
      );
      assertEquals([failed.status, failed.errorMessage], ["failed", "no ink"]);
      assertEquals(failed.result, { exit_code: 4 });
      assert(await queue.retry(task.id));
      assertEquals((await queue.get(task.id))!.result, null);
      const final = new ExitCodeError(5, "no printer", { isPermanent: true });
      const permanent = await queue.fail((await queue.claim(claim))[0]!, final);
      assertEquals([permanent.status, permanent.attempts], ["failed", 1]);
      assertEquals(permanent.result, { exit_code: 5 });
    },
  );

  behaviour(
    "fail() knows the ExitCodeError of another copy of Holdfast by its name and fields",
    async (queue) => {
      const foreign = (fields: object): Error =>
        Object.assign(new Error("no paper"), { name: "ExitCodeError", ...fields });
      const permanent = foreign({ exitCode: 3, isPermanent: true });
      const failed = await queue.fail(await leased(queue), permanent);
      assertEquals([failed.status, failed.result], ["failed", { exit_code: 3 }]);
      const strange = foreign({ exitCode: "3", isPermanent: true });
      assertEquals((await queue.fail(await leased(queue), strange)).status, "queued");
    },
  );

  behaviour(
    "fail() keeps a message of 4,000 characters and survives strange errors",
    async (queue) => {
      for (
        const [thrown, message] of [
          ["x".repeat(9000), "x".repeat(4000)],
          [undefined, "undefined"],
          [new Error(""), "failed without a message"],
          ["a\0b", "a\ufffdb"],
        ]
      ) {
        assertEquals((await queue.fail(await leased(queue), thrown)).errorMessage, message);
      }
    },
  );

  // --- rescue

  behaviour(
    "✗ never rescued: an expired lease ends by itself, with a message that names worker and attempt",
    async (queue, clock) => {
      const task = await leased(queue, { maxAttempts: 2 });
      await clock.advance(9_999);
      assertEquals((await queue.get(task.id))!.status, "leased");
      await clock.advance(2_000);
      const statusIs = (status: string) => async () =>
        (await queue.get(task.id))!.status === status;
      await untilPassed(clock, statusIs("queued"), "the rescue");
      const rescued = (await queue.get(task.id))!;
      assertEquals([rescued.status, rescued.attempts], ["queued", 1]);
      assertEquals(
        rescued.errorMessage,
        'Worker "w1" stopped renewing its lease in attempt 1 of 2',
      );
      await claim(queue, { workerId: "w2" });
      await clock.advance(12_000);
      await untilPassed(clock, statusIs("failed"), "the second rescue");
      const poison = (await queue.get(task.id))!;
      assertEquals([poison.status, poison.attempts], ["failed", 2]);
      assertEquals(poison.errorMessage, 'Worker "w2" stopped renewing its lease in attempt 2 of 2');
    },
  );

  // --- by hand

  behaviour(
    "✗ cancelled was `failed`: cancel() ends a queued or leased task, and changes no final one",
    async (queue) => {
      const waiting = (await queue.enqueue({ type: "waiting" })).task;
      assertEquals(await queue.cancel(waiting.id), true);
      const cancelled = (await queue.get(waiting.id))!;
      assertEquals([cancelled.status, cancelled.errorMessage], ["cancelled", "Cancelled by user"]);
      assert(cancelled.finishedAt !== null);
      assertEquals(await claim(queue, { types: ["waiting"] }), []);
      const running = await leased(queue);
      assertEquals(await queue.cancel(running.id), true);
      const error = await assertRejects(() => queue.complete(running), QueueError);
      assertEquals([error.code, error.message], [
        "lease_lost",
        `Cannot complete task ${running.id}: it is cancelled, not leased`,
      ]);
      const done = await queue.complete(await leased(queue), "kept");
      for (const id of [waiting.id, done.id]) {
        const before = await queue.get(id);
        assertEquals(await queue.cancel(id), false);
        assertEquals(await queue.get(id), before);
      }
      assertEquals(
        (await assertRejects(() => queue.cancel(99), QueueError)).code,
        "task_not_found",
      );
    },
  );

  behaviour(
    "retry() queues a failed or cancelled task with fresh attempts, and no other",
    async (queue) => {
      const failed = await queue.fail(await leased(queue), new PermanentError("no"));
      assertEquals(await queue.retry(failed.id), true);
      const again = (await queue.get(failed.id))!;
      assertEquals([again.status, again.attempts, again.errorMessage, again.finishedAt], [
        "queued",
        0,
        null,
        null,
      ]);
      assertEquals([failed.processingStarted === null, again.processingStarted], [false, null]);
      assertEquals(await queue.retry(failed.id), false);
      const [claimed] = await claim(queue);
      assertEquals(claimed!.leaseToken, 2);
      assertEquals(await queue.retry(failed.id), false);
      assertEquals((await assertRejects(() => queue.retry(99), QueueError)).code, "task_not_found");
    },
  );

  // --- looking

  thoroughBehaviour(
    "list() ends a page early where its tasks are large together, and loses none",
    async (queue) => {
      const payload = "x".repeat(250_000);
      await queue.enqueueBatch(
        Array.from({ length: 72 }, (_, i) => ({ type: i % 2 === 0 ? "a" : "b", payload })),
      );
      for (const filter of [{}, { status: "queued" }] as const) {
        const seen: number[] = [];
        for (const turn of [0, 1, 2, 3]) {
          // By the last id, and by how many came.
          const after = turn % 2 === 0 ? { beforeId: seen.at(-1) } : { offset: seen.length };
          const page = await queue.list({ limit: 1000, ...filter, ...after });
          assert(page.length < 70, `${page.length} tasks of 250,000 characters in one page`);
          seen.push(...page.map(({ id }) => id));
        }
        assertEquals([seen.length, new Set(seen).size], [await queue.count(filter), seen.length]);
      }
    },
  );

  behaviour(
    "list() and count() filter by status and type, newest first, page by page",
    async (queue) => {
      await queue.enqueueBatch(["a", "b", "a", "b", "a"].map((type) => ({ type })));
      await queue.cancel(3);
      assertEquals(ids(await queue.list()), [5, 4, 3, 2, 1]);
      assertEquals(ids(await queue.list({ type: "a", status: "queued" })), [5, 1]);
      assertEquals(ids(await queue.list({ status: "cancelled" })), [3]);
      assertEquals(ids(await queue.list({ limit: 2, offset: 1 })), [4, 3]);
      assertEquals(ids(await queue.list({ limit: 2, beforeId: 3 })), [2, 1]);
      assertEquals([
        await queue.count(),
        await queue.count({ type: "b" }),
        await queue.count({ status: "failed" }),
      ], [5, 2, 0]);
      await assertRejects(
        () => queue.list({ status: "lost" as never }),
        TypeError,
        "queued, leased",
      );
      await assertRejects(() => queue.list({ limit: 0 }), RangeError);
    },
  );

  behaviour("stats() counts by status and type, and what is scheduled", async (queue, clock) => {
    await queue.enqueueBatch([{ type: "a" }, { type: "constructor" }, {
      type: "a",
      runAfter: new Date(clock.nowMs() + 5000),
    }]);
    await clock.advance(100);
    const stats = await queue.stats();
    assertEquals([stats.total, stats.byStatus.queued, stats.scheduled], [3, 3, 1]);
    assertEquals([stats.byType["a"]!.queued, stats.byType["constructor"]!.queued], [2, 1]);
    assertEquals(stats.oldestDueAt, new Date(clock.nowMs() - 100));
  });

  behaviour("watch() tells of every change until it is stopped", async (queue) => {
    const seen: string[] = [];
    const stop = queue.watch((changes) => {
      if (typeof changes === "string") return;
      for (const { taskId, status } of changes) seen.push(`${taskId} ${status}`);
    });
    const task = await leased(queue);
    await queue.complete(task);
    stop();
    await queue.enqueue({ type: "t" });
    assertEquals(seen, ["1 queued", "1 leased", "1 completed"]);
  });

  behaviour("a closed queue refuses everything with queue_closed", async (queue) => {
    await queue.close();
    const acts = [
      () => queue.enqueue({ type: "t" }),
      () => queue.get(1),
      () => queue.list(),
      () => claim(queue),
      () => queue.stats(),
      () => queue.cancel(1),
      () => maintenanceOf(queue)?.checkpoint() ?? queue.flush(),
      () => queue.flush(),
    ];
    for (const act of acts) {
      assertEquals((await assertRejects(act, QueueError)).code, "queue_closed");
    }
  });
}

function claim(queue: TaskQueue, request: Partial<ClaimRequest> = {}): Promise<Task[]> {
  return queue.claim({ workerId: "w1", types: ["t"], ...request });
}

/** A new task of type `t`, claimed by `w1`. */
async function leased(queue: TaskQueue, fields: Partial<NewTask> = {}): Promise<Task> {
  const { task } = await queue.enqueue({ type: "t", ...fields });
  const [claimed] = await claim(queue, { types: [], taskId: task.id });
  return claimed!;
}

function ids(tasks: readonly Task[]): number[] {
  return tasks.map(({ id }) => id);
}
