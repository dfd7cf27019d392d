import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import {
  PermanentError,
  QueueError,
  RetryAfterError,
  StorageError,
} from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { openQueue } from "../../src/compose/open_queue.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import {
  type Handler,
  type HandlerOptions,
  HandlerRegistry,
  type TaskContext,
} from "../../src/worker/handler_registry.ts";
import { MemoryLogStore } from "../../src/worker/memory_log_store.ts";
import { Worker } from "../../src/worker/worker.ts";
import type { WorkerOptions } from "../../src/worker/worker_options.ts";
import type { WorkerEvent } from "../../src/worker/worker_log.ts";
import { type FakeClock, settle } from "../support/fake_clock.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";
import { overridden } from "../support/overridden_queue.ts";
import { withQueue } from "../support/queues.ts";

interface Bench {
  readonly queue: TaskQueue;
  readonly clock: FakeClock;
  readonly worker: Worker;
  readonly storage: FaultyStorage;
  readonly logs: MemoryLogStore;
  readonly events: WorkerEvent[];
  /** Enqueues a task of type `t` and waits until the worker has nothing more to do at this moment. */
  run(payload?: unknown): Promise<Task>;
  task(id: number): Promise<Task>;
}

/** A started worker with one handler for type `t`. */
async function withWorker(
  handler: Handler,
  options: HandlerOptions & { readonly worker?: Partial<WorkerOptions> },
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  const storage = new FaultyStorage(new MemoryStorage());
  const { worker: workerOptions, ...handlerOptions } = options;
  await withQueue({ storage, onBackgroundError: () => {} }, async (queue, clock) => {
    const handlers = new HandlerRegistry().register("t", handler, handlerOptions);
    const logs = new MemoryLogStore();
    const events: WorkerEvent[] = [];
    const onEvent = (event: WorkerEvent): void => void events.push(event);
    const worker = new Worker({
      queue,
      handlers,
      clock,
      logs,
      workerId: "w",
      onEvent,
      quiet: true,
      ...workerOptions,
    });
    worker.start();
    const task = async (id: number): Promise<Task> => (await queue.get(id))!;
    const run = async (payload?: unknown): Promise<Task> => {
      const { task: added } = await queue.enqueue({ type: "t", payload });
      await settle();
      return await task(added.id);
    };
    try {
      await test({ queue, clock, worker, storage, logs, events, run, task });
    } finally {
      storage.fault = () => undefined;
      const stopped = worker.stop({ graceMs: 0 });
      await clock.advance(2000);
      await stopped;
    }
  });
}

/** A handler that waits until a test lets it go on, or its signal fires. */
function gate(): { handler: Handler; contexts: TaskContext[]; open(result?: unknown): void } {
  const contexts: TaskContext[] = [];
  const waiting: ((result: unknown) => void)[] = [];
  return {
    contexts,
    open: (result) => waiting.splice(0).forEach((go) => go(result)),
    handler: (_task, context) => {
      contexts.push(context);
      return new Promise((resolve, reject) => {
        waiting.push(resolve);
        context.signal.addEventListener("abort", () => reject(context.signal.reason));
      });
    },
  };
}

Deno.test("a worker runs a task and stores what its handler returns, async or not", async () => {
  await withWorker((task) => ({ doubled: task.payload.n * 2 }), {}, async ({ run }) => {
    const done = await run({ n: 21 });
    assertEquals([done.status, done.result, done.attempts, done.lockedBy], [
      "completed",
      { doubled: 42 },
      1,
      "w",
    ]);
  });
  await withWorker(() => Promise.resolve(undefined), {}, async ({ run }) => {
    assertEquals((await run()).result, null);
  });
});

Deno.test("a worker never claims a type it has no handler for", async () => {
  await withWorker(() => 1, {}, async ({ queue, clock, run }) => {
    await queue.enqueue({ type: "other" });
    await clock.advance(5000);
    assertEquals((await run()).status, "completed");
    assertEquals((await queue.get(1))!.status, "queued");
  });
});

