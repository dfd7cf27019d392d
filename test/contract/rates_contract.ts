/**
 * What every TaskQueue must do with rates. The numbers are those of the cases that flow control was designed by.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { CLAIM_ORDERS } from "../../src/domain/claim_order.ts";
import type { Task } from "../../src/domain/task.ts";
import type { LimitScope, RateLimit } from "../../src/queue/limits.ts";
import type { ClaimRequest, TaskQueue } from "../../src/queue/task_queue.ts";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { behavioursOf, untilPassed, untilRescued, type UseQueue } from "./suite.ts";

const EMAIL: LimitScope = { type: "email" };

const MINUTE_MS = 60_000;

/** Registers the suite for one implementation. */
export function ratesContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("12: starts come evenly, or some at once and then evenly", async (queue, clock) => {
    await queue.setLimit(EMAIL, { rate: { limit: 3, periodMs: 1000, burst: 1 } });
    await enqueue(queue, 4);
    assertEquals(await startTimes(queue, clock, 4), [0, 334, 668, 1002]);
    clock.jumpUnheard(MINUTE_MS);
    await queue.setLimit(EMAIL, { rate: { limit: 3, periodMs: 1000, burst: 3 } });
    await enqueue(queue, 5);
    assertEquals(await startTimes(queue, clock, 5), [0, 0, 0, 1000, 2000]);
  });

  for (const strategy of CLAIM_ORDERS) {
    behaviour(`a rate holds in the order ${strategy}, and binds no other type`, async (queue) => {
      await queue.setLimit(EMAIL, { rate: { limit: 4, periodMs: 1000, burst: 2 } });
      for (let i = 0; i < 6; i++) {
        const compatibility = i % 2 === 0 ? {} : { gpu: true };
        await queue.enqueue({ type: "email", priority: i + 1, compatibility });
      }
      await queue.enqueueBatch(Array.from({ length: 4 }, () => ({ type: "sms" })));
      const request = { types: ["email", "sms"], strategy, capabilities: { gpu: true }, limit: 9 };
      const claimed = await claim(queue, request);
      const emails = claimed.filter(({ type }) => type === "email");
      assertEquals([emails.length, claimed.length], [2, 6]);
      assertEquals(await claim(queue, request), []);
    });
  }

  behaviour("13: a clock that is put back delays by no more than a burst", async (queue, clock) => {
    await queue.setLimit(EMAIL, { rate: { limit: 2, periodMs: MINUTE_MS, burst: 1 } });
    await enqueue(queue, 3);
    assertEquals((await claim(queue)).length, 1);
    clock.jumpUnheard(-60 * MINUTE_MS);
    await queue.rescue();
    assertEquals(await startTimes(queue, clock, 2), [30_000, 60_000]);
  });

  behaviour("13: a higher rate holds at once", async (queue, clock) => {
    await queue.setLimit(EMAIL, { rate: { limit: 1, periodMs: MINUTE_MS } });
    await enqueue(queue, 3);
    assertEquals((await claim(queue, { limit: 9 })).length, 1);
    await queue.setLimit(EMAIL, { rate: { limit: 60, periodMs: MINUTE_MS, burst: 1 } });
    assertEquals((await queue.nextDueAt())!.getTime() - clock.nowMs(), 1000);
    assertEquals(await startTimes(queue, clock, 2), [1000, 2000]);
  });

  behaviour("14: a delayed task changes nothing of the cadence", async (queue, clock) => {
    await queue.setLimit(EMAIL, { rate: { limit: 1, periodMs: 2000 } });
    await enqueue(queue, 3);
    const runAfter = new Date(clock.nowMs() + 9 * MINUTE_MS);
    await queue.enqueue({ type: "sms", runAfter });
    assertEquals(await startTimes(queue, clock, 3), [0, 2000, 4000]);
  });

  behaviour("15: each start counts one, and none is given back", async (queue, clock) => {
    await queue.setLimit(EMAIL, { rate: { limit: 4, periodMs: MINUTE_MS, burst: 4 } });
    await enqueue(queue, 9);
    const [first] = await claim(queue);
    const [second] = await claim(queue);
    await queue.release(first!);
    await queue.fail(second!, new Error("again"), { retryPolicy: { initialDelayMs: 0 } });
    const [again] = await claim(queue);
    assertEquals(again!.id, first!.id);
    await queue.complete(again!);
    const [held] = await claim(queue, { leaseDurationMs: 1000 });
    assertEquals(await claim(queue), []);
    clock.jumpUnheard(1000);
    await untilRescued(queue, clock, held!.id);
    assertEquals(await claim(queue), []);
  });

  behaviour("claims by id and first leases count, and wait for the rate", async (queue, clock) => {
    await queue.setLimit(EMAIL, { rate: { limit: 2, periodMs: 1000, burst: 2 } });
    const first = await queue.enqueue({ type: "email" }, { leaseTo: LEASE_TO });
    const [second] = await enqueue(queue, 1);
    const byId = { types: [], taskId: second!.id };
    assertEquals((await claim(queue, byId)).length, 1);
    const third = await queue.enqueue({ type: "email" }, { leaseTo: LEASE_TO });
    assertEquals([first.task.status, third.task.status], ["leased", "queued"]);
    const thirdById = { types: [], taskId: third.task.id };
    assertEquals(await claim(queue, thirdById), []);
    clock.jumpUnheard(1000);
    assertEquals((await claim(queue, thirdById)).length, 1);
    assertEquals(await claim(queue), []);
  });

  behaviour("what one rate holds back is counted by no other", async (queue, clock) => {
    await queue.setLimit({}, { rate: { limit: 3, periodMs: 1000, burst: 3 } });
    await queue.setLimit(EMAIL, { rate: { limit: 1, periodMs: 300 } });
    await enqueue(queue, 5);
    assertEquals((await claim(queue, { limit: 9 })).length, 1);
    for (let i = 0; i < 20; i++) assertEquals(await claim(queue), []);
    await queue.enqueueBatch([{ type: "sms" }, { type: "sms" }, { type: "sms" }]);
    const both = { types: ["email", "sms"], limit: 9 };
    assertEquals((await claim(queue, both)).map(({ type }) => type), ["sms", "sms"]);
    clock.jumpUnheard(300);
    assertEquals(await claim(queue, both), []);
    clock.jumpUnheard(700);
    assertEquals((await claim(queue, both)).map(({ type }) => type), ["email"]);
  });

  behaviour("a rate and a concurrency hold together", async (queue, clock) => {
    await queue.setLimit(EMAIL, { concurrency: 2, rate: { limit: 3, periodMs: 1000, burst: 3 } });
    await enqueue(queue, 9);
    const held = await claim(queue, { limit: 9 });
    assertEquals(held.length, 2);
    await queue.complete(held[0]!);
    assertEquals((await claim(queue, { limit: 9 })).length, 1);
    await queue.complete(held[1]!);
    assertEquals(await claim(queue, { limit: 9 }), []);
    clock.jumpUnheard(1000);
    assertEquals((await claim(queue, { limit: 9 })).length, 1);
  });

  behaviour("a rate that is removed and set again has forgotten nothing", async (queue) => {
    const rate: RateLimit = { limit: 1, periodMs: MINUTE_MS };
    await queue.setLimit(EMAIL, { rate });
    await enqueue(queue, 2);
    assertEquals((await claim(queue, { limit: 9 })).length, 1);
    assertEquals(await queue.setLimit(EMAIL, null), true);
    assertEquals(await queue.setLimit(EMAIL, { rate }), true);
    assertEquals(await queue.setLimit(EMAIL, { rate }), false);
    assertEquals(await claim(queue, { limit: 9 }), []);
    await queue.setLimit(EMAIL, { concurrency: 5 });
    assertEquals((await claim(queue, { limit: 9 })).length, 1);
  });

  behaviour("explain() says when the next may start, and the task itself", async (queue, clock) => {
    await queue.setLimit(EMAIL, { rate: { limit: 2, periodMs: 1000, burst: 1 } }, { by: "ops" });
    await enqueue(queue, 1);
    assertEquals((await claim(queue)).length, 1);
    const tasks = await enqueue(queue, 4);
    const at = (ms: number): string => new Date(clock.nowMs() + ms).toISOString();
    const says = async (id: number): Promise<string> => (await queue.explain(id))!.summary;
    const same = 'is due, but type "email" may start 2 in 1 s; the next start is at';
    assertEquals(await says(tasks[0]!.id), `Task ${tasks[0]!.id} ${same} ${at(500)}`);
    const last = tasks[3]!.id;
    assertEquals(
      await says(last),
      `Task ${last} ${same} ${at(500)}, and with 3 ahead not before ${at(2000)}`,
    );
    const { reason, data } = (await queue.explain(last))!;
    assertEquals(reason, "rate_limited");
    assertEquals(data, {
      scope: EMAIL,
      limit: 2,
      period_ms: 1000,
      burst: 1,
      next_start_at: at(500),
      ahead: 3,
      not_before: at(2000),
    });
    clock.jumpUnheard(500);
    assertEquals((await queue.explain(last))!.reason, "no_worker");
  });

  behaviour("lists, metrics and health show rates", async (queue, clock) => {
    await queue.setLimit(EMAIL, { rate: { limit: 100, periodMs: MINUTE_MS } }, { by: "ops" });
    await queue.setLimit({}, { rate: { limit: 2000, periodMs: 1000 }, concurrency: 9 });
    const rates = (await queue.listLimits()).map(({ rate }) => rate);
    assertEquals(rates, [{ limit: 2000, periodMs: 1000, burst: 200 }, {
      limit: 100,
      periodMs: MINUTE_MS,
      burst: 1,
    }]);
    await enqueue(queue, 4);
    const [held] = await claim(queue, { limit: 9, leaseDurationMs: MINUTE_MS * 60 });
    const [, email] = await queue.listLimits();
    const nextStartAt = new Date(clock.nowMs() + 600);
    assertEquals([email!.nextStartAt, email!.blocked, email!.held], [nextStartAt, 3, 1]);
    const { dueSplit, limits } = await queue.metrics();
    assertEquals(dueSplit, { claimable: 0, paused: 0, atConcurrency: 0, atRate: 3 });
    assertEquals(limits[1], {
      scope: EMAIL,
      concurrency: null,
      rate: rates[1]!,
      nextStartAt,
      isPaused: false,
      held: 1,
      blocked: 3,
    });
    await queue.setLimit(EMAIL, { rate: { limit: 1, periodMs: 24 * 60 * MINUTE_MS } });
    await queue.complete(held!);
    clock.jumpUnheard(23 * MINUTE_MS);
    const worker = { workerId: "w", capabilities: {}, types: ["email"], concurrency: 4 };
    await queue.heartbeat(worker);
    const codes = (await queue.health()).reasons.map(({ code }) => code);
    assertEquals(codes, ["oldest_due_waits"]);
    await claim(queue, { limit: 9 });
    const { reasons } = await queue.health();
    assertEquals(reasons.map(({ code }) => code), ["limit_full"]);
    assert(reasons[0]!.message.startsWith('The limit of 1 in 86400 s of type "email" is in full'));
  });

  behaviour("wrong rates are refused, and change nothing", async (queue) => {
    const wrong: [unknown, string][] = [
      [{ limit: 0, periodMs: 1000 }, "1 to 1000000"],
      [{ limit: 1.5, periodMs: 1000 }, "1 to 1000000"],
      [{ limit: 3, periodMs: -1 }, "1 to 31622400000"],
      [{ limit: 3, periodMs: 0.5 }, "1 to 31622400000"],
      [{ limit: 3 }, "periodMs"],
      [{ limit: 3, periodMs: 1000, burst: 4 }, "1 to 3"],
      [{ limit: 3, periodMs: 1000, burst: 0 }, "1 to 3"],
      [{ limit: 3, periodMs: 1000, bursts: 1 }, "bursts"],
      [{ limit: 1_000_000, periodMs: 86_400_000, burst: 1_000_000 }, "give a smaller one"],
      [7, "rate"],
    ];
    for (const [rate, message] of wrong) {
      await assertRejects(() => queue.setLimit(EMAIL, { rate: rate as RateLimit }), Error, message);
    }
    assertEquals(await queue.listLimits(), []);
  });

  behaviour("a program declares rates, and a person's stay", async (queue) => {
    const declare = (limit: number): Promise<number> =>
      queue.declareLimits([{ scope: EMAIL, limit: { rate: { limit, periodMs: 1000 } } }]);
    assertEquals([await declare(5), await declare(5), await declare(6)], [1, 0, 1]);
    await queue.setLimit(EMAIL, { rate: { limit: 7, periodMs: 1000 } });
    assertEquals([await declare(8), (await queue.listLimits())[0]!.rate!.limit], [0, 7]);
  });

  behaviour(
    "a worker that waits starts each task when the rate allows it",
    async (queue, clock) => {
      await queue.setLimit(EMAIL, { rate: { limit: 1, periodMs: 2000 } });
      const startsMs: number[] = [];
      const handlers = new HandlerRegistry();
      handlers.register("email", ({ processingStarted }) => {
        startsMs.push(processingStarted!.getTime());
        return Promise.resolve();
      });
      const worker = new Worker({ queue, handlers, clock, pollIntervalMs: MINUTE_MS });
      worker.start();
      await enqueue(queue, 3);
      await untilPassed(clock, () => Promise.resolve(startsMs.length === 3), "three starts");
      await worker.stop();
      const betweenMs = [startsMs[1]! - startsMs[0]!, startsMs[2]! - startsMs[1]!];
      assert(betweenMs.every((ms) => ms >= 2000 && ms < MINUTE_MS), `${betweenMs}`);
    },
  );
}

