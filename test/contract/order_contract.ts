/**
 * What every TaskQueue must do with tasks of one ordering key. The numbers are those of the cases that flow control was designed by.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { PermanentError, RetryAfterError } from "../../src/domain/errors.ts";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { ClaimRequest, TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, untilClaimed, untilPassed, untilRescued, type UseQueue } from "./suite.ts";

const HOLD = { onPredecessorFailure: "hold" } as const;

/** Registers the suite for one implementation; `useQueue` gives queues that are also operators. */
export function orderContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour(
    "29: one at a time, by age, through backoff and cancellations",
    async (queue, clock) => {
      const [a, b, c] = await chain(queue, 3);
      const other = await add(queue, { orderingKey: "other" });
      const free = await add(queue, { orderingKey: undefined });
      assertEquals([a!.waitsFor, b!.waitsFor, c!.waitsFor], [0, 1, 1]);
      assertEquals([a!.orderingKey, other.orderingKey, free.orderingKey], ["k", "other", null]);
      const [first, ...rest] = await claim(queue, { limit: 10 });
      assertEquals([first!.id, ...rest.map(({ id }) => id)], [a!.id, other.id, free.id]);
      await queue.fail(first!, new RetryAfterError(60_000));
      await queue.cancel(b!.id);
      await clock.advance(59_999);
      assertEquals(await claim(queue), []);
      assertEquals(await claim(queue, { taskId: c!.id }), []);
      await clock.advance(1);
      assertEquals(idsOf(await claim(queue)), [a!.id]);
      assertEquals(await claim(queue), []);
      await queue.complete((await queue.get(a!.id))!);
      assertEquals(idsOf(await claim(queue)), [c!.id]);
    },
  );

  behaviour("30: hold: what comes after one that failed for good waits", async (queue) => {
    const [a] = await chain(queue, 1);
    const [b, c] = await chain(queue, 2, HOLD);
    await queue.fail((await claim(queue))[0]!, new PermanentError("broken"));
    assertEquals(await claim(queue), []);
    const { reason, summary, data } = await explain(queue, b!.id);
    assertEquals([reason, data.is_held_by_failure], ["behind_in_order", true]);
    assertMatch(summary, new RegExp(`^Task ${b!.id} waits until task ${a!.id} \\(failed\\)`));
    assertMatch((await explain(queue, c!.id)).summary, new RegExp(`waits for task ${b!.id} `));
    assertEquals(await queue.cancel(a!.id), true);
    assertEquals((await queue.get(a!.id))!.status, "cancelled");
    assertEquals(await queue.cancel(a!.id), false);
    assertEquals(idsOf(await claim(queue)), [b!.id]);
  });

  behaviour("hold: a retry goes first, and its success lets the others go on", async (queue) => {
    const [a, b] = await chain(queue, 2, HOLD);
    await queue.fail((await claim(queue))[0]!, new PermanentError("broken"));
    const late = await add(queue, HOLD);
    assertEquals([await claim(queue), late.waitsFor], [[], 1]);
    await queue.retry(a!.id);
    assertEquals(await runAll(queue), [a!.id, b!.id, late.id]);
  });

  behaviour("hold: a replacement goes first, and stands for the failed one", async (queue) => {
    const [a, b] = await chain(queue, 2, HOLD);
    await queue.fail((await claim(queue))[0]!, new PermanentError("broken"));
    const replaced = await queue.replace(a!.id, { payload: "mended" });
    const { status, errorMessage } = (await queue.get(a!.id))!;
    assertEquals([status, errorMessage], ["cancelled", `Replaced by run ${replaced.runId}`]);
    assertEquals([replaced.waitsFor, await runAll(queue)], [0, [replaced.id, b!.id]]);
  });

  behaviour("hold: the removal of the failed one lets the others go on", async (queue) => {
    const [a, b] = await chain(queue, 2, HOLD);
    await queue.fail((await claim(queue))[0]!, new PermanentError("broken"));
    assertEquals(await claim(queue), []);
    await queue.remove(a!.id);
    assertEquals(idsOf(await claim(queue)), [b!.id]);
  });

  behaviour("hold: the end of one that is held up lets those behind it go on", async (queue) => {
    const [a, parent] = [await add(queue), await add(queue, { orderingKey: undefined })];
    const [b, c] = await chain(queue, 2, HOLD);
    const d = await add(queue, { ...HOLD, dependsOn: [parent.id] });
    const e = await add(queue);
    const [first, second] = await claim(queue, { limit: 2 });
    assertEquals([first!.id, second!.id], [a.id, parent.id]);
    await queue.fail(first!, new PermanentError("broken"));
    await queue.cancel(b!.id);
    await queue.remove(c!.id);
    assertEquals(await claim(queue), []);
    await queue.fail(second!, new PermanentError("broken"));
    assertEquals((await queue.get(d.id))!.status, "failed");
    assertEquals(idsOf(await claim(queue)), [e.id]);
  });

  behaviour("continue, the default: what comes after a failed one runs", async (queue) => {
    const [, b] = await chain(queue, 2);
    await queue.fail((await claim(queue))[0]!, new PermanentError("broken"));
    assertEquals(idsOf(await claim(queue)), [b!.id]);
    assertEquals(await queue.cancel((await queue.list({ status: "failed" }))[0]!.id), false);
  });

  behaviour("31: a batch is a chain in its order, with one head", async (queue) => {
    const tasks = Array.from({ length: 50 }, () => ({ type: "email", orderingKey: "k" }));
    const stored = await queue.enqueueBatch(tasks);
    assertEquals(stored.filter(({ task }) => task.waitsFor === 0).length, 1);
    assertEquals(await runAll(queue), stored.map(({ task }) => task.id));
  });

  behaviour("a lease that is lost gives no turn away", async (queue, clock) => {
    const [a, b] = await chain(queue, 2);
    await claim(queue, { leaseDurationMs: 1000 });
    assertEquals(await claim(queue), []);
    await clock.advance(1000);
    await untilRescued(queue, clock, a!.id);
    assertEquals(idsOf(await untilClaimed(() => claim(queue, { limit: 5 }))), [a!.id]);
    await queue.complete((await queue.get(a!.id))!);
    assertEquals(idsOf(await claim(queue)), [b!.id]);
  });

  behaviour("a release gives no turn away", async (queue) => {
    const [a] = await chain(queue, 2);
    await queue.release((await claim(queue))[0]!);
    assertEquals(idsOf(await claim(queue, { limit: 5 })), [a!.id]);
  });

  behaviour("one that is due later holds up those behind it", async (queue, clock) => {
    const later = await add(queue, { runAfter: new Date(clock.nowMs() + 10_000) });
    const next = await add(queue, { priority: 1 });
    assertEquals(await claim(queue), []);
    const { reason, summary } = await explain(queue, next.id);
    assertEquals(reason, "behind_in_order");
    assertMatch(summary, new RegExp(`waits for task ${later.id} \\(queued, due at .*"k"`));
    await clock.advance(10_000);
    assertEquals(await runAll(queue), [later.id, next.id]);
  });

  behaviour("one that waits for a parent holds up those behind it", async (queue) => {
    const parent = await add(queue, { orderingKey: undefined, type: "parent" });
    const child = await add(queue, { dependsOn: [parent.id] });
    const next = await add(queue, { dependsOn: [parent.id] });
    assertEquals([child.waitsFor, next.waitsFor], [1, 2]);
    assertEquals(await claim(queue), []);
    assertEquals((await explain(queue, next.id)).reason, "waiting_for_parents");
    const [held] = await claim(queue, { types: ["parent"] });
    await queue.complete(held!);
    assertEquals((await explain(queue, next.id)).data.predecessor !== undefined, true);
    assertEquals(await runAll(queue), [child.id, next.id]);
  });

  behaviour("a parent's failure ends its child, and the turn goes on", async (queue) => {
    const parent = await add(queue, { orderingKey: undefined, type: "parent" });
    const child = await add(queue, { dependsOn: [parent.id] });
    const next = await add(queue);
    await queue.cancel(parent.id);
    assertEquals((await queue.get(child.id))!.status, "failed");
    assertEquals(idsOf(await claim(queue)), [next.id]);
  });

  behaviour(
    "one that is retried by hand goes before those that have not started",
    async (queue) => {
      const [a, b, c] = await chain(queue, 3);
      await queue.cancel(a!.id);
      const [running] = await claim(queue);
      assertEquals(running!.id, b!.id);
      await queue.retry(a!.id);
      assertEquals((await explain(queue, a!.id)).data.predecessor, {
        ...{ task_id: b!.id, run_id: b!.runId, status: "leased", attempts: 1 },
        run_after: (await queue.get(b!.id))!.runAfter.toISOString(),
      });
      assertEquals(await claim(queue), []);
      await queue.release(running!);
      assertEquals(await runAll(queue), [a!.id, b!.id, c!.id]);
    },
  );

  behaviour("a replacement has the place of the task that it replaces", async (queue) => {
    const [a, b] = await chain(queue, 2);
    const replaced = await queue.replace(a!.id, { payload: 1 });
    assertEquals([replaced.orderingKey, replaced.orderingPlace], ["k", a!.id]);
    const again = await queue.replace(replaced.id, { payload: 2 });
    assertEquals([again.orderingPlace, again.waitsFor], [a!.id, 0]);
    const second = await queue.replace(b!.id, { payload: 3 });
    assertEquals(second.waitsFor, 1);
    const last = await add(queue);
    assertEquals(await runAll(queue), [again.id, second.id, last.id]);
  });

  behaviour("a replacement with a child behind it is no circle", async (queue) => {
    const [parent] = await chain(queue, 1);
    const child = await add(queue, { dependsOn: [parent!.id] });
    const replaced = await queue.replace(parent!.id, { payload: 1 });
    assertEquals(await runAll(queue), [replaced.id, child.id]);
  });

  behaviour("an update changes neither key nor turn", async (queue) => {
    const [a, b] = await chain(queue, 2);
    const updated = await queue.update(b!.id, { priority: 1, delayMs: 0 });
    assertEquals([updated.priority, updated.waitsFor], [1, 1]);
    assertEquals(await runAll(queue), [a!.id, b!.id]);
  });

  behaviour("one that expires gives its turn to the next", async (queue, clock) => {
    const [a, b] = await chain(queue, 2, { expiresAt: new Date(clock.nowMs() + 1000) });
    const c = await add(queue);
    await queue.pause({});
    await clock.advance(1000);
    const isOver = async (): Promise<boolean> => (await queue.get(b!.id))!.status === "cancelled";
    await untilPassed(clock, isOver, "the expiry");
    await queue.resume({});
    assertEquals((await queue.get(a!.id))!.status, "cancelled");
    assertEquals(idsOf(await claim(queue)), [c.id]);
  });

  behaviour("a debounced holder keeps its place behind others", async (queue, clock) => {
    const [a] = await chain(queue, 1);
    const unique = { key: "u", mode: "debounce", windowMs: 1000 } as const;
    await add(queue, { unique });
    const { task, outcome } = await queue.enqueue({ type: "email", payload: 2, unique });
    assertEquals([outcome, task.waitsFor], ["replaced", 1]);
    await clock.advance(1000);
    assertEquals(await runAll(queue), [a!.id, task.id]);
  });

  behaviour("keys hold over types, groups and priorities; limits hold beside", async (queue) => {
    const a = await add(queue, { type: "sms" });
    const b = await add(queue, { priority: 1 });
    assertEquals(await claim(queue), []);
    await queue.setLimit({ type: "sms" }, { concurrency: 1 });
    const busy = await add(queue, { type: "sms", orderingKey: "z", priority: 1 });
    const types = ["sms", "email"];
    const [first, ...none] = await claim(queue, { types, limit: 10 });
    assertEquals([first!.id, none.length], [busy.id, 0]);
    await queue.complete(first!);
    assertEquals(await runAll(queue, types), [a.id, b.id]);
  });

  behaviour("a first lease is given only to the one whose turn it is", async (queue) => {
    const lease = { leaseTo: { workerId: "w", leaseDurationMs: 60_000 } };
    const first = await queue.enqueue({ type: "email", orderingKey: "k" }, lease);
    const second = await queue.enqueue({ type: "email", orderingKey: "k" }, lease);
    assertEquals([first.task.status, second.task.status], ["leased", "queued"]);
    await queue.complete(first.task);
    assertEquals(idsOf(await claim(queue)), [second.task.id]);
  });

  behaviour("what a completion stores comes behind it", async (queue) => {
    const [a, b] = await chain(queue, 2);
    const [running] = await claim(queue);
    assertEquals(running!.id, a!.id);
    await queue.complete(running!, null, { enqueue: [{ type: "email", orderingKey: "k" }] });
    const ids = await runAll(queue);
    assertEquals([ids[0], ids.length], [b!.id, 2]);
  });

  behaviour("a batch that would wait for itself is refused, and nothing stored", async (queue) => {
    const tasks: NewTask[] = [
      { type: "email", runId: "first", orderingKey: "k", dependsOn: ["middle"] },
      { type: "email", runId: "middle", dependsOn: ["last"] },
      { type: "email", runId: "last", orderingKey: "k" },
    ];
    const error = await assertRejects(() => queue.enqueueBatch(tasks));
    assertMatch(
      String(error),
      /in a circle: \[0\] "first" → \[1\] "middle" → \[2\] "last" → \[0\] "first"$/,
    );
    const short: NewTask[] = [
      { type: "email", orderingKey: "k", dependsOn: ["last"] },
      { type: "email", runId: "last", orderingKey: "k" },
    ];
    assertMatch(
      String(await assertRejects(() => queue.enqueueBatch(short))),
      // an engine may have given it a run id
      /in a circle: \[0\]( "[-0-9a-z]+")? → \[1\] "last" → \[0\]( "[-0-9a-z]+")?$/,
    );
    assertEquals(await queue.count({}), 0);
  });

  behaviour("wrong ordering keys are refused, and nothing stored", async (queue) => {
    const wrong: readonly (readonly [Partial<NewTask>, RegExp])[] = [
      [{ orderingKey: "" }, /ordering key/],
      [{ orderingKey: "a".repeat(201) }, /ordering key/],
      [{ orderingKey: "a\nb" }, /ordering key/],
      [{ orderingKey: 5 as unknown as string }, /ordering key/],
      [{ ...HOLD, orderingKey: undefined }, /without orderingKey/],
      [{ onPredecessorFailure: "stop" as "hold" }, /onPredecessorFailure/],
    ];
    for (const [fields, message] of wrong) {
      const error = await assertRejects(() => add(queue, fields));
      assert(error instanceof TypeError || error instanceof RangeError, String(error));
      assertMatch(error.message, message);
    }
    assertEquals(await queue.count({}), 0);
  });

  behaviour("a schedule's tasks have its ordering key", async (queue, clock) => {
    const { schedule } = await queue.addSchedule({
      ...{ id: "s", type: "email", cron: "* * * * *", overlap: true, orderingKey: "k", ...HOLD },
    });
    assertEquals([schedule.orderingKey, schedule.onPredecessorFailure], ["k", "hold"]);
    for (const count of [1, 2]) {
      await clock.advance(60_000);
      const isFired = async (): Promise<boolean> => {
        return (await queue.getSchedule("s"))!.firings >= count;
      };
      await untilPassed(clock, isFired, `firing ${count}`);
    }
    const [second, first] = await queue.list();
    assertEquals([first!.orderingKey, first!.waitsFor, second!.waitsFor], ["k", 0, 1]);
  });
}