Deno.test("a worker runs as many tasks at once as its concurrency says, and a handler as many as its own says", async () => {
  const { handler, contexts, open } = gate();
  await withWorker(handler, { worker: { concurrency: 3 } }, async ({ queue, worker }) => {
    await queue.enqueueBatch(Array.from({ length: 5 }, () => ({ type: "t" })));
    await settle();
    assertEquals([worker.runningCount, await queue.count({ status: "leased" })], [3, 3]);
    open();
    await settle();
    assertEquals([contexts.length, await queue.count({ status: "completed" })], [5, 3]);
    open();
  });
  const limited = gate();
  await withWorker(
    limited.handler,
    { concurrency: 2, worker: { concurrency: 9 } },
    async ({ queue, worker }) => {
      await queue.enqueueBatch(Array.from({ length: 5 }, () => ({ type: "t" })));
      await settle();
      assertEquals(worker.runningCount, 2);
      limited.open();
      await settle();
      assertEquals(worker.runningCount, 2);
    },
  );
});

Deno.test("a type with its own concurrency is claimed in its order beside a backlog of the others", async () => {
  const { handler, open } = gate();
  await withQueue({ memory: true }, async (queue, clock) => {
    const started: string[] = [];
    const handlers = new HandlerRegistry()
      .register("urgent", handler, { concurrency: 2 })
      .register("bulk", handler);
    const onEvent = ({ kind, task }: WorkerEvent): void => {
      if (kind === "started") started.push(task!.type);
    };
    await queue.enqueueBatch(Array.from({ length: 9 }, () => ({ type: "bulk", priority: 1000 })));
    await queue.enqueueBatch(Array.from({ length: 3 }, () => ({ type: "urgent", priority: 1 })));
    const worker = new Worker({ queue, handlers, clock, concurrency: 4, onEvent });
    worker.start();
    await settle();
    assertEquals(started, ["urgent", "urgent", "bulk", "bulk"]);
    open();
    await settle();
    assertEquals(started.slice(4), ["urgent", "bulk", "bulk", "bulk"]);
    open();
    await worker.stop();
  });
});

Deno.test("a worker whose claims give fewer tasks than it asks for fills its slots at once", async () => {
  const { handler } = gate();
  await withQueue({ memory: true }, async (queue, clock) => {
    const oneByOne = overridden(queue, {
      watch: () => () => {},
      claim: (request) => queue.claim({ ...request, limit: 1 }),
    });
    const handlers = new HandlerRegistry().register("t", handler);
    const worker = new Worker({ queue: oneByOne, handlers, clock, concurrency: 4 });
    await queue.enqueueBatch(Array.from({ length: 5 }, () => ({ type: "t" })));
    worker.start();
    await settle();
    assertEquals(await queue.count({ status: "leased" }), 4);
    const stopped = worker.stop({ graceMs: 0 });
    await clock.advance(2000);
    await stopped;
  });
});

Deno.test("a handler's error is retried after its backoff, with the message kept and logged", async () => {
  let calls = 0;
  const handler = (): string => {
    if (++calls < 3) throw new Error(`failure ${calls}`);
    return "third time lucky";
  };
  await withWorker(
    handler,
    { retryPolicy: { initialDelayMs: 1000, multiplier: 1 } },
    async ({ run, clock, task, logs }) => {
      const failed = await run();
      assertEquals([failed.status, failed.errorMessage, failed.attempts], [
        "queued",
        "failure 1",
        1,
      ]);
      await clock.advance(3000);
      const done = await task(failed.id);
      assertEquals([done.status, done.result, done.attempts], ["completed", "third time lucky", 3]);
      const { lines } = await logs.read(failed.id, 0);
      assertEquals(lines.map(({ level, message }) => `${level} ${message}`), [
        "error failure 1",
        "error failure 2",
      ]);
    },
  );
});

Deno.test("the log of a task that was queued again says where its attempts count from 1 again", async () => {
  const handler: Handler = (_task, { log }) => {
    log("info", "tried");
    throw new PermanentError("no");
  };
  await withWorker(handler, {}, async ({ run, queue, clock, logs }) => {
    const { id } = await run();
    await queue.retry(id);
    const at = new Date(clock.nowMs()).toISOString();
    await settle();
    assertEquals((await logs.read(id, 0)).lines.map(({ message }) => message), [
      "tried",
      "no",
      `Queued again at ${at}: attempts count from 1 again`,
      "tried",
      "no",
    ]);
  });
});

Deno.test("PermanentError and RetryAfterError mean what they say", async () => {
  await withWorker(() => Promise.reject(new PermanentError("no use")), {}, async ({ run }) => {
    const failed = await run();
    assertEquals([failed.status, failed.attempts, failed.errorMessage], ["failed", 1, "no use"]);
  });
  await withWorker(
    () => Promise.reject(new RetryAfterError(60_000)),
    {},
    async ({ run, clock }) => {
      const later = await run();
      assertEquals([later.status, later.runAfter], ["queued", new Date(clock.nowMs() + 60_000)]);
    },
  );
});

