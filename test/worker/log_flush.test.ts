/**
 * Logs that are sent away: who waits for the end of an attempt sees all that it said.
 */
import { assertEquals } from "@std/assert";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { MemoryLogStore } from "../../src/worker/memory_log_store.ts";
import { Worker } from "../../src/worker/worker.ts";
import { overridden } from "../support/overridden_queue.ts";
import { withMemoryQueue } from "../support/queues.ts";
import { until } from "../support/until.ts";

Deno.test("an attempt ends when what its handler said is there", () =>
  withMemoryQueue({}, async (queue, clock) => {
    const happened: string[] = [];
    const logs = Object.assign(new MemoryLogStore(), {
      flush: async (taskId: number): Promise<void> => {
        await Promise.resolve();
        happened.push(`flushed ${taskId}`);
      },
    });
    const ending = overridden(queue, {
      complete: (...args) => {
        happened.push("completed");
        return queue.complete(...args);
      },
      fail: (...args) => {
        happened.push("failed");
        return queue.fail(...args);
      },
    });
    const handlers = new HandlerRegistry()
      .register("good", (_task, context) => context.log("info", "said"))
      .register("bad", () => Promise.reject(new Error("no")));
    const worker = new Worker({ queue: ending, handlers, logs, clock, concurrency: 1 });
    for (const type of ["good", "bad"]) await queue.enqueue({ type, maxAttempts: 1 });
    worker.start();
    await until(async () => (await queue.get(2))?.status === "failed", "both tasks");
    await worker.stop();
    assertEquals(happened, ["flushed 1", "completed", "flushed 2", "failed"]);
  }));
