/**
 * What a TaskQueue whose groups take turns must do with them. The numbers are those of the cases that flow control was designed by.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { NewTask, Task } from "../../src/domain/task.ts";
import { CLAIM_ORDERS } from "../../src/domain/claim_order.ts";
import type { ClaimRequest, TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, untilClaimed, untilPassed, untilRescued, type UseQueue } from "./suite.ts";

const HOUR_MS = 3_600_000;

/** Registers the suite for one implementation. */
export function groupsContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("7: a lower limit of a group ends nothing, a higher one opens it", async (queue) => {
    await queue.setLimit({ group: "a" }, { concurrency: 5 });
    await enqueue(queue, "a", 12);
    const running = await claim(queue, { limit: 9 });
    assertEquals(running.length, 5);
    await queue.setLimit({ group: "a" }, { concurrency: 2 });
    for (const task of running.slice(0, 3)) {
      await queue.complete(task);
      assertEquals(await claim(queue), []);
    }
    await queue.complete(running[3]!);
    assertEquals((await claim(queue, { limit: 9 })).length, 1);
    await queue.setLimit({ group: "a" }, { concurrency: 4 });
    assertEquals((await claim(queue, { limit: 9 })).length, 2);
    await queue.setLimit({ group: "a" }, null);
    assertEquals((await claim(queue, { limit: 9 })).length, 4);
  });

  behaviour("7: groups that a limit of each has closed open when it rises", async (queue) => {
    await queue.setLimit({ type: "t", group: "*" }, { concurrency: 1 });
    const tasks = Array.from({ length: 1200 }, (_, i) => ({ type: "t", group: `g${i % 600}` }));
    await queue.enqueueBatch(tasks);
    assertEquals(groupsOf(await claim(queue, { limit: 1000 })).length, 600);
    assertEquals(await claim(queue, { limit: 1000 }), []);
    await queue.setLimit({ type: "t", group: "*" }, { concurrency: 3 });
    assertEquals((await claim(queue, { limit: 1000 })).length, 600);
  });

  behaviour("8: a full group does not hold up another", async (queue) => {
    await queue.setLimit({ type: "t", group: "full" }, { concurrency: 1 });
    await enqueue(queue, "full", 300);
    const [running] = await claim(queue);
    assertEquals(await claim(queue), []);
    const [other] = await enqueue(queue, "b", 1);
    assertEquals((await claim(queue, { limit: 9 })).map(({ id }) => id), [other!.id]);
    await queue.fail(running!, new Error("again"));
    assertEquals(groupsOf(await claim(queue, { limit: 9 })), ["full"]);
  });

  behaviour("9: a type's limit and one of each of its groups hold together", async (queue) => {
    await queue.setLimit({ type: "t" }, { concurrency: 3 });
    await queue.setLimit({ type: "t", group: "*" }, { concurrency: 2 });
    await enqueue(queue, "a", 5);
    await enqueue(queue, "b", 5);
    const running = await claim(queue, { limit: 9 });
    assertEquals(groupsOf(running), ["a", "b", "a"]);
    assertEquals(await claim(queue), []);
    await queue.complete(running[1]!);
    const [next] = await claim(queue, { limit: 9 });
    assertEquals(next!.group, "b");
    await queue.complete(running[0]!);
    await queue.complete(running[2]!);
    assertEquals(groupsOf(await claim(queue, { limit: 9 })), ["a", "b"]);
    assertEquals(await claim(queue), []);
  });

  behaviour("10: a limit of a group over all types", async (queue) => {
    await queue.setLimit({ group: "a" }, { concurrency: 1 });
    await queue.enqueueBatch([{ type: "x", group: "a" }, { type: "y", group: "a" }]);
    const both = { types: ["x", "y"], limit: 9 };
    const [first, ...more] = await claim(queue, both);
    assertEquals([first?.type, more.length], ["x", 0]);
    const y = (await queue.list({ type: "y" }))[0]!;
    assertEquals(await claim(queue, { types: [], taskId: y.id }), [], "by its id");
    const why = await queue.explain(y.id);
    assertEquals(why?.reason, "concurrency_limited");
    assertEquals(why?.data.scope, { group: "a" });
    assertMatch(why!.summary, /group "a" uses its 1 slot: task 1 \(worker "w", lease until/);
    await queue.complete(first!);
    assertEquals((await claim(queue, both)).map(({ type }) => type), ["y"]);
  });

  behaviour(
    "11: a cancelled task keeps its group's slot until it has stopped",
    async (queue, clock) => {
      await queue.setLimit({ type: "t", group: "*" }, { concurrency: 1 });
      await enqueue(queue, "a", 3);
      const [first] = await claim(queue, { leaseDurationMs: 10_000 });
      await queue.cancel(first!.id);
      assertEquals(await claim(queue), []);
      await queue.release(first!);
      const [second] = await claim(queue, { leaseDurationMs: 10_000 });
      await queue.cancel(second!.id);
      assertEquals(await claim(queue), []);
      await clock.advance(10_000);
      assertEquals((await claim(queue)).length, 1);
    },
  );

  behaviour("6: a rescue frees a group's slot", async (queue, clock) => {
    await queue.setLimit({ group: "a" }, { concurrency: 1 });
    await enqueue(queue, "a", 2);
    const [first] = await claim(queue, { leaseDurationMs: 10_000 });
    assertEquals(await claim(queue), []);
    await clock.advance(10_001);
    await untilRescued(queue, clock, first!.id);
    const again = await untilClaimed(() => claim(queue, { limit: 9 }));
    assertEquals(again.map(({ id }) => id), [first!.id]);
  });

  behaviour(
    "16: one task beside 2,000 of another group waits for two starts at most",
    async (queue) => {
      await enqueue(queue, "a", 2000);
      for (let i = 0; i < 5; i++) await claim(queue);
      await enqueue(queue, "b", 1);
      assert(groupsOf(await claim(queue, { limit: 2 })).includes("b"));
    },
  );

  behaviour("17: starts divide by weight", async (queue) => {
    await queue.setLimit({ type: "t", group: "a" }, { weight: 3 });
    await enqueue(queue, "a", 400);
    await enqueue(queue, "b", 400);
    let starts = 0;
    for (const limit of [1, 7, 32, 100, 60, 200]) {
      starts += groupsOf(await claim(queue, { limit })).filter((group) => group === "a").length;
    }
    assert(Math.abs(starts - 300) <= 1, `${starts} starts of 400`);
  });

  behaviour("18: a group has no credit for the time in which it was idle", async (queue) => {
    await enqueue(queue, "a", 30);
    // one claim forgets only some of the groups that have become idle: the last is still known by its old turn
    for (const group of ["b", "c", "d", "e"]) await enqueue(queue, group, 1);
    await claim(queue, { limit: 20 });
    await enqueue(queue, "e", 10);
    assertAlternating(await claim(queue, { limit: 10 }));
  });

  behaviour("18: nor for that in which it was paused or full", async (queue) => {
    await enqueue(queue, "a", 60);
    await enqueue(queue, "b", 60);
    await queue.pause({ group: "b" }, { reason: "unpaid", by: "ops" });
    assertEquals(new Set(groupsOf(await claim(queue, { limit: 20 }))), new Set(["a"]));
    assertEquals((await queue.explain(61))!.reason, "paused");
    assertEquals((await queue.explain(61))!.data.scope, { group: "b" });
    await queue.resume({ group: "b" });
    assertAlternating(await claim(queue, { limit: 10 }));
    await queue.setLimit({ group: "b" }, { concurrency: 1 });
    assertEquals(new Set(groupsOf(await claim(queue, { limit: 10 }))), new Set(["a"]));
    await queue.setLimit({ group: "b" }, null);
    assertAlternating(await claim(queue, { limit: 10 }));
  });

  behaviour(
    "18: nor for that in which each group was paused and others started",
    async (queue) => {
      await enqueue(queue, "a", 20);
      await enqueue(queue, undefined, 20);
      await queue.pause({ group: "*" });
      assertEquals(groupsOf(await claim(queue, { limit: 9 })), Array(9).fill(null));
      await queue.resume({ group: "*" });
      assertAlternating(await claim(queue, { limit: 10 }));
    },
  );

  behaviour("18: nor have tasks without a group that come later", async (queue) => {
    await enqueue(queue, "a", 40);
    assertEquals((await claim(queue, { limit: 20 })).length, 20);
    await enqueue(queue, undefined, 10);
    const groups = groupsOf(await claim(queue, { limit: 10 }));
    assert(groups.filter((group) => group === null).length <= 6, groups.join());
    assert(groups.includes(null));
  });

  behaviour("19: groups that come to idle rows alternate at once", async (queue) => {
    await enqueue(queue, "a", 9);
    await enqueue(queue, "b", 1);
    for (const task of await claim(queue, { limit: 20 })) await queue.complete(task);
    await enqueue(queue, "c", 6);
    await enqueue(queue, "a", 6);
    const started = await claim(queue, { limit: 8 });
    assertAlternating(started);
  });

  behaviour("20: priority decides inside a group, and not between groups", async (queue) => {
    await enqueue(queue, "a", 3, { priority: 1 });
    await enqueue(queue, "b", 2, { priority: 100 });
    await enqueue(queue, "b", 1, { priority: 50 });
    const started = await claim(queue, { limit: 6 });
    assertAlternating(started);
    const priorities = started.filter(({ group }) => group === "b").map(({ priority }) => priority);
    assertEquals(priorities, [50, 100, 100]);
  });

  behaviour(
    "tasks without a group take turns as one, and a pause of each is not theirs",
    async (queue) => {
      await enqueue(queue, undefined, 5);
      await enqueue(queue, "a", 3);
      await enqueue(queue, undefined, 5);
      assertAlternating(await claim(queue, { limit: 6 }));
      await enqueue(queue, "a", 3);
      await queue.pause({ type: "t", group: "*" });
      assertEquals(groupsOf(await claim(queue, { limit: 9 })), Array(7).fill(null));
      assertEquals(await claim(queue), []);
      await queue.resume({ type: "t", group: "*" });
      assertEquals(groupsOf(await claim(queue, { limit: 9 })), ["a", "a", "a"]);
    },
  );

  behaviour("2: a pause of a group ends by itself, and workers know when", async (queue, clock) => {
    await enqueue(queue, "a", 1);
    const until = new Date(clock.nowMs() + HOUR_MS);
    await queue.pause({ group: "a" }, { until });
    assertEquals(await claim(queue), []);
    assertEquals(await queue.nextDueAt(), until);
    await clock.advance(HOUR_MS - 1);
    assertEquals(await claim(queue), []);
    await clock.advance(1);
    assertEquals((await claim(queue)).length, 1);
  });

  for (const order of CLAIM_ORDERS) {
    behaviour(`every task of every group starts once under ${order}`, async (queue, clock) => {
      const tasks: NewTask[] = Array.from({ length: 60 }, (_, i) => ({
        type: i % 3 === 0 ? "u" : "t",
        group: [undefined, "a", "b", "c"][i % 4],
        priority: 1 + i % 5,
        runAfter: i % 10 === 0 ? new Date(clock.nowMs() + 1000) : undefined,
      }));
      await queue.enqueueBatch(tasks);
      await queue.setLimit({ type: "t", group: "*" }, { concurrency: 2 });
      const started: number[] = [];
      await untilPassed(clock, async () => {
        const claimed = await claim(queue, { types: ["t", "u"], limit: 5, strategy: order });
        for (const task of claimed) await queue.complete(task);
        started.push(...claimed.map(({ id }) => id));
        return started.length >= 60;
      }, "60 starts");
      assertEquals(new Set(started).size, 60);
      assertEquals(started.length, 60);
    });
  }

  behaviour("explain() says how groups take turns", async (queue) => {
    await enqueue(queue, "a", 3);
    await enqueue(queue, "b", 1);
    await queue.enqueue({ type: "t" });
    await queue.setLimit({ group: "a" }, { weight: 0.5 });
    const beat = { workerId: "w", types: ["t"], concurrency: 1, capabilities: {} };
    await queue.heartbeat(beat);
    const why = (await queue.explain(3))!;
    assertEquals(why.reason, "behind_others");
    assertMatch(
      why.summary,
      /^Task 3 is due, 2 tasks of group "a" come first, and 2 other groups take turns with it \(weight 0.5\)/,
    );
  });

  behaviour(
    "listLimits() tells a group's limit, and how many tasks of full groups wait",
    async (queue) => {
      await queue.setLimit({ type: "t", group: "*" }, { concurrency: 1, weight: 2 }, { by: "ops" });
      await queue.setLimit({ type: "t", group: "b" }, { concurrency: 2 });
      await enqueue(queue, "a", 3);
      await enqueue(queue, "b", 1);
      await enqueue(queue, undefined, 1);
      await claim(queue, { limit: 3 });
      const [each, b, ...more] = await queue.listLimits();
      assertEquals(more, []);
      assertEquals([each?.scope, each?.concurrency, each?.weight, each?.held, each?.blocked], [
        { type: "t", group: "*" },
        1,
        2,
        2,
        2,
      ]);
      assertEquals([b?.scope, b?.weight, b?.held, b?.blocked], [
        { type: "t", group: "b" },
        null,
        1,
        0,
      ]);
      const { dueSplit, limits } = await queue.metrics();
      assertEquals(dueSplit, { claimable: 0, paused: 0, atConcurrency: 2, atRate: 0 });
      assertEquals(limits.map(({ blocked }) => blocked), [2, 0]);
    },
  );

  behaviour("wrong limits of groups are refused before any effect", async (queue) => {
    await assertRejects(
      () => queue.setLimit({ group: "" }, { weight: 1 }),
      TypeError,
      "blank group",
    );
    await assertRejects(
      () => queue.setLimit({ type: "t" }, { weight: 1 }),
      TypeError,
      "take turns",
    );
    await assertRejects(() => queue.setLimit({ group: "a" }, {}), TypeError, "give one");
    for (const weight of [0, -1, 101, NaN, "1"]) {
      await assertRejects(
        () => queue.setLimit({ group: "a" }, { weight: weight as number }),
        RangeError,
        "from 0.01 to 100",
      );
    }
    assertEquals(await queue.listLimits(), []);
  });
}

/** Enqueues tasks of one group, in one batch. */
async function enqueue(
  queue: TaskQueue,
  group: string | undefined,
  count: number,
  fields: Partial<NewTask> = {},
): Promise<Task[]> {
  const tasks = Array.from({ length: count }, () => ({ type: "t", group, ...fields }));
  return (await queue.enqueueBatch(tasks)).map(({ task }) => task);
}

function claim(queue: TaskQueue, request: Partial<ClaimRequest> = {}): Promise<Task[]> {
  return queue.claim({ workerId: "w", types: ["t"], ...request });
}

function groupsOf(tasks: readonly Task[]): (string | null)[] {
  return tasks.map(({ group }) => group);
}

/** Two groups take turns. */
function assertAlternating(tasks: readonly Task[]): void {
  const groups = groupsOf(tasks);
  assertEquals(new Set(groups).size, 2, groups.join());
  for (const [i, group] of groups.entries()) {
    if (i > 1) assertEquals(group, groups[i - 2], groups.join());
  }
}