Deno.test("a payload that its schema refuses, or a result that is not JSON, fails the task at once", async () => {
  const payload = z.object({ n: z.number() });
  await withWorker(() => "never called", { payload }, async ({ run }) => {
    const failed = await run({ n: "one" });
    assertEquals([failed.status, failed.attempts], ["failed", 1]);
    assert(failed.errorMessage!.includes("payload.n"), failed.errorMessage!);
  });
  await withWorker(() => new Map(), {}, async ({ run }) => {
    const failed = await run();
    assertEquals(failed.status, "failed");
    assert(failed.errorMessage!.includes("Map"), failed.errorMessage!);
  });
});

Deno.test("the lease of a running task is renewed for as long as its handler runs", async () => {
  const { handler, contexts, open } = gate();
  await withWorker(handler, { worker: { leaseDurationMs: 3000 } }, async ({ run, clock, task }) => {
    const { id } = await run();
    for (let second = 0; second < 30; second++) await clock.advance(1000);
    assertEquals([(await task(id)).attempts, contexts.length], [1, 1]);
    open("at last");
    await settle();
    assertEquals((await task(id)).status, "completed");
  });
});

Deno.test("cancel fires the handler's signal, and its late result is refused", async () => {
  const { handler, contexts } = gate();
  await withWorker(handler, {}, async ({ queue, run, task, events }) => {
    const { id } = await run();
    await queue.cancel(id);
    await settle();
    assertEquals(contexts[0]!.signal.aborted, true);
    assertEquals(contexts[0]!.signal.reason.message, "Cancelled by user");
    assertEquals((await task(id)).status, "cancelled");
    assertEquals(events.at(-1)!.kind, "cancelled");
  });
  let finish: (result: unknown) => void = () => {};
  await withWorker(
    () => new Promise((resolve) => finish = resolve),
    {},
    async ({ queue, run, task }) => {
      const { id } = await run();
      await queue.cancel(id);
      await settle();
      finish("too late");
      await settle();
      assertEquals([(await task(id)).status, (await task(id)).result], ["cancelled", null]);
    },
  );
});

Deno.test("a cancel that arrives while the claim is being made durable reaches the handler", async () => {
  const disk = new MemoryDisk();
  const storage = new FaultyStorage(new MemoryStorage(disk));
  const other = await openQueue({ storage: new MemoryStorage(disk) });
  const { handler, contexts } = gate();
  await withQueue({ storage }, async (queue, clock) => {
    const { task } = await queue.enqueue({ type: "t" });
    const held = Promise.withResolvers<void>();
    storage.beforeSync = () => held.promise;
    const handlers = new HandlerRegistry().register("t", handler);
    const events: WorkerEvent[] = [];
    const worker = new Worker({ queue, handlers, clock, onEvent: (event) => events.push(event) });
    worker.start();
    await settle();
    assertEquals((await other.get(task.id))!.status, "leased");
    await other.cancel(task.id);
    await clock.advance(100);
    storage.beforeSync = () => Promise.resolve();
    held.resolve();
    await clock.advance(100);
    assertEquals(contexts.map(({ signal }) => signal.reason?.message), ["Cancelled by user"]);
    assertEquals(events.map(({ kind }) => kind), ["started", "cancelled"]);
    await worker.stop();
  });
  await other.close();
});

Deno.test("a listener that throws disturbs neither the worker nor its tasks", async () => {
  const onEvent = ({ kind }: WorkerEvent): void => {
    throw new Error(`no ${kind} please`);
  };
  await withWorker(() => "done", { worker: { onEvent } }, async ({ run }) => {
    for (let i = 0; i < 3; i++) assertEquals((await run()).status, "completed");
  });
});

Deno.test("a handler whose lease was lost is interrupted, its outcome does not count, and its successor keeps its own lease", async () => {
  const { handler, contexts, open } = gate();
  await withWorker(handler, {}, async ({ queue, run, clock, task, events, storage }) => {
    const { id } = await run();
    storage.fault = (point) => point === "write" ? { message: "ENOSPC" } : undefined;
    await clock.advance(10_500);
    assertEquals(contexts[0]!.signal.aborted, false);
    storage.fault = () => undefined;
    await queue.rescue();
    await settle();
    assertEquals(contexts[0]!.signal.reason.message, "The lease was lost");
    await clock.advance(500);
    assertEquals(events.filter(({ kind }) => kind === "lost").length, 1);
    assertEquals([(await task(id)).status, (await task(id)).attempts], ["leased", 2]);
    for (let second = 0; second < 30; second++) await clock.advance(1000);
    assertEquals([(await task(id)).status, (await task(id)).attempts], ["leased", 2]);
    open("second");
    await settle();
    assertEquals([(await task(id)).status, (await task(id)).result], ["completed", "second"]);
  });
});

