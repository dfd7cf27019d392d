/**
 * What every TaskQueue must do with limits and pauses. The numbers are those of the cases that flow control was designed by.
 */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { deferred } from "../../src/domain/deferred.ts";
import { PermanentError, QueueError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import type { Limit, LimitScope } from "../../src/queue/limits.ts";
import type { ClaimRequest, TaskChanges, TaskQueue } from "../../src/queue/task_queue.ts";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import { until } from "../support/until.ts";
import { behavioursOf, untilClaimed, untilPassed, untilRescued, type UseQueue } from "./suite.ts";

const EMAIL: LimitScope = { type: "email" };

const HOUR_MS = 3_600_000;

/** Registers the suite for one implementation. */
export function flowContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("1: what a paused type runs goes on, and nothing of it starts", async (queue) => {
    await enqueue(queue, "email", 8);
    const running = await claim(queue, { limit: 3 });
    assertEquals(await queue.pause(EMAIL, { by: "ops", reason: "provider down" }), true);
    const [sms] = await enqueue(queue, "sms", 1);
    for (const task of running) assertEquals((await queue.complete(task)).status, "completed");
    const claimed = await claim(queue, { types: ["email", "sms"], limit: 10 });
    assertEquals(claimed.map(({ id }) => id), [sms!.id]);
    const due = await queue.list({ status: "queued", type: "email" });
    assertEquals(due.length, 5);
    const byId = { types: [], taskId: due[0]!.id };
    assertEquals(await claim(queue, byId), [], "by its id");
    const why = await queue.explain(due[0]!.id);
    assertEquals(why?.reason, "paused");
    assertMatch(
      why!.summary,
      /type "email" is paused since .*Z by "ops" \(provider down\) until it/,
    );
    assertEquals(why?.data.scope, EMAIL);
    assertEquals(await queue.cancel(due[0]!.id), true);
    await enqueue(queue, "email", 1);
    assertEquals(await queue.resume(EMAIL, { by: "ops" }), true);
    assertEquals((await claim(queue, { limit: 10 })).length, 5);
  });

  behaviour("a pause of the whole queue holds for every type", async (queue) => {
    const [task] = await enqueue(queue, "email", 1);
    await queue.pause({});
    assertEquals(await claim(queue, { types: ["email", "sms"] }), []);
    const own = await queue.enqueue({ type: "own" }, { leaseTo: LEASE_TO });
    assertEquals([own.task.status, own.task.attempts, own.created], ["queued", 0, true]);
    const summary = (await queue.explain(task!.id))!.summary;
    assertMatch(summary, /the whole queue is paused since [^ ]* until it is resumed$/);
    await queue.pause(EMAIL);
    assertEquals(await queue.resume({}), true);
    assertEquals((await claim(queue, { types: ["email", "own"], limit: 9 })).length, 1);
    assertEquals(await queue.resume(EMAIL), true);
    assertEquals((await claim(queue, { limit: 9 })).length, 1);
  });

  behaviour("2: a pause ends by itself at its instant", async (queue, clock) => {
    const [task] = await enqueue(queue, "email", 1);
    const until = new Date(clock.nowMs() + HOUR_MS);
    await queue.pause(EMAIL, { until });
    assertEquals(await queue.nextDueAt(), until);
    await clock.advance(HOUR_MS - 1);
    assertEquals(await claim(queue), []);
    await clock.advance(1);
    assertEquals((await claim(queue)).map(({ id }) => id), [task!.id]);
    assertEquals([await queue.nextDueAt(), await queue.listLimits()], [null, []]);
    assertEquals(await queue.resume(EMAIL), false);
  });

  behaviour("3: a second pause replaces the reason and keeps the time", async (queue, clock) => {
    const at = new Date(clock.nowMs());
    assertEquals(await queue.resume(EMAIL), false);
    assertEquals(await queue.pause(EMAIL, { by: "a", reason: "first" }), true);
    await clock.advance(1000);
    assertEquals(await queue.pause(EMAIL, { by: "b", reason: "second" }), true);
    assertEquals(await queue.pause(EMAIL, { by: "b", reason: "second" }), false);
    const [record] = await queue.listLimits();
    assertEquals(record!.paused, { at, by: "b", reason: "second", until: null });
    assertEquals([await queue.resume(EMAIL), await queue.resume(EMAIL)], [true, false]);
    assertEquals(await queue.listLimits(), []);
  });

  behaviour("4: no more leases than the limit, and one for each that ends", async (queue) => {
    await queue.setLimit(EMAIL, { concurrency: 2 }, { by: "ops" });
    await enqueue(queue, "email", 10);
    const held = await claim(queue, { limit: 10 });
    assertEquals(held.length, 2);
    assertEquals(await claim(queue, { limit: 10 }), []);
    const stale = { ...held[0]!, leaseToken: 99 };
    const error = await assertRejects(() => queue.complete(stale), QueueError);
    assertEquals(error.code, "lease_lost");
    assertEquals(await claim(queue, { limit: 10 }), []);
    await queue.complete(held[0]!);
    assertEquals((await claim(queue, { limit: 10 })).length, 1);
    assertEquals(await claim(queue, { limit: 10 }), []);
    await queue.fail(held[1]!, new PermanentError("no"));
    const [next] = await claim(queue, { limit: 10 });
    await queue.release(next!);
    assertEquals((await claim(queue, { limit: 10 })).length, 1);
  });

  behaviour("a limit binds claims by id and first leases, and no other type", async (queue) => {
    await queue.setLimit(EMAIL, { concurrency: 1 });
    const first = await queue.enqueue({ type: "email" }, { leaseTo: LEASE_TO });
    const second = await queue.enqueue({ type: "email" }, { leaseTo: LEASE_TO });
    assertEquals([first.task.status, second.task.status], ["leased", "queued"]);
    const byId = { types: [], taskId: second.task.id };
    assertEquals(await claim(queue, byId), []);
    await enqueue(queue, "sms", 3);
    assertEquals((await claim(queue, { types: ["email", "sms"], limit: 9 })).length, 3);
    await queue.complete(first.task);
    assertEquals((await claim(queue, byId)).length, 1);
  });

  behaviour("a limit of the whole queue counts every type", async (queue) => {
    await queue.setLimit({}, { concurrency: 3 });
    await queue.setLimit(EMAIL, { concurrency: 2 });
    await enqueue(queue, "email", 5);
    await enqueue(queue, "sms", 5);
    const held = await claim(queue, { types: ["email", "sms"], limit: 9 });
    assertEquals(held.map(({ type }) => type), ["email", "email", "sms"]);
    await queue.complete(held[0]!);
    const [next] = await claim(queue, { types: ["sms"], limit: 9 });
    assertEquals(next?.type, "sms");
    const why = await queue.explain((await queue.list({ status: "queued", type: "email" }))[0]!.id);
    assertMatch(why!.summary, /the whole queue uses its 3 slots: task /);
  });

  for (const strategy of ["fifo", "lifo", "priority", "weighted_random"] as const) {
    behaviour(`a limit holds in the order ${strategy}`, async (queue) => {
      await queue.setLimit(EMAIL, { concurrency: 2 });
      for (let i = 0; i < 6; i++) {
        await queue.enqueue({
          type: "email",
          priority: i + 1,
          compatibility: i % 2 === 0 ? {} : { gpu: true },
        });
      }
      await enqueue(queue, "sms", 4);
      const request = { types: ["email", "sms"], strategy, capabilities: { gpu: true } };
      const claimed = await claim(queue, { ...request, limit: 9 });
      const emails = claimed.filter(({ type }) => type === "email");
      assertEquals([emails.length, claimed.length], [2, 6]);
    });
  }

  behaviour("6: a lease that has run out holds its slot until its rescue", async (queue, clock) => {
    await queue.setLimit(EMAIL, { concurrency: 1 });
    await enqueue(queue, "email", 2);
    const [held] = await claim(queue);
    clock.jumpUnheard(10_000);
    assertEquals(await claim(queue), []);
    await untilRescued(queue, clock, held!.id);
    assertEquals((await untilClaimed(() => claim(queue, { limit: 9 }))).length, 1);
  });

  behaviour(
    "7: a lower limit ends nothing that runs; a higher one lets more start",
    async (queue) => {
      await queue.setLimit(EMAIL, { concurrency: 5 });
      await enqueue(queue, "email", 20);
      const held = await claim(queue, { limit: 9 });
      assertEquals(held.length, 5);
      assertEquals(await queue.setLimit(EMAIL, { concurrency: 2 }), true);
      for (const task of held.slice(0, 3)) {
        assertEquals((await queue.renew(task)).status, "leased");
        await queue.complete(task);
        assertEquals(await claim(queue, { limit: 9 }), []);
      }
      await queue.complete(held[3]!);
      assertEquals((await claim(queue, { limit: 9 })).length, 1);
      await queue.setLimit(EMAIL, { concurrency: 4 });
      assertEquals((await claim(queue, { limit: 9 })).length, 2);
      assertEquals(await queue.setLimit(EMAIL, null), true);
      assertEquals((await claim(queue, { limit: 99 })).length, 12);
    },
  );

  behaviour(
    "11: a cancelled task keeps its slot until its worker has stopped it",
    async (queue) => {
      await queue.setLimit(EMAIL, { concurrency: 1 });
      const [, waiting] = await enqueue(queue, "email", 2);
      const [held] = await claim(queue);
      assertEquals(await queue.cancel(held!.id), true);
      assertEquals(await claim(queue), []);
      const why = await queue.explain(waiting!.id);
      assertMatch(
        why!.summary,
        /its 1 slot: task \d+ \(cancelled, worker "w" has until .* to stop it\)/,
      );
      assertEquals(await queue.retry(held!.id), true);
      assertEquals(await claim(queue), []);
      const other = { ...held!, lockedBy: "other" };
      await assertRejects(() => queue.release(other), QueueError);
      assertEquals(await claim(queue), []);
      assertEquals((await queue.release(held!)).status, "queued");
      await assertRejects(() => queue.release(held!), QueueError);
      assertEquals((await claim(queue, { limit: 9 })).map(({ id }) => id), [held!.id]);
    },
  );

  behaviour("11: its slot comes free at the end of its lease", async (queue, clock) => {
    await queue.setLimit(EMAIL, { concurrency: 1 });
    await enqueue(queue, "email", 2);
    const [held] = await claim(queue, { leaseDurationMs: 5000 });
    await queue.cancel(held!.id);
    assertEquals(await queue.nextDueAt(), held!.leaseUntil);
    clock.jumpUnheard(4999);
    assertEquals(await claim(queue), []);
    clock.jumpUnheard(1);
    assertEquals((await claim(queue, { limit: 9 })).length, 1);
    await queue.rescue();
    assertEquals((await queue.listLimits())[0]!.holders.length, 1);
  });

  behaviour("a task that is cancelled without a limit holds nothing", async (queue) => {
    await enqueue(queue, "email", 1);
    const [held] = await claim(queue);
    await queue.cancel(held!.id);
    await assertRejects(() => queue.release(held!), QueueError);
    await queue.setLimit(EMAIL, { concurrency: 1 });
    await enqueue(queue, "email", 1);
    assertEquals((await claim(queue)).length, 1);
  });

  behaviour("explain() names who holds the slots, and what comes first", async (queue) => {
    await queue.setLimit(EMAIL, { concurrency: 1 });
    await enqueue(queue, "email", 2);
    const [last] = await enqueue(queue, "email", 1);
    const [held] = await claim(queue);
    const why = (await queue.explain(last!.id))!;
    assertEquals(why.reason, "concurrency_limited");
    const until = held!.leaseUntil!.toISOString();
    assertEquals(
      why.summary,
      `Task ${last!.id} is due, but type "email" uses its 1 slot: task ${held!.id} (worker "w", ` +
        `lease until ${until} unless renewed); 1 task of the type is ahead of it in order of priority`,
    );
    assertEquals([why.data.concurrency, why.data.held, why.data.ahead], [1, 1, 1]);
  });

  behaviour(
    "listLimits() gives limits, pauses, holders and what is blocked",
    async (queue, clock) => {
      const at = new Date(clock.nowMs());
      await queue.setLimit(EMAIL, { concurrency: 1 }, { by: "ops" });
      await queue.pause({ type: "sms" });
      await queue.pause({}, { by: "me", reason: "why", until: new Date(clock.nowMs() + HOUR_MS) });
      await queue.resume({});
      await enqueue(queue, "email", 3);
      await enqueue(queue, "sms", 4);
      const [held] = await claim(queue, { types: ["email", "sms"], limit: 9 });
      const [email, sms, ...more] = await queue.listLimits();
      assertEquals(more, []);
      assertEquals(email, {
        scope: EMAIL,
        concurrency: 1,
        rate: null,
        weight: null,
        setAt: at,
        setBy: "ops",
        isDeclared: false,
        paused: null,
        nextStartAt: null,
        held: 1,
        holders: [{
          taskId: held!.id,
          runId: held!.runId,
          type: "email",
          workerId: "w",
          leaseUntil: held!.leaseUntil!,
          isCancelled: false,
        }],
        blocked: 2,
      });
      assertEquals([sms?.concurrency, sms?.held, sms?.blocked], [null, 0, 4]);
      const { due, dueSplit, limits } = await queue.metrics();
      assertEquals([due, dueSplit], [6, { claimable: 0, paused: 4, atConcurrency: 2, atRate: 0 }]);
      const unrated = { rate: null, nextStartAt: null };
      assertEquals(limits, [
        { scope: EMAIL, concurrency: 1, ...unrated, isPaused: false, held: 1, blocked: 2 },
        {
          scope: { type: "sms" },
          concurrency: null,
          ...unrated,
          isPaused: true,
          held: 0,
          blocked: 4,
        },
      ]);
    },
  );

  behaviour("declareLimits() never changes what a person has set", async (queue) => {
    const declare = (concurrency: number): Promise<number> =>
      queue.declareLimits([{ scope: EMAIL, limit: { concurrency } }]);
    assertEquals([await declare(5), await declare(5), await declare(6)], [1, 0, 1]);
    assertEquals((await queue.listLimits())[0]?.isDeclared, true);
    await queue.setLimit(EMAIL, { concurrency: 2 });
    assertEquals([await declare(7), (await queue.listLimits())[0]?.concurrency], [0, 2]);
    assertEquals([await queue.setLimit(EMAIL, { concurrency: 2 })], [false]);
    await queue.setLimit(EMAIL, null);
    assertEquals([await queue.setLimit(EMAIL, null), await declare(7)], [false, 1]);
    const twice = [{ scope: {}, limit: { concurrency: 1 } }, {
      scope: {},
      limit: { concurrency: 2 },
    }];
    await assertRejects(() => queue.declareLimits(twice), TypeError, "two limits for one scope");
  });

  behaviour(
    "health() names a long pause and a full limit, and counts neither as a backlog",
    async (queue, clock) => {
      await queue.setLimit(EMAIL, { concurrency: 1 });
      await queue.pause({ type: "sms" });
      await enqueue(queue, "email", 2);
      await enqueue(queue, "sms", 1);
      const [held] = await claim(queue, { leaseDurationMs: 24 * HOUR_MS });
      clock.jumpUnheard(HOUR_MS + 1);
      const worker = { workerId: "w", capabilities: {}, types: ["email", "sms"], concurrency: 4 };
      await queue.heartbeat(worker);
      const { reasons } = await queue.health();
      assertEquals(reasons.map(({ code }) => code).sort(), ["limit_full", "paused_long"]);
      assertEquals((await queue.health()).verdict, "degraded");
      await queue.resume({ type: "sms" });
      await queue.complete(held!);
      const after = (await queue.health()).reasons.map(({ code }) => code);
      assertEquals(after, ["oldest_due_waits"]);
    },
  );

  behaviour("wrong limits and pauses are refused, and change nothing", async (queue, clock) => {
    const past = new Date(clock.nowMs());
    const wrong: [() => Promise<unknown>, typeof TypeError | typeof RangeError, string][] = [
      [() => queue.setLimit(EMAIL, { concurrency: 0 }), RangeError, "1 to 100000"],
      [() => queue.setLimit(EMAIL, { concurrency: 1.5 }), RangeError, "1 to 100000"],
      [() => queue.setLimit(EMAIL, {} as Limit), TypeError, "concurrency"],
      [() => queue.setLimit({ type: " " }, { concurrency: 1 }), TypeError, "blank"],
      [() => queue.setLimit({ typ: "x" } as LimitScope, null), TypeError, "typ"],
      [() => queue.setLimit(EMAIL, { concurrency: 1 }, { by: "" }), TypeError, "by"],
      [() => queue.pause({}, { until: past }), RangeError, "an instant after"],
      [() => queue.pause({}, { until: "soon" }), TypeError, "until"],
      [() => queue.pause({}, { reason: "x".repeat(501) }), TypeError, "500"],
      [() => queue.resume({ type: "" }), TypeError, "blank"],
    ];
    for (const [call, kind, message] of wrong) await assertRejects(call, kind, message);
    assertEquals(await queue.listLimits(), []);
  });

  behaviour("watchers hear of room: a resume, a higher limit, a slot that ends", async (queue) => {
    let rooms = 0;
    const stop = queue.watch((changes: TaskChanges) => {
      if (changes === "room" || changes === "reset") rooms++;
    });
    const hears = async (what: string, change: () => Promise<unknown>): Promise<void> => {
      const before = rooms;
      await change();
      await until(() => rooms > before, what);
    };
    await enqueue(queue, "email", 3);
    await hears("a limit", () => queue.setLimit(EMAIL, { concurrency: 1 }));
    await hears("a pause", () => queue.pause(EMAIL));
    await hears("a resume", () => queue.resume(EMAIL));
    const [first] = await claim(queue);
    await hears("an end", () => queue.complete(first!));
    const [second] = await claim(queue);
    await queue.cancel(second!.id);
    await hears("a stop", () => queue.release(second!));
    stop();
  });

  behaviour(
    "a worker that waits is woken by a resume and by the end of a slot",
    async (queue, clock) => {
      await queue.pause(EMAIL);
      await queue.setLimit(EMAIL, { concurrency: 1 });
      const tasks = await enqueue(queue, "email", 4);
      let [running, most] = [0, 0];
      const handlers = new HandlerRegistry();
      handlers.register("email", async () => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
      });
      const workers = ["a", "b"].map((workerId) =>
        new Worker({ queue, handlers, clock, workerId, pollIntervalMs: 60_000, concurrency: 3 })
      );
      for (const worker of workers) worker.start();
      await untilPassed(clock, () => Promise.resolve(true), "a start");
      assertEquals(await queue.count({ status: "completed" }), 0);
      await queue.resume(EMAIL);
      await until(async () => (await queue.count({ status: "completed" })) === tasks.length);
      assertEquals(most, 1);
      for (const worker of workers) await worker.stop();
    },
  );

  behaviour("a worker tells that it has stopped a cancelled task", async (queue, clock) => {
    await queue.setLimit(EMAIL, { concurrency: 1 });
    const [first, second] = await enqueue(queue, "email", 2);
    const begun = deferred<void>();
    const stopped = deferred<void>();
    const handlers = new HandlerRegistry();
    handlers.register("email", async (task, { signal }) => {
      if (task.id !== first!.id) return;
      begun.resolve();
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      await stopped.promise;
    });
    const worker = new Worker({ queue, handlers, clock, pollIntervalMs: 60_000 });
    worker.start();
    await begun.promise;
    await queue.cancel(first!.id);
    assertEquals((await queue.get(second!.id))!.status, "queued");
    assertEquals((await queue.listLimits())[0]!.held, 1);
    stopped.resolve();
    await until(async () => (await queue.get(second!.id))!.status === "completed");
    await worker.stop();
  });
}

const LEASE_TO = { workerId: "maker", leaseDurationMs: 1000 };

async function enqueue(queue: TaskQueue, type: string, count: number): Promise<Task[]> {
  const stored = await queue.enqueueBatch(Array.from({ length: count }, () => ({ type })));
  return stored.map(({ task }) => task);
}

function claim(queue: TaskQueue, request: Partial<ClaimRequest> = {}): Promise<Task[]> {
  return queue.claim({ workerId: "w", types: ["email"], ...request });
}
