/**
 * Bugs of the Python original that must not come back, as far as the worker is concerned: one test for each ✗ of `docs/specification.md`.
 */
import { assert, assertEquals } from "@std/assert";
import { openQueue } from "../../src/compose/open_queue.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { MemoryDisk, MemoryStorage } from "../../src/storage/memory_storage.ts";
import { type Handler, HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import type { WorkerOptions } from "../../src/worker/worker_options.ts";
import type { WorkerEvent } from "../../src/worker/worker_log.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";

interface Bench {
  readonly queue: TaskQueue;
  readonly clock: FakeClock;
  readonly storage: FaultyStorage;
  readonly events: WorkerEvent[];
}

/** A started worker with one handler for type `t`. */
async function withWorker(
  handler: Handler,
  options: Partial<WorkerOptions>,
  test: (bench: Bench) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const storage = new FaultyStorage(new MemoryStorage());
  const queue = await openQueue({ storage, clock, onBackgroundError: () => {} });
  const events: WorkerEvent[] = [];
  const onEvent = (event: WorkerEvent): void => void events.push(event);
  const handlers = new HandlerRegistry().register("t", handler);
  const worker = new Worker({ queue, clock, handlers, onEvent, quiet: true, ...options });
  worker.start();
  try {
    await test({ queue, clock, storage, events });
  } finally {
    storage.fault = () => undefined;
    const stopped = worker.stop({ graceMs: 0 });
    await clock.advance(2000);
    await stopped;
    await queue.close();
  }
}

Deno.test("✗ async handlers were never awaited: the task ends when its handler's promise does", async () => {
  let finish: (result: unknown) => void = () => {};
  const handler: Handler = () => new Promise((resolve) => finish = resolve);
  await withWorker(handler, {}, async ({ queue, clock }) => {
    const { task: { id } } = await queue.enqueue({ type: "t" });
    await clock.advance(60_000);
    assertEquals((await queue.get(id))!.status, "leased");
    finish("awaited");
    await settle();
    const done = (await queue.get(id))!;
    assertEquals([done.status, done.result, done.attempts], ["completed", "awaited", 1]);
  });
});

Deno.test("✗ a specialised worker failed other workers' tasks: it leaves them alone, and theirs executes them", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const storage = (): MemoryStorage => new MemoryStorage(disk);
  const queue = await openQueue({ storage: storage(), clock });
  const other = await openQueue({ storage: storage(), clock });
  const emails = new Worker({
    queue,
    clock,
    handlers: new HandlerRegistry().register("email", () => "sent"),
  });
  emails.start();
  const { task: { id } } = await queue.enqueue({ type: "report", priority: 1 });
  await clock.advance(30_000);
  const waiting = (await queue.get(id))!;
  assertEquals([waiting.status, waiting.attempts, waiting.errorMessage], ["queued", 0, null]);
  const reports = new Worker({
    queue: other,
    clock,
    handlers: new HandlerRegistry().register("report", () => "written"),
  });
  reports.start();
  await clock.advance(2000);
  const done = (await other.get(id))!;
  assertEquals([done.status, done.result, done.lockedBy], [
    "completed",
    "written",
    reports.workerId,
  ]);
  const stopped = Promise.all([emails.stop(), reports.stop()]);
  await clock.advance(2000);
  await stopped;
  await queue.close();
  await other.close();
});

Deno.test("✗ compatibility never matched: a worker with the capabilities claims the task, one without does not", async () => {
  for (const [capabilities, status] of [[{ gpu: true, zone: "a" }, "completed"], [{}, "queued"]]) {
    const options = { capabilities: capabilities as Record<string, unknown> };
    await withWorker(() => 1, options, async ({ queue, clock }) => {
      const { task } = await queue.enqueue({ type: "t", compatibility: { gpu: true } });
      await clock.advance(1000);
      assertEquals((await queue.get(task.id))!.status, status);
    });
  }
});

Deno.test("✗ never rescued: within seconds of its expiry a lease is ended by a process that only has the queue open", async () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock();
  const dying = new MemoryStorage(disk);
  // The dead process's time stands still.
  const queue = await openQueue({ storage: dying, clock: new FakeClock() });
  const looking = await openQueue({ storage: new MemoryStorage(disk), clock });
  const { task: { id } } = await queue.enqueue({ type: "t" });
  await queue.claim({ workerId: "dead", types: ["t"], leaseDurationMs: 5000 });
  dying.kill();
  await clock.advance(4900);
  assertEquals((await looking.get(id))!.status, "leased");
  await clock.advance(3000);
  const rescued = (await looking.get(id))!;
  assertEquals([rescued.status, rescued.attempts], ["queued", 1]);
  assertEquals(
    rescued.errorMessage,
    'Worker "dead" stopped renewing its lease in attempt 1 of 5',
  );
  await looking.close();
});

Deno.test("✗ both: a storage error never counts as a handler failure, and the attempt is reported once the storage works again", async () => {
  let finish: (result: unknown) => void = () => {};
  const handler: Handler = () => new Promise((resolve) => finish = resolve);
  await withWorker(handler, {}, async ({ queue, clock, storage, events }) => {
    const { task: { id } } = await queue.enqueue({ type: "t" });
    await settle();
    storage.fault = (point) => point === "write" ? { message: "ENOSPC" } : undefined;
    finish("kept");
    await clock.advance(3000);
    storage.fault = () => undefined;
    await clock.advance(1000);
    const done = (await queue.get(id))!;
    assertEquals([done.status, done.result, done.attempts, done.errorMessage], [
      "completed",
      "kept",
      1,
      null,
    ]);
    assert(events.some(({ kind }) => kind === "error"));
    assert(!events.some(({ kind }) => kind === "failed" || kind === "retried"));
  });
});

Deno.test("✗ both: a storage error never kills the loop, which claims again once the storage works", async () => {
  await withWorker(() => "done", {}, async ({ queue, clock, storage, events }) => {
    const { task: { id } } = await queue.enqueue({
      type: "t",
      runAfter: new Date(clock.nowMs() + 1000),
    });
    storage.fault = (point) => point === "write" ? { message: "ENOSPC" } : undefined;
    await clock.advance(10_000);
    assertEquals((await queue.get(id))!.status, "queued");
    assert(events.some(({ kind, task }) => kind === "error" && task === undefined));
    storage.fault = () => undefined;
    await clock.advance(2000);
    const done = (await queue.get(id))!;
    assertEquals([done.status, done.attempts], ["completed", 1]);
  });
});