Deno.test("a lease that was lost while a handler blocked the thread is told as that, not as a stale token", async () => {
  const attempts: number[] = [];
  let block = async (_attempt: number): Promise<void> => {};
  const handler: Handler = (_task, { attempt }) => {
    attempts.push(attempt);
    return attempt === 1 ? block(attempt) : "second";
  };
  const bench = { worker: { concurrency: 1 } };
  await withWorker(handler, bench, async ({ queue, clock, run, task, logs, events }) => {
    // The clock moves while no timer of the worker fires, and another process rescues the task.
    block = async () => {
      clock.jumpUnheard(14_000);
      await queue.rescue();
    };
    const { id } = await run();
    await clock.advance(2000);
    const why = `The thread was blocked, or the process paused, for 14 s with a lease of 10 s: ` +
      `use isolation: "worker" for handlers that compute`;
    assertEquals(events.filter(({ kind }) => kind === "lost").map(({ message }) => message), [why]);
    const { lines } = await logs.read(id, 0);
    assertEquals(lines.map(({ message }) => message), [
      `${why}; the outcome of this attempt does not count`,
    ]);
    assertEquals([attempts, (await task(id)).result], [[1, 2], "second"]);
  });
});

Deno.test("a worker that was told nothing learns from a refused renewal that another has the lease", async () => {
  const { handler, contexts } = gate();
  await withQueue({ memory: true }, async (queue, clock) => {
    let isCutOff = true;
    const silent = overridden(queue, {
      watch: () => () => {},
      renew: (lease) => {
        if (isCutOff) return Promise.reject(new StorageError("append", "here", "EIO"));
        return queue.renew(lease);
      },
    });
    const handlers = new HandlerRegistry().register("t", handler);
    const worker = new Worker({ queue: silent, handlers, clock, concurrency: 1 });
    await queue.enqueue({ type: "t" });
    worker.start();
    await settle();
    await clock.advance(10_500);
    await queue.rescue();
    assertEquals((await queue.claim({ workerId: "other", types: ["t"] })).length, 1);
    assertEquals(contexts[0]!.signal.aborted, false);
    isCutOff = false;
    await clock.advance(4000);
    assertEquals(contexts[0]!.signal.reason?.message, "The lease was lost");
    const stopped = worker.stop({ graceMs: 0 });
    await clock.advance(2000);
    await stopped;
  });
});

Deno.test("a lease is not renewed when its report has just begun, and is when the report takes long", async () => {
  await withQueue({ memory: true }, async (queue, clock) => {
    const report = Promise.withResolvers<void>();
    let renewals = 0;
    const slow = overridden(queue, {
      complete: (lease, result) => report.promise.then(() => queue.complete(lease, result)),
      renew: (lease, options) => {
        renewals++;
        return queue.renew(lease, options);
      },
    });
    const handlers = new HandlerRegistry().register("t", () => null);
    const worker = new Worker({ queue: slow, handlers, clock, leaseDurationMs: 60_000 });
    const { task } = await queue.enqueue({ type: "t" });
    worker.start();
    await settle();
    await clock.advance(21_000);
    assertEquals(renewals, 0);
    await clock.advance(20_000);
    assertEquals(renewals, 1);
    report.resolve();
    await settle();
    assertEquals((await queue.get(task.id))?.status, "completed");
    const stopped = worker.stop({ graceMs: 0 });
    await clock.advance(2000);
    await stopped;
  });
});

