/**
 * What every TaskQueue must do with unique tasks. The numbers are those of the cases that flow control was designed by.
 */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { Unique } from "../../src/domain/unique.ts";
import type { ClaimRequest, EnqueueResult, TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, untilPassed, type UseQueue } from "./suite.ts";

const THROTTLE: Unique = { key: "k", mode: "throttle", windowMs: 60_000 };
const DEBOUNCE: Unique = { key: "k", mode: "debounce", windowMs: 5000, maxWaitMs: 30_000 };
const QUEUED: Unique = { key: "k", mode: "queued" };
const INCOMPLETE: Unique = { key: "k", mode: "incomplete" };

/** Registers the suite for one implementation. */
export function uniqueContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour(
    "22: throttle: the first wins for its window, whatever became of it",
    async (queue, clock) => {
      const first = await add(queue, THROTTLE);
      assertEquals([first.outcome, first.created], ["created", true]);
      await queue.cancel(first.task.id);
      await clock.advance(30_000);
      const second = await add(queue, THROTTLE, { payload: 2 });
      assertEquals([second.outcome, second.created, second.task.id], [
        "joined",
        false,
        first.task.id,
      ]);
      assertEquals([second.task.status, second.task.payload], ["cancelled", {}]);
      await clock.advance(29_999);
      assertEquals((await add(queue, THROTTLE)).outcome, "joined");
      await clock.advance(1);
      const third = await add(queue, THROTTLE);
      assertEquals([third.outcome, third.task.id === first.task.id], ["created", false]);
      assertEquals(third.task.uniqueKey, "k");
    },
  );

  behaviour(
    "23: debounce: one start at the latest instant, with the last payload",
    async (queue, clock) => {
      const startMs = clock.nowMs();
      const first = await add(queue, DEBOUNCE, { payload: 0 });
      assertEquals(first.task.runAfter.getTime(), startMs + 5000);
      for (let second = 2; second < 30; second += 2) {
        await clock.advance(2000);
        assertEquals(await claim(queue), []);
        const { outcome, task } = await add(queue, DEBOUNCE, { payload: second });
        assertEquals([outcome, task.id, task.payload], ["replaced", first.task.id, second]);
        const dueMs = Math.min(second * 1000 + 5000, 30_000);
        assertEquals(task.runAfter.getTime() - startMs, dueMs);
      }
      await clock.advance(1999);
      assertEquals(await claim(queue), []);
      await clock.advance(1);
      assertEquals((await claim(queue)).map(({ id, payload }) => [id, payload]), [[
        first.task.id,
        28,
      ]]);
      assertEquals((await add(queue, DEBOUNCE, { payload: "next" })).outcome, "created");
      assertEquals(await queue.count({}), 2);
    },
  );

  behaviour(
    "debounce writes nothing to move the same task by less than a second",
    async (queue, clock) => {
      const { task } = await add(queue, DEBOUNCE);
      await clock.advance(900);
      const again = await add(queue, DEBOUNCE);
      assertEquals([again.outcome, again.task], ["joined", task]);
      await clock.advance(100);
      const moved = await add(queue, DEBOUNCE);
      assertEquals([moved.outcome, moved.task.runAfter], [
        "replaced",
        new Date(task.runAfter.getTime() + 1000),
      ]);
    },
  );

  behaviour("24: what has started is not debounced, nor joined by queued", async (queue, clock) => {
    const first = await add(queue, DEBOUNCE, { payload: 1 });
    await clock.advance(5000);
    const [running] = await claim(queue);
    const second = await add(queue, DEBOUNCE, { payload: 2 });
    assertEquals(second.outcome, "created");
    await queue.fail(running!, new Error("again"), { retryPolicy: { initialDelayMs: 0 } });
    assertEquals((await queue.get(first.task.id))!.status, "queued");
    const third = await add(queue, DEBOUNCE, { payload: 3 });
    assertEquals([third.outcome, third.task.id], ["replaced", second.task.id]);
    assertEquals((await queue.get(first.task.id))!.payload, 1);
    assertEquals((await add(queue, QUEUED)).task.id, second.task.id);
    assertEquals(await queue.count({}), 2);
  });

  behaviour("25: queued: one active, one queued", async (queue) => {
    await add(queue, QUEUED, { payload: "A" });
    const [active] = await claim(queue);
    const waiting = await add(queue, QUEUED, { payload: "B" });
    const joined = await add(queue, QUEUED, { payload: "C" });
    assertEquals([waiting.outcome, joined.outcome], ["created", "joined"]);
    assertEquals([joined.task.id, joined.task.payload], [waiting.task.id, "B"]);
    await queue.complete(active!);
    assertEquals((await add(queue, QUEUED)).task.id, waiting.task.id);
  });

  behaviour("incomplete: joined until the holder is final, through retries", async (queue) => {
    const first = await add(queue, INCOMPLETE);
    const [running] = await claim(queue);
    assertEquals((await add(queue, INCOMPLETE)).task.status, "leased");
    await queue.fail(running!, new Error("again"), { retryPolicy: { initialDelayMs: 0 } });
    assertEquals((await add(queue, INCOMPLETE)).task.id, first.task.id);
    await queue.complete((await claim(queue))[0]!);
    const next = await add(queue, INCOMPLETE);
    assertEquals(next.outcome, "created");
    await queue.cancel(next.task.id);
    const third = await add(queue, INCOMPLETE);
    assertEquals(await queue.retry(next.task.id), true, "a retry never conflicts");
    assertEquals((await add(queue, INCOMPLETE)).task.id, third.task.id);
  });

  behaviour("a task that has expired is joined by none", async (queue, clock) => {
    const expiresAt = new Date(clock.nowMs() + 1300);
    const first = await add(queue, QUEUED, { expiresAt });
    await clock.advance(1299);
    assertEquals((await add(queue, QUEUED)).outcome, "joined");
    await clock.advance(1);
    assertEquals((await add(queue, QUEUED)).outcome, "created");
    const isOver = async (): Promise<boolean> =>
      (await queue.get(first.task.id))!.status === "cancelled";
    await untilPassed(clock, isOver, "the expiry");
  });

  behaviour("26: each type has its own keys", async (queue) => {
    const a = await add(queue, QUEUED);
    const b = await queue.enqueue({ type: "other", unique: QUEUED });
    const c = await add(queue, { ...QUEUED, key: "l" });
    assertEquals([a.outcome, b.outcome, c.outcome], ["created", "created", "created"]);
  });

  behaviour("26: what does not go together is refused, and nothing is stored", async (queue) => {
    const refused: [Omit<Partial<NewTask>, "unique"> & { unique: unknown }, RegExp][] = [
      [{ unique: QUEUED, idempotencyKey: "k" }, /unique together with idempotencyKey: /],
      [
        { unique: { key: "k", mode: "first" } },
        /"first" as mode of unique: allowed are throttle, debounce, queued, incomplete$/,
      ],
      [{ unique: { key: " ", mode: "queued" } }, /blank unique key/],
      [{ unique: { key: "k", mode: "throttle" } }, /windowMs/],
      [{ unique: { key: "k", mode: "queued", windowMs: 5 } }, /windowMs with the mode queued/],
      [{ unique: { ...THROTTLE, maxWaitMs: 60_000 } }, /maxWaitMs with the mode throttle/],
      [{ unique: { ...DEBOUNCE, maxWaitMs: 4999 } }, /maxWaitMs/],
      [{ unique: { ...QUEUED, windowMS: 5 } }, /windowM[sS]/],
      [{ unique: DEBOUNCE, dependsOn: [1] }, /debounce together with dependsOn/],
      [{ unique: DEBOUNCE, runAfter: "2999-01-01T00:00:00Z" }, /debounce together with runAfter/],
    ];
    for (const [fields, message] of refused) {
      const task = { type: "email", ...fields } as NewTask;
      const error = await assertRejects(() => queue.enqueue(task));
      assertMatch(String(error), message);
    }
    assertEquals(await queue.count({}), 0);
  });

  behaviour("tasks of a batch join those before them, and stand in as parents", async (queue) => {
    const there = await add(queue, INCOMPLETE);
    await queue.complete((await claim(queue))[0]!);
    const results = await queue.enqueueBatch([
      { type: "email", runId: "a", unique: THROTTLE },
      { type: "email", runId: "b", unique: { ...QUEUED, key: "new" } },
      { type: "email", runId: "c", unique: { ...QUEUED, key: "new" } },
      { type: "email", runId: "d", unique: { ...DEBOUNCE, key: "late" }, payload: 1 },
      { type: "email", runId: "e", unique: { ...DEBOUNCE, key: "late" }, payload: 2 },
      { type: "other", runId: "f", dependsOn: ["a"] },
      { type: "other", runId: "g", dependsOn: ["c"] },
    ]);
    assertEquals(results.map(({ outcome }) => outcome), [
      ...["joined", "created", "joined", "created", "replaced", "created", "created"],
    ]);
    const [a, b, c, d, e, f, g] = results.map(({ task }) => task);
    assertEquals([a!.id, c!.id, e!.id], [there.task.id, b!.id, d!.id]);
    assertEquals([d!.payload, e!.payload, (await queue.get(d!.id))!.payload], [2, 2, 2]);
    assertEquals([f!.waitsFor, g!.waitsFor], [0, 1], "one parent has completed, one is new");
    assertEquals(await queue.getByRunId("c"), undefined);
    await queue.complete((await claim(queue))[0]!);
    assertEquals((await queue.get(g!.id))!.waitsFor, 0);
  });

  behaviour("a schedule's tasks are unique as it says", async (queue, clock) => {
    const unique: Unique = { key: "s", mode: "queued" };
    const cron = "* * * * *";
    const { schedule } = await queue.addSchedule({
      ...{ id: "s", type: "email", cron, overlap: true, unique },
    });
    assertEquals(schedule.unique, unique);
    const fired = (count: number) => async (): Promise<boolean> =>
      (await queue.getSchedule("s"))!.firings >= count;
    await clock.advance(60_000);
    await untilPassed(clock, fired(1), "the first firing");
    await clock.advance(60_000);
    await untilPassed(clock, fired(2), "the second firing");
    assertEquals((await queue.list()).map(({ uniqueKey }) => uniqueKey), ["s"]);
  });

  behaviour("a replacement has the key of the task that it replaces", async (queue) => {
    const { task } = await add(queue, QUEUED);
    const replaced = await queue.replace(task.id, { payload: "new" });
    assertEquals(replaced.uniqueKey, "k");
    assertEquals((await add(queue, QUEUED)).task.id, replaced.id);
  });

  behaviour("what joins another waits for none of its own parents", async (queue) => {
    const child = await queue.enqueue({
      type: "other",
      dependsOn: [(await add(queue, QUEUED)).task.id],
    });
    const joined = await add(queue, QUEUED, { dependsOn: [child.task.id] });
    assertEquals([joined.outcome, joined.task.waitsFor], ["joined", 0]);
  });
}

function add(
  queue: TaskQueue,
  unique: Unique,
  fields: Partial<NewTask> = {},
): Promise<EnqueueResult> {
  return queue.enqueue({ type: "email", ...fields, unique });
}

function claim(queue: TaskQueue, request: Partial<ClaimRequest> = {}): Promise<Task[]> {
  return queue.claim({
    workerId: "w",
    types: ["email"],
    limit: 1,
    leaseDurationMs: 3_600_000,
    ...request,
  });
}
