/**
 * What a handler can do beside returning: enqueue, snooze, know that it is the last attempt; and middleware around handlers.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { z } from "zod";
import type { NewTask, Task } from "../../src/domain/task.ts";
import { defineTask } from "../../src/queue/task_definition.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import {
  type Handler,
  type HandlerOptions,
  HandlerRegistry,
  type TaskContext,
} from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import type { WorkerEvent } from "../../src/worker/worker_log.ts";
import { type FakeClock, settle } from "../support/fake_clock.ts";
import { withMemoryQueue } from "../support/queues.ts";

interface Bench {
  readonly queue: TaskQueue;
  readonly clock: FakeClock;
  readonly handlers: HandlerRegistry;
  readonly events: WorkerEvent[];
  /** Enqueues a task of type `t` and waits until the worker has nothing more to do at this moment. */
  run(task?: Partial<NewTask>): Promise<Task>;
}

/** A started worker with `handler` for type `t`. */
async function withHandler(
  handler: Handler,
  test: (bench: Bench) => Promise<void>,
  options: HandlerOptions = {},
): Promise<void> {
  await withMemoryQueue({}, async (queue, clock) => {
    const handlers = new HandlerRegistry().register("t", handler, options);
    const events: WorkerEvent[] = [];
    const onEvent = (event: WorkerEvent): void => void events.push(event);
    const worker = new Worker({ queue, handlers, clock, onEvent, quiet: true });
    worker.start();
    const run = async (task: Partial<NewTask> = {}): Promise<Task> => {
      const { task: { id } } = await queue.enqueue({ type: "t", ...task });
      await settle();
      return (await queue.get(id))!;
    };
    try {
      await test({ queue, clock, handlers, events, run });
    } finally {
      await worker.stop({ graceMs: 0 });
    }
  });
}

Deno.test("what a handler enqueues is stored with its completion, under run ids that it knew at once", async () => {
  let runIds: string[] = [];
  const handler: Handler = (_task, { enqueue, runId }) => {
    const payload = { n: 1 };
    const first = enqueue({ type: "next", payload });
    payload.n = 2;
    runIds = [first, enqueue({ type: "next", runId: "own", dependsOn: [first, runId] })];
    return "done";
  };
  await withHandler(handler, async ({ queue, run }) => {
    const task = await run();
    assertEquals([task.status, task.result], ["completed", "done"]);
    const [second, first] = await queue.list({ type: "next" });
    assertEquals([first?.runId, second?.runId], runIds);
    assertEquals([first?.payload, second?.waitsFor], [{ n: 1 }, 1]);
    assertEquals((await queue.transitions(task.id)).at(-1)?.enqueuedRuns, runIds);
  });
});

Deno.test("an attempt that fails, or is snoozed, stores nothing that it enqueued", async () => {
  const handler: Handler = (task, { enqueue, snooze, attempt }) => {
    enqueue({ type: "next", payload: attempt });
    if (task.payload.snoozes && task.leaseToken === 1) snooze(1000);
    if (attempt === 1 && !task.payload.snoozes) throw new Error("no luck");
  };
  await withHandler(handler, async ({ queue, clock, run }) => {
    for (const payload of [{ snoozes: true }, { snoozes: false }]) {
      const before = await queue.count({ type: "next" });
      await run({ payload });
      assertEquals(await queue.count({ type: "next" }), before);
      await clock.advance(60_000);
      assertEquals(await queue.count({ type: "next" }), before + 1);
    }
  });
});

Deno.test("what cannot be stored fails the task for good, and nothing is stored", async () => {
  const handler: Handler = ({ payload }, { enqueue }) => {
    enqueue({ type: "next" });
    const { grows, ...task } = payload;
    enqueue(grows ? { ...task, payload: "x".repeat(300_000) } : task);
  };
  await withHandler(handler, async ({ queue, handlers, run }) => {
    handlers.register("checked", () => {}, { payload: z.object({ to: z.string() }) });
    await queue.enqueue({ type: "other", idempotencyKey: "k" });
    const refused: readonly [unknown, RegExp][] = [
      [{ type: "next", priority: 0 }, /priority/],
      [{ type: "next", idempotencyKey: "k" }, /a task that it enqueued, was refused: .*"k"/],
      [{ type: "next", grows: true }, /262144/],
      [{ type: "checked", payload: { to: 1 } }, /payload of "checked": payload\.to/],
    ];
    for (const [payload, message] of refused) {
      const task = await run({ payload, maxAttempts: 1 });
      assertEquals(task.status, "failed");
      assertEquals(message.test(task.errorMessage!), true, task.errorMessage!);
    }
    assertEquals(await queue.count({ type: "next" }), 0);
    assertEquals(await queue.count({ type: "checked" }), 0);
  });
});

Deno.test("a defined task can be enqueued through the context, checked by its definition", async () => {
  const email = defineTask({ type: "email", payload: z.object({ to: z.string() }), priority: 3 });
  const handler: Handler = ({ payload }, context) => email.enqueue(context, payload);
  await withHandler(handler, async ({ queue, run }) => {
    const { result } = await run({ payload: { to: "ann" } });
    const [stored] = await queue.list({ type: "email" });
    assertEquals([stored?.runId, stored?.priority], [result, 3]);
    const { errorMessage } = await run({ payload: { to: 1 }, maxAttempts: 1 });
    assertEquals(errorMessage?.startsWith('Cannot accept the payload of "email"'), true);
    assertEquals(await queue.count({ type: "email" }), 1);
  });
});