Deno.test("renewals, progress and heartbeats do not pile up at a queue that answers none", async () => {
  await withQueue({ memory: true }, async (queue, clock) => {
    const calls = { renew: 0, reportProgress: 0, heartbeat: 0 };
    let answer: (error: Error) => void = () => {};
    const silence = new Promise<never>((_resolve, reject) => answer = reject);
    const never = (name: keyof typeof calls) => (): Promise<never> => {
      calls[name]++;
      return silence;
    };
    const silent = overridden(queue, {
      renew: never("renew"),
      reportProgress: never("reportProgress"),
      heartbeat: never("heartbeat"),
    });
    const { handler, contexts } = gate();
    const handlers = new HandlerRegistry().register("t", handler);
    const worker = new Worker({ queue: silent, handlers, clock, leaseDurationMs: 60_000 });
    await queue.enqueue({ type: "t" });
    worker.start();
    await settle();
    for (let percent = 0; percent < 50; percent++) {
      contexts[0]!.progress(percent);
      await clock.advance(1000);
    }
    assertEquals(calls, { renew: 1, reportProgress: 1, heartbeat: 1 });
    answer(new StorageError("append", "here", "EIO"));
    await clock.advance(21_000);
    assertEquals(calls, { renew: 2, reportProgress: 2, heartbeat: 2 });
    const stopped = worker.stop({ graceMs: 0 });
    await clock.advance(2000);
    await stopped;
  });
});

Deno.test("a handler that outlives its timeout is interrupted, and the attempt fails as a timeout", async () => {
  for (const isPolite of [true, false]) {
    const handler: Handler = (_task, { signal }) =>
      new Promise((resolve) => {
        if (isPolite) signal.addEventListener("abort", () => resolve("ended early"));
      });
    await withWorker(
      handler,
      { timeoutMs: 5000, retryPolicy: { initialDelayMs: 60_000 } },
      async ({ run, clock, task }) => {
        const { id } = await run();
        await clock.advance(4900);
        assertEquals((await task(id)).status, "leased");
        await clock.advance(1300);
        const failed = await task(id);
        assertEquals([failed.status, failed.errorMessage], [
          "queued",
          "Timed out in attempt 1 of 5",
        ]);
      },
    );
  }
});

Deno.test("context tells the run, the attempt and the deadline; progress and log lines are kept", async () => {
  let context: TaskContext | undefined;
  const handler: Handler = async (_task, given) => {
    context = given;
    given.log("info", "half-way", { step: 1 });
    given.progress(50, "half");
    await settle();
    assertThrows(() => given.progress(101), RangeError);
    return "ok";
  };
  await withWorker(handler, { timeoutMs: 60_000 }, async ({ queue, clock, task, logs }) => {
    const seen: (number | null)[] = [];
    queue.watch((changes) => {
      if (typeof changes === "string") return;
      for (const { progress } of changes) seen.push(progress);
    });
    const { task: added } = await queue.enqueue({ type: "t", runId: "run-x" });
    await clock.advance(300);
    assertEquals([context!.runId, context!.attempt], ["run-x", 1]);
    assert(context!.deadline! instanceof Date);
    assertEquals((await task(added.id)).status, "completed");
    assert(seen.includes(50), `${seen}`);
    const { lines, nextOffset } = await logs.read(added.id, 0);
    assertEquals(lines.map(({ message, details, attempt }) => ({ message, details, attempt })), [
      { message: "half-way", details: { step: 1 }, attempt: 1 },
    ]);
    assertEquals((await logs.read(added.id, nextOffset)).lines, []);
  });
});

Deno.test("stop() waits for handlers within the grace time", async () => {
  const { handler, open } = gate();
  await withWorker(handler, {}, async ({ worker, run, task, clock }) => {
    const { id } = await run();
    const stopped = worker.stop({ graceMs: 60_000 });
    await clock.advance(1000);
    open("finished in time");
    await stopped;
    assertEquals([(await task(id)).status, (await task(id)).result], [
      "completed",
      "finished in time",
    ]);
  });
});

Deno.test("stop() after the grace time interrupts handlers and gives their tasks back without using up an attempt", async () => {
  const { handler, contexts } = gate();
  await withWorker(handler, {}, async ({ worker, run, task, clock }) => {
    const { id } = await run();
    const stopped = worker.stop({ graceMs: 500 });
    await clock.advance(2000);
    await stopped;
    assertEquals(contexts[0]!.signal.reason.message, "The worker stops");
    const released = await task(id);
    assertEquals([released.status, released.attempts, released.errorMessage], ["queued", 0, null]);
  });
});

Deno.test("stop() refuses a grace time that is none, and the worker goes on", async () => {
  await withWorker(() => 1, {}, async ({ worker, run }) => {
    await assertRejects(() => worker.stop({ graceMs: "5" as never }), TypeError, '"5" as graceMs');
    for (const graceMs of [-1, NaN]) {
      await assertRejects(() => worker.stop({ graceMs }), RangeError, `${graceMs} as graceMs`);
    }
    assertEquals((await run()).status, "completed");
  });
});

