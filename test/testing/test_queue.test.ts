/**
 * The test kit: on the real engine and worker, with a clock that the test moves.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { HandlerRegistry, StorageError } from "../../src/mod.ts";
import { openTestQueue } from "../../testing/test_queue.ts";

Deno.test("five attempts with backoffs of minutes", async () => {
  const handlers = new HandlerRegistry().register("email", () => {
    throw new Error("no connection");
  }, { retryPolicy: { initialDelayMs: 60_000, maxDelayMs: 3_600_000 } });
  await using test = await openTestQueue({ handlers });
  const { task } = await test.queue.enqueue({ type: "email" });
  await test.drain();
  await test.assertTask(task.id, { status: "queued", attempts: 1 });
  await test.advance(15 * 60_000);
  await test.assertTask(task.id, { status: "failed", attempts: 5, errorMessage: "no connection" });
});

Deno.test("drain() runs what is due and what that causes, and time stands still", async () => {
  await using test = await openTestQueue();
  const seen: unknown[] = [];
  test.handlers.register("first", (_task, context) => {
    context.enqueue({ type: "second", payload: 2, dependsOn: [] });
    context.enqueue({ type: "second", payload: 3, runAfter: new Date(test.clock.nowMs() + 5000) });
  }).register("second", async ({ payload }) => {
    await new Promise((resume) => setTimeout(resume, 2)); // work in real time is waited for
    seen.push(payload);
  });
  await test.queue.enqueue({ type: "first" });
  await test.queue.enqueue({ type: "unknown" });
  const startMs = test.clock.nowMs();
  await test.drain();
  assertEquals([seen, test.clock.nowMs() - startMs], [[2], 0]);
  await test.advance(5000);
  await test.drain();
  assertEquals(seen, [2, 3]);
  const tasks = await test.assertCount("second", 2);
  assertEquals(tasks.map(({ status }) => status), ["completed", "completed"]);
});

Deno.test("advance() fires schedules and timeouts at their times", async () => {
  await using test = await openTestQueue();
  const times: number[] = [];
  const startMs = test.clock.nowMs();
  test.handlers
    .register("tick", () => void times.push((test.clock.nowMs() - startMs) / 60_000))
    .register("slow", (_task, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      }), { timeoutMs: 30_000 });
  await test.queue.addSchedule({ id: "s", type: "tick", cron: "*/10 * * * *" });
  await test.queue.enqueue({ type: "slow", runId: "slow", maxAttempts: 1 });
  await test.advance(31 * 60_000);
  assertEquals(times.map(Math.floor), [10, 20, 30]);
  await test.assertTask("slow", { status: "failed", attempts: 1 });
});

Deno.test("failNext() fails attempts, and assertions name what is another", async () => {
  await using test = await openTestQueue({ retryPolicy: { initialDelayMs: 1000 } });
  test.handlers.register("t", () => "done");
  test.failNext("t", { times: 2, error: new Error("disk full") });
  await test.queue.enqueue({ type: "t", runId: "r" });
  await test.drain();
  await test.assertTask("r", { status: "queued", errorMessage: "disk full" });
  await test.advance(10_000);
  await test.assertTask("r", { status: "completed", attempts: 3, result: "done" });
  await assertRejects(
    () => test.assertTask("r", { status: "failed", attempts: 3 }),
    Error,
    'Task 1 (t): status is "completed", expected "failed"',
  );
  await assertRejects(() => test.task("none"), Error, "none");
  await assertRejects(() => test.assertCount("t", 2), Error, "There are 1 tasks");
  await assertRejects(() => test.advance(-1), RangeError);
});

Deno.test("failNext() fails an attempt after its handler, as when its worker dies then: it runs again", async () => {
  await using test = await openTestQueue();
  const sent: string[] = [];
  test.handlers.register("email", ({ runId }, context) => {
    sent.push(runId);
    context.enqueue({ type: "receipt" });
  });
  test.failNext("email", { when: "after", error: new Error("the worker died") });
  await test.queue.enqueue({ type: "email", runId: "r" });
  await test.drain();
  await test.assertTask("r", { status: "queued", errorMessage: "the worker died" });
  await test.assertCount("receipt", 0);
  await test.advance(60_000);
  assertEquals(sent, ["r", "r"]);
  await test.assertTask("r", { status: "completed", attempts: 2 });
  await test.assertCount("receipt", 1);
});

Deno.test("failNext() refuses what nobody would look at", async () => {
  await using test = await openTestQueue();
  const failNext: (type: string, failure: object) => void = test.failNext.bind(test);
  for (const failure of [{ time: 2 }, { when: "later" }, { times: 0 }]) {
    await assertRejects(async () => await failNext("t", failure), Error, "Cannot use");
  }
});

Deno.test("failStorage() lets nothing be stored until the disk works again", async () => {
  await using test = await openTestQueue();
  const mend = test.failStorage();
  await assertRejects(() => test.queue.enqueue({ type: "t" }), StorageError, "No space left");
  await assertRejects(() => test.queue.enqueue({ type: "t" }), StorageError, "No space left");
  await test.assertCount("t", 0);
  mend();
  await test.queue.enqueue({ type: "t" });
  await test.assertCount("t", 1);
});

Deno.test("advance() after a failed write goes on at once, and not at its end", async () => {
  await using test = await openTestQueue();
  test.handlers.register("t", () => 1);
  const mend = test.failStorage();
  await assertRejects(() => test.queue.enqueue({ type: "t" }), StorageError);
  mend();
  test.failNext("t");
  await test.queue.enqueue({ type: "t", runId: "r" });
  await test.advance(60_000);
  await test.assertTask("r", { status: "completed", attempts: 2 });
});

Deno.test("failStorage() while a handler runs: its end is stored when the disk works again", async () => {
  await using test = await openTestQueue();
  let mend = (): void => {};
  test.handlers.register("t", () => {
    mend = test.failStorage("the disk is gone");
    return "done";
  });
  await test.queue.enqueue({ type: "t", runId: "r" });
  await test.advance(10_000);
  await test.assertTask("r", { status: "leased" });
  mend();
  await test.advance(1000);
  await test.assertTask("r", { status: "completed", attempts: 1, result: "done" });
});