Deno.test("nothing can be enqueued once the attempt has ended, and no more than 1,000 tasks", async () => {
  let kept: TaskContext | undefined;
  const handler: Handler = (_task, context) => {
    kept = context;
    for (let n = 0; n < 1000; n++) context.enqueue({ type: "next" });
    assertThrows(() => context.enqueue({ type: "next" }), RangeError, "1001");
  };
  await withHandler(handler, async ({ queue, run }) => {
    assertEquals((await run()).status, "completed");
    assertEquals(await queue.count({ type: "next" }), 1000);
    assertThrows(() => kept!.enqueue({ type: "next" }), Error, "the attempt has ended");
  });
});

Deno.test("fifty snoozes leave attempts at 1, and each is noted", async () => {
  const attempts = new Set<number>();
  const handler: Handler = (task, { snooze, attempt }) => {
    attempts.add(attempt);
    return task.leaseToken > 50 ? "at last" : snooze(60_000);
  };
  await withHandler(handler, async ({ queue, clock, events, run }) => {
    const { id, runAfter } = await run({ maxAttempts: 1 });
    assertEquals(runAfter.getTime(), clock.nowMs() + 60_000);
    for (let n = 0; n < 50; n++) await clock.advance(60_000);
    const task = (await queue.get(id))!;
    assertEquals([task.status, task.result, task.attempts], ["completed", "at last", 1]);
    assertEquals([...attempts], [1]);
    const released = (await queue.transitions(id, { limit: 1000 }))
      .filter(({ kind }) => kind === "released");
    assertEquals([released.length, released[0]?.delayMs], [50, 60_000]);
    const event = events.find(({ kind }) => kind === "released");
    assertEquals(event?.message, "snoozed for 60000 ms");
  });
});

Deno.test("a snooze out of its range fails the attempt, which says why", async () => {
  await withHandler((_task, { snooze }) => snooze(-1), async ({ run }) => {
    const { status, errorMessage } = await run({ maxAttempts: 1 });
    assertEquals(status, "failed");
    assertEquals(errorMessage?.includes("Cannot snooze for -1 ms: a number from 0"), true);
  });
});

Deno.test("isLastAttempt says that no further one is allowed, by the task or by its handler", async () => {
  const seen: boolean[] = [];
  const handler: Handler = (_task, { isLastAttempt }) => {
    seen.push(isLastAttempt);
    throw new Error("no luck");
  };
  await withHandler(handler, async ({ clock, run }) => {
    await run({ maxAttempts: 2 });
    await clock.advance(60_000);
    assertEquals(seen.splice(0), [false, true]);
  });
  await withHandler(handler, async ({ run }) => {
    await run({ maxAttempts: 9 });
    assertEquals(seen, [true]);
  }, { maxAttempts: 1 });
});

Deno.test("middleware runs around handlers in its order, with the result and the task", async () => {
  const said: string[] = [];
  const handler: Handler = ({ payload }) => {
    said.push("handler");
    return payload.n;
  };
  await withHandler(handler, async ({ handlers, run }) => {
    for (const name of ["outer", "inner"]) {
      handlers.use(async ({ task, attempt }, next) => {
        said.push(`${name} ${task.type} ${attempt}`);
        const result = await next();
        said.push(`${name} ${result}`);
        return { [name]: result };
      });
    }
    const task = await run({ payload: { n: 7 } });
    assertEquals(task.result, { outer: { inner: 7 } });
    assertEquals(said, ["outer t 1", "inner t 1", "handler", "inner 7", "outer [object Object]"]);
  });
});

Deno.test("middleware hears the handler's own error, and can keep it from running", async () => {
  const error = new RangeError("no luck");
  const heard: unknown[] = [];
  const handler: Handler = () => {
    throw error;
  };
  await withHandler(handler, async ({ handlers, run }) => {
    handlers.use(async ({ task }, next) => {
      if (task.payload === "skip") return "skipped";
      try {
        return await next();
      } catch (thrown) {
        heard.push(thrown);
        throw thrown;
      }
    });
    const failed = await run({ maxAttempts: 1 });
    assertEquals([failed.status, failed.errorMessage], ["failed", "no luck"]);
    assertEquals(heard[0] === error, true);
    assertEquals((await run({ payload: "skip" })).result, "skipped");
  });
});

Deno.test("middleware that calls next() twice fails the attempt", async () => {
  let calls = 0;
  await withHandler(() => void calls++, async ({ handlers, run }) => {
    handlers.use(async (_context, next) => {
      await next();
      return await next();
    });
    const task = await run({ maxAttempts: 1 });
    assertEquals([task.errorMessage, calls], [
      "Cannot call next() again: the handler has run already",
      1,
    ]);
  });
  assertThrows(() => new HandlerRegistry().use("x" as never), TypeError, "as middleware");
});
