/**
 * A worker's heartbeats: at its start, every 15 s, never its end.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import configuration from "../../deno.json" with { type: "json" };
import { openQueue } from "../../src/compose/open_queue.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { MemoryStorage } from "../../src/storage/memory_storage.ts";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { Worker } from "../../src/worker/worker.ts";
import type { WorkerEvent } from "../../src/worker/worker_log.ts";
import { FakeClock, settle } from "../support/fake_clock.ts";
import { FaultyStorage } from "../support/faulty_storage.ts";

interface Bench {
  readonly queue: TaskQueue;
  readonly clock: FakeClock;
  readonly storage: FaultyStorage;
  readonly worker: Worker;
  readonly handlers: HandlerRegistry;
  readonly events: WorkerEvent[];
}

async function withWorker(test: (bench: Bench) => Promise<void>): Promise<void> {
  const clock = new FakeClock();
  const storage = new FaultyStorage(new MemoryStorage());
  const queue = await openQueue({ storage, clock, onBackgroundError: () => {} });
  const events: WorkerEvent[] = [];
  const handlers = new HandlerRegistry().register("b", () => 1).register("a", () => 1);
  const worker = new Worker({
    queue,
    clock,
    handlers,
    workerId: "w",
    concurrency: 3,
    capabilities: { gpu: true },
    onEvent: (event) => events.push(event),
  });
  worker.start();
  try {
    await settle();
    await test({ queue, clock, storage, worker, handlers, events });
  } finally {
    storage.fault = () => undefined;
    const stopped = worker.stop({ graceMs: 0 });
    await clock.advance(2000);
    await stopped;
    await queue.close();
  }
}

Deno.test("a worker is on the list with what it can do from its start to its end", async () => {
  await withWorker(async ({ queue, clock, worker }) => {
    const [record, ...others] = await queue.listWorkers();
    assertEquals(others, []);
    assertEquals([record!.workerId, record!.types, record!.concurrency, record!.capabilities], [
      "w",
      ["a", "b"],
      3,
      { gpu: true },
    ]);
    const stopped = worker.stop();
    await clock.advance(100);
    await stopped;
    assertEquals(await queue.listWorkers(), []);
  });
});

Deno.test("a handler that is registered later is on the list at once, with its own concurrency, and runs", async () => {
  await withWorker(async ({ queue, handlers }) => {
    const { task } = await queue.enqueue({ type: "late" });
    for (const type of ["late", "later"]) handlers.register(type, () => 1, { concurrency: 2 });
    await settle();
    const [record] = await queue.listWorkers();
    assertEquals([record!.types, record!.typeLimits, record!.strategy], [
      ["a", "b", "late", "later"],
      { late: 2, later: 2 },
      "priority",
    ]);
    assertEquals((await queue.get(task.id))!.status, "completed");
  });
});

Deno.test("a worker says which Holdfast it runs, and on what", async () => {
  await withWorker(async ({ queue }) => {
    await settle();
    const [record] = await queue.listWorkers();
    assertEquals(record!.version, configuration.version);
    assertEquals(record!.runtime, `Deno/${Deno.version.deno}`);
  });
});

Deno.test("a worker's heartbeat is never older than 15 s while it lives", async () => {
  await withWorker(async ({ queue, clock }) => {
    for (let second = 0; second < 120; second += 5) {
      await clock.advance(5000);
      const { heartbeatAt, state } = (await queue.listWorkers())[0]!;
      const ageMs = clock.nowMs() - heartbeatAt.getTime();
      assert(ageMs <= 15_500, `${ageMs} ms`);
      assertEquals(state, "active");
    }
  });
});

Deno.test("a heartbeat that fails is told, and ends neither the loop nor the heartbeats", async () => {
  await withWorker(async ({ queue, clock, storage, events }) => {
    storage.fault = (point) => point === "write" ? { message: "ENOSPC" } : undefined;
    await clock.advance(16_000);
    assert(events.some(({ message }) => message?.startsWith("Cannot send a heartbeat: ")));
    storage.fault = () => undefined;
    await clock.advance(16_000);
    const { task } = await queue.enqueue({ type: "a" });
    await clock.advance(1000);
    assertEquals((await queue.get(task.id))!.status, "completed");
    const { heartbeatAt } = (await queue.listWorkers())[0]!;
    assert(clock.nowMs() - heartbeatAt.getTime() < 15_000);
  });
});

Deno.test("a worker whose queue was closed leaves no timers, so that the process can end", async () => {
  const clock = new FakeClock();
  const queue = await openQueue({ memory: true, clock });
  const handlers = new HandlerRegistry().register("a", () => 1);
  const worker = new Worker({ queue, handlers, clock });
  worker.start();
  await settle();
  await queue.close();
  await clock.advance(5000);
  assertEquals(clock.pendingTimers, 0);
  await worker.stop();
});

Deno.test("start() refuses more handlers than a heartbeat can name, and takes as many as it can", async () => {
  const clock = new FakeClock();
  const queue = await openQueue({ memory: true, clock });
  const handlers = new HandlerRegistry();
  for (let count = 1; count <= 1000; count++) handlers.register(`t${count}`, () => null);
  const worker = new Worker({ queue, handlers, clock });
  worker.start();
  await settle();
  assertEquals((await queue.listWorkers())[0]!.types.length, 1000);
  handlers.register("one too many", () => null);
  const refused = new Worker({ queue, handlers, clock });
  assertThrows(() => refused.start(), RangeError, "Cannot use 1001 as number of handlers");
  await worker.stop();
  await queue.close();
});