/** Registers what rates of groups add, for an implementation whose groups have limits of their own. */
export function groupRatesContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("a rate of each group counts each by itself", async (queue, clock) => {
    await queue.setLimit({ type: "email", group: "*" }, { rate: { limit: 1, periodMs: 1000 } });
    await queue.setLimit({ type: "email", group: "b" }, {
      rate: { limit: 2, periodMs: 1000, burst: 2 },
    });
    await inGroups(queue, ["a", "a", "b", "b", "b", "c", undefined, undefined]);
    const all = { limit: 9 };
    assertEquals(groupsOf(await claim(queue, all)), ["a", "b", "b", "c", null, null]);
    assertEquals(await claim(queue, all), []);
    assertEquals((await queue.nextDueAt())!.getTime() - clock.nowMs(), 1000);
    const [each, b] = await queue.listLimits();
    assertEquals([each!.blocked, each!.nextStartAt, b!.blocked], [2, null, 1]);
    clock.jumpUnheard(999);
    assertEquals(await claim(queue, all), []);
    clock.jumpUnheard(1);
    assertEquals(groupsOf(await claim(queue, all)), ["a", "b"]);
  });

  behaviour(
    "14: a group that its rate has closed opens when it allows a start",
    async (queue, clock) => {
      await queue.setLimit({ group: "a" }, { rate: { limit: 1, periodMs: 5000 } });
      await inGroups(queue, ["a", "a", "a"]);
      assertEquals(await startTimes(queue, clock, 3), [0, 5000, 10_000]);
    },
  );

  behaviour(
    "a slot that ends while the rate is spent leaves the group its instant",
    async (queue, clock) => {
      await queue.setLimit({ type: "email", group: "a" }, { concurrency: 1 });
      await queue.setLimit({ group: "a" }, { rate: { limit: 2, periodMs: 4000, burst: 2 } });
      await inGroups(queue, ["a", "a"]);
      await queue.enqueue({ type: "sms", group: "a" });
      // it closes for its slot, while the rate has a start left, which one of another type takes
      const [first] = await claim(queue);
      assertEquals((await claim(queue, { types: ["sms"] })).length, 1);
      await queue.complete(first!);
      assertEquals(await claim(queue), []);
      assertEquals((await queue.nextDueAt())!.getTime() - clock.nowMs(), 4000);
      clock.jumpUnheard(4000);
      assertEquals((await claim(queue)).length, 1);
    },
  );

  behaviour("13: a clock that is put back opens groups no later", async (queue, clock) => {
    await queue.setLimit({ group: "*" }, { rate: { limit: 2, periodMs: MINUTE_MS, burst: 1 } });
    await inGroups(queue, ["a", "a"]);
    assertEquals((await claim(queue)).length, 1);
    assertEquals(await claim(queue), []);
    clock.jumpUnheard(-60 * MINUTE_MS);
    await queue.rescue();
    assertEquals(await startTimes(queue, clock, 1), [30_000]);
  });

  behaviour("explain() names the group whose rate holds a task back for longest", async (queue) => {
    await queue.setLimit(EMAIL, { rate: { limit: 10, periodMs: 1000, burst: 1 } });
    await queue.setLimit({ group: "*" }, { rate: { limit: 1, periodMs: 1000 } });
    const [, second] = await inGroups(queue, ["a", "a"]);
    await claim(queue);
    const why = (await queue.explain(second!.id))!;
    assertEquals([why.reason, why.data.scope], ["rate_limited", { group: "a" }]);
  });
}

