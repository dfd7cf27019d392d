/**
 * Schemas that have to wait for something: the worker and `scheduleTask` wait, `startTask` refuses them.
 */
import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { z } from "zod";
import { HandlerRegistry, openQueue, Worker } from "../../src/mod.ts";
import { createRun } from "../../src/domain/run.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { until } from "../support/until.ts";

const EVEN = z.number().refine((n) => Promise.resolve(n % 2 === 0), "an even number is needed");

Deno.test("a worker waits for an asynchronous payload schema", async () => {
  const queue = await openQueue({ memory: true });
  const handlers = new HandlerRegistry().register("t", ({ payload }) => payload, { payload: EVEN });
  const worker = new Worker({ queue, handlers });
  const stored = await queue.enqueueBatch([{ type: "t", payload: 2 }, { type: "t", payload: 3 }]);
  worker.start();
  try {
    await until(async () => (await queue.list({ status: "queued" })).length === 0, "both claimed");
    await until(async () => (await queue.list({ status: "leased" })).length === 0, "both ended");
    const [even, odd] = await Promise.all(stored.map(({ task }) => queue.get(task.id)));
    assertEquals([even!.status, even!.result], ["completed", 2]);
    assertEquals([odd!.status, odd!.attempts], ["failed", 1]);
    assertStringIncludes(odd!.errorMessage!, "an even number is needed");
  } finally {
    await worker.stop();
    await queue.close();
  }
});

Deno.test("HandlerRegistry.checkPayload() refuses an asynchronous schema, checkPayloadAsync() waits for it", async () => {
  const handlers = new HandlerRegistry().register("t", () => 1, { payload: EVEN });
  assertThrows(() => handlers.checkPayload("t", 2), TypeError, 'payload of "t" at once');
  assertEquals(await handlers.checkPayloadAsync("t", 2), 2);
  await assertRejects(() => handlers.checkPayloadAsync("t", 3), TypeError, "an even number");
});

Deno.test("scheduleTask() and scheduleTasks() wait for an asynchronous payload schema, startTask() refuses it", async () => {
  const queue = await openQueue({ memory: true });
  const waits = z.object({}).refine(() => Promise.resolve(true));
  const handlers = new HandlerRegistry()
    .register("t", ({ payload }) => payload, { payload: EVEN })
    .register("waits", () => 1, { payload: waits });
  const manager = await QueuedTaskManager.open(queue, new RunRegistry(), { handlers });
  try {
    await manager.scheduleTask("t", 2);
    await assertRejects(() => manager.scheduleTask("t", 3), TypeError, "an even number");
    const batch = [{ type: "t", payload: 4 }, { type: "t", payload: 5 }];
    await assertRejects(() => manager.scheduleTasks(batch), TypeError, "an even number");
    const run = createRun({ runId: "r", moduleId: "waits", parameters: {} });
    assertThrows(() => manager.startTask(run), TypeError, "at once");
    assertEquals((await queue.list({ type: "t" })).length, 1);
  } finally {
    await manager.close({ graceMs: 0 });
    await queue.close();
  }
});

Deno.test("a timeout names the attempts that the handler allows", async () => {
  const queue = await openQueue({ memory: true });
  const options = { maxAttempts: 1, timeoutMs: 5 };
  const never = (): Promise<never> => new Promise(() => {});
  const handlers = new HandlerRegistry().register("t", never, options);
  const worker = new Worker({ queue, handlers });
  const { task: { id } } = await queue.enqueue({ type: "t", maxAttempts: 5 });
  worker.start();
  try {
    await until(async () => (await queue.get(id))!.status === "failed", "the failure");
    assertEquals((await queue.get(id))!.errorMessage, "Timed out in attempt 1 of 1");
    assertMatch(
      (await queue.explain(id))!.summary,
      /in attempt 1 of 1, because: Timed out in attempt 1 of 1$/,
    );
  } finally {
    await worker.stop();
    await queue.close();
  }
});