function chain(queue: TaskQueue, count: number, fields: Partial<NewTask> = {}): Promise<Task[]> {
  const tasks = Array.from(
    { length: count },
    () => ({ type: "email", orderingKey: "k", ...fields }),
  );
  return queue.enqueueBatch(tasks).then((stored) => stored.map(({ task }) => task));
}

async function add(queue: TaskQueue, fields: Partial<NewTask> = {}): Promise<Task> {
  return (await queue.enqueue({ type: "email", orderingKey: "k", ...fields })).task;
}

function claim(queue: TaskQueue, request: Partial<ClaimRequest> = {}): Promise<Task[]> {
  const asked = { workerId: "w", types: ["email"], limit: 1, leaseDurationMs: 3_600_000 };
  return queue.claim({ ...asked, ...request });
}

/** Runs what can be run, one after the other; the ids in the order of their starts. */
async function runAll(queue: TaskQueue, types = ["email"]): Promise<number[]> {
  const ids: number[] = [];
  for (;;) {
    const [task, ...more] = await claim(queue, { types, limit: 10 });
    assertEquals(more, []);
    if (task === undefined) return ids;
    ids.push(task.id);
    await queue.complete(task);
  }
}

function idsOf(tasks: readonly Task[]): number[] {
  return tasks.map(({ id }) => id);
}

async function explain(
  queue: TaskQueue,
  id: number,
): Promise<NonNullable<Awaited<ReturnType<TaskQueue["explain"]>>>> {
  return (await queue.explain(id))!;
}