const LEASE_TO = { workerId: "maker", leaseDurationMs: 1000 };

/** When each of `count` tasks starts, in milliseconds from now, where a worker waits as `nextDueAt` says; nothing starts earlier. */
async function startTimes(queue: TaskQueue, clock: FakeClock, count: number): Promise<number[]> {
  const beganMs = clock.nowMs();
  const times: number[] = [];
  while (times.length < count) {
    const started = await claim(queue, { limit: 1, leaseDurationMs: MINUTE_MS });
    for (const task of started) await queue.complete(task);
    if (started.length > 0) {
      times.push(clock.nowMs() - beganMs);
      continue;
    }
    const waitMs = (await queue.nextDueAt())!.getTime() - clock.nowMs();
    clock.jumpUnheard(waitMs - 1);
    assertEquals(await claim(queue), [], `a start ${times.length} before its time`);
    clock.jumpUnheard(1);
  }
  return times;
}

async function enqueue(queue: TaskQueue, count: number): Promise<Task[]> {
  const stored = await queue.enqueueBatch(Array.from({ length: count }, () => ({ type: "email" })));
  return stored.map(({ task }) => task);
}

async function inGroups(
  queue: TaskQueue,
  groups: readonly (string | undefined)[],
): Promise<Task[]> {
  const stored = await queue.enqueueBatch(groups.map((group) => ({ type: "email", group })));
  return stored.map(({ task }) => task);
}

function groupsOf(tasks: readonly Task[]): (string | null)[] {
  return tasks.map(({ group }) => group).sort((a, b) => (a ?? "~") < (b ?? "~") ? -1 : 1);
}

function claim(queue: TaskQueue, request: Partial<ClaimRequest> = {}): Promise<Task[]> {
  return queue.claim({ workerId: "w", types: ["email"], ...request });
}
