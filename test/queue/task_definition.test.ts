/**
 * Typed tasks: what the compiler refuses (each `@ts-expect-error` is an error if it is not needed), and what is refused at run time,
 * with the schemas of three libraries.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { MemoryLogStore } from "../../src/worker/memory_log_store.ts";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import { BackgroundTaskManager } from "../../src/manager/background_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { defineTask } from "../../src/queue/task_definition.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { isFinal, type Task } from "../../src/domain/task.ts";
import { IN_MEMORY, withMemoryQueue } from "../support/queues.ts";
import { until } from "../support/until.ts";

const email = defineTask({
  type: "email",
  payload: z.object({ to: z.email(), copies: z.coerce.number().default(1) }),
  result: z.object({ messageId: z.string(), sentAt: z.coerce.date() }),
  maxAttempts: 3,
  retryPolicy: { initialDelayMs: 10 },
  timeoutMs: 5000,
  priority: 7,
});

const resize = defineTask({
  type: "resize",
  payload: v.object({ width: v.pipe(v.number(), v.integer()) }),
  result: v.object({ path: v.string() }),
});

const report = defineTask({
  type: "report",
  payload: type({ title: "string > 0" }),
  parents: [email, resize],
});

Deno.test("a definition stores what its schema accepts, with its options", async () => {
  await withMemoryQueue(IN_MEMORY, async (queue) => {
    const { task, created } = await email.enqueue(queue, { to: "ann@example.com", copies: "2" });
    assert(created);
    assertEquals(task.payload, { to: "ann@example.com", copies: "2" });
    assertEquals([task.type, task.maxAttempts, task.priority, task.timeoutMs], [
      "email",
      3,
      7,
      5000,
    ]);
    assertEquals(task.retryPolicy?.initialDelayMs, 10);
    const { task: other } = await email.enqueue(queue, { to: "bob@example.com" }, {
      priority: 1,
      maxAttempts: undefined,
      runId: "r2",
    }, { cancelled: true });
    assertEquals([other.priority, other.maxAttempts, other.runId], [1, 3, "r2"]);
    assertEquals(other.status, "cancelled");
  });
});

Deno.test("a wrong payload fails the type check, and stores nothing", async () => {
  await withMemoryQueue(IN_MEMORY, async (queue) => {
    const refused: readonly (() => Promise<unknown>)[] = [
      // @ts-expect-error a field of another type
      () => email.enqueue(queue, { to: 5 }),
      // @ts-expect-error a field is missing
      () => email.enqueue(queue, {}),
      // @ts-expect-error a field of another type
      () => resize.enqueue(queue, { width: "wide" }),
      // @ts-expect-error a field of another type
      () => report.enqueue(queue, { title: 1 }, { dependsOn: [1, 2] }),
      // @ts-expect-error no payload
      () => resize.newTask(),
      () => resize.enqueue(queue, { width: 1.5 }),
      () => report.enqueue(queue, { title: "" }, { dependsOn: [1, 2] }),
      () => report.enqueue(queue, { title: "without its parents" }),
      // @ts-expect-error a field of another type
      () => email.newRun({ to: null }),
      // @ts-expect-error no task has such a field
      () => email.enqueue(queue, { to: "ann@example.com" }, { delay: 5000 }),
      // @ts-expect-error its type is the definition's
      () => email.enqueue(queue, { to: "ann@example.com" }, { type: "other" }),
    ];
    for (const enqueue of refused) await assertRejects(enqueue, TypeError);
    assertEquals(await queue.count(), 0);
    await assertRejects(
      () => resize.enqueue(queue, { width: 1.5 }),
      TypeError,
      'Cannot accept the payload of "resize": payload.width: ',
    );
    await assertRejects(
      () => report.enqueue(queue, { title: "t" }),
      TypeError,
      'Cannot enqueue "report" with 0 parents: 2 are needed in dependsOn, of the types "email", "resize"',
    );
  });
});

Deno.test("an asynchronous schema is waited for before anything is stored", async () => {
  const known = defineTask({
    type: "known",
    payload: z.object({ id: z.number() }).refine(async ({ id }) => await Promise.resolve(id === 1)),
  });
  await withMemoryQueue(IN_MEMORY, async (queue) => {
    await known.enqueue(queue, { id: 1 });
    await assertRejects(() => known.enqueue(queue, { id: 2 }), TypeError, 'payload of "known"');
    assertEquals(await queue.count(), 1);
  });
});

Deno.test("handlers get payloads and parents' results as the schemas give them, and results are typed", async () => {
  const seen: unknown[] = [];
  const handlers = new HandlerRegistry()
    .register(email, ({ payload }, context) => {
      const copies: number = payload.copies;
      context.log("info", `${copies} copies`);
      return { messageId: `m-${payload.to}`, sentAt: "2026-01-31T12:00:00.000Z" };
    })
    .register(resize, ({ payload: { width } }) => Promise.resolve({ path: `${width}.png` }))
    .register(report, async ({ payload }, context) => {
      const [sent, resized] = await context.parentResults();
      const at: Date | undefined = sent.result?.sentAt;
      const path: string | undefined = resized.result?.path;
      // @ts-expect-error a result without such a field
      const wrong = sent.result?.path;
      seen.push(payload.title, at?.getUTCFullYear(), path, wrong);
    });
  await withWorker(handlers, async (queue, finished) => {
    const { task: sent } = await email.enqueue(queue, { to: "ann@example.com", copies: "2" });
    const { task: resized } = await resize.enqueue(queue, { width: 20 });
    await report.enqueue(queue, { title: "both" }, {
      dependsOn: [sent.id, resized.id],
      runId: "report",
    });
    assertEquals((await finished("report")).errorMessage, null);
    assertEquals(seen, ["both", 2026, "20.png", undefined]);
    const stored = await finished(sent.runId);
    assertEquals(stored.result, {
      messageId: "m-ann@example.com",
      sentAt: "2026-01-31T12:00:00.000Z",
    });
    const read = await email.read(stored);
    const name: "email" = read.type;
    assertEquals([name, read.payload.copies, read.result?.sentAt.getUTCDate()], ["email", 2, 31]);
    // @ts-expect-error a result without such a field
    assertEquals(read.result?.path, undefined);
    await assertRejects(() => resize.read(stored), TypeError, 'its type is "email"');
  });
});

Deno.test("a handler that returns something else fails the type check, and its task at once", async () => {
  const handlers = new HandlerRegistry()
    // @ts-expect-error a result of another type
    .register(resize, () => ({ path: 5 }))
    // @ts-expect-error a payload without such a field
    .register(email, ({ payload }) => ({ messageId: payload.from, sentAt: new Date() }));
  await withWorker(handlers, async (queue, finished) => {
    const { task } = await resize.enqueue(queue, { width: 20 });
    const failed = await finished(task.runId);
    assertEquals([failed.status, failed.attempts, failed.result], ["failed", 1, null]);
    assert(failed.errorMessage?.startsWith('Cannot accept the result of "resize": result.path: '));
  });
});

Deno.test("a parent's result that is not as its definition says fails the child that asks for it", async () => {
  const child = defineTask({ type: "child", payload: z.object({}), parents: resize });
  const handlers = new HandlerRegistry()
    .register("resize", () => ({ path: 5 }))
    .register(child, async (_task, context) => (await context.parentResults())[0]?.result?.path);
  await withWorker(handlers, async (queue, finished) => {
    const { task } = await resize.enqueue(queue, { width: 20 });
    await child.enqueue(queue, {}, { dependsOn: [task.id], runId: "child", maxAttempts: 1 });
    const { status, errorMessage } = await finished("child");
    assertEquals(status, "failed");
    assert(errorMessage?.startsWith('Cannot accept the result of "resize": '), `${errorMessage}`);
  });
});

Deno.test("a definition's run is one that managers start", async () => {
  const registry = new RunRegistry();
  const manager = new BackgroundTaskManager(registry);
  const run = await resize.newRun({ width: 3 }, { runId: "r1" });
  manager.startTask(run, () => Promise.resolve({ path: "3.png" }));
  await manager.waitAll();
  assertEquals([run.moduleId, run.parameters, run.status], ["resize", { width: 3 }, "completed"]);
  await manager.close();
});

Deno.test("a definition is checked when it is made", () => {
  const payload = z.object({});
  // @ts-expect-error no schema
  assertThrows(() => defineTask({ type: "x", payload: {} }), TypeError, "Standard Schema");
  // @ts-expect-error no such option
  assertThrows(() => defineTask({ type: "x", payload, retry: 5 }), TypeError, '"retry"');
  assertThrows(() => defineTask({ type: " x", payload }), TypeError, "blanks");
  assertThrows(() => defineTask({ type: "x", payload, maxAttempts: 0 }), RangeError, "maxAttempts");
});

/** Runs `test` with a queue and a worker; `finished` gives the final task of a run. */
async function withWorker(
  handlers: HandlerRegistry,
  test: (queue: TaskQueue, finished: (runId: string) => Promise<Task>) => Promise<void>,
): Promise<void> {
  await withMemoryQueue(IN_MEMORY, async (queue, clock) => {
    const worker = new Worker({ queue, handlers, clock, logs: new MemoryLogStore() });
    worker.start();
    const finished = async (runId: string): Promise<Task> => {
      let task: Task | undefined;
      await until(async () => {
        task = await queue.getByRunId(runId);
        return task !== undefined && isFinal(task.status);
      }, `${runId} to end`);
      return task!;
    };
    try {
      await test(queue, finished);
    } finally {
      await worker.stop({ graceMs: 0 });
    }
  });
}
