/**
 * The test kit: on the real engine and worker, with a clock that the test moves.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { HandlerRegistry } from "../../src/mod.ts";
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