Deno.test("a stopped worker claims nothing, and stopping twice is stopping once", async () => {
  await withWorker(() => 1, {}, async ({ worker, run, clock, task }) => {
    await Promise.all([worker.stop(), worker.stop()]);
    const { id } = await run();
    await clock.advance(5000);
    assertEquals((await task(id)).status, "queued");
  });
});

Deno.test("a storage error is not the handler's failure and does not end the loop", async () => {
  const { handler, open } = gate();
  await withWorker(handler, {}, async ({ run, task, clock, storage, events }) => {
    const { id } = await run();
    storage.fault = (point) =>
      point === "write" ? { message: "No space left on device" } : undefined;
    open("kept");
    await clock.advance(2000);
    assertEquals((await task(id)).status, "leased");
    assert(
      events.some(({ kind, message }) => kind === "error" && message!.includes("No space left")),
    );
    storage.fault = () => undefined;
    await clock.advance(1000);
    const done = await task(id);
    assertEquals([done.status, done.result, done.attempts], ["completed", "kept", 1]);
    const next = await run();
    open();
    await settle();
    assertEquals((await task(next.id)).status, "completed");
  });
});

Deno.test("what a queue in doubt refuses is given up at once: nothing helps but to open it again", async () => {
  const { handler, open } = gate();
  await withWorker(handler, {}, async ({ run, clock, storage, events }) => {
    await run();
    storage.fault = (point) => point === "sync" ? { message: "Input/output error" } : undefined;
    open("lost");
    await settle();
    storage.fault = () => undefined;
    await clock.advance(300);
    assertEquals(events.filter(({ kind }) => kind === "lost").length, 1);
  });
});

Deno.test("adopt() runs a handler for one task whatever its type, beside the slots", async () => {
  const { handler, open } = gate();
  await withWorker(
    handler,
    { worker: { concurrency: 1 } },
    async ({ queue, worker, run, task, clock }) => {
      await run();
      const { task: own } = await queue.enqueue({
        type: "nobody's",
        runAfter: new Date(clock.nowMs() + 1000),
      });
      worker.adopt(own.id, () => "by hand");
      await settle();
      assertEquals((await task(own.id)).status, "queued");
      await clock.advance(1200);
      assertEquals([(await task(own.id)).status, (await task(own.id)).result], [
        "completed",
        "by hand",
      ]);
      const { task: gone } = await queue.enqueue({ type: "nobody's" });
      await queue.cancel(gone.id);
      worker.adopt(gone.id, () => "never");
      await clock.advance(300);
      assertEquals((await task(gone.id)).status, "cancelled");
      open();
    },
  );
});

Deno.test("a scheduled task starts when its time has come", async () => {
  await withWorker(() => "now", {}, async ({ queue, clock, task }) => {
    const { task: later } = await queue.enqueue({
      type: "t",
      runAfter: new Date(clock.nowMs() + 2000),
    });
    await clock.advance(1900);
    assertEquals((await task(later.id)).status, "queued");
    await clock.advance(400);
    assertEquals((await task(later.id)).status, "completed");
  });
});

Deno.test("worker options and registrations out of range are refused with the value and what is allowed", async () => {
  const handlers = new HandlerRegistry().register("t", () => 1);
  await withQueue({ memory: true }, (queue) => {
    const bad: [Partial<WorkerOptions>, string][] = [
      [{ concurrency: 0 }, "from 1 to 1000"],
      [{ workerId: " " }, "worker id"],
      [{ leaseDurationMs: 99 }, "from 100 to"],
      [{ strategy: "best" as never }, "fifo, lifo, weighted_random, priority"],
      [{ capabilities: [] as never }, "JSON object"],
      [{ pollIntervalMs: 0 }, "pollIntervalMs"],
    ];
    for (const [options, message] of bad) {
      assertThrows(() => new Worker({ queue, handlers, ...options }), Error, message);
    }
    return Promise.resolve();
  });
  assertThrows(() => handlers.register("t", () => 2), TypeError, "allowOverride");
  handlers.register("t", () => 2, { allowOverride: true });
  assertThrows(() => handlers.register("u", "no function" as never), TypeError, "not a function");
  assertEquals(
    assertThrows(() => handlers.checkPayload("v", {}), QueueError).code,
    "unknown_task_type",
  );
});
