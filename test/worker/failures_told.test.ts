/**
 * Nothing is silent: what an embedded worker says of failed attempts, what listeners and logs get of an error.
 */
import { assert, assertEquals } from "@std/assert";
import { HandlerRegistry } from "../../src/worker/handler_registry.ts";
import { MemoryLogStore } from "../../src/worker/memory_log_store.ts";
import { imageOf, stackOf } from "../../src/worker/thread_messages.ts";
import { Worker } from "../../src/worker/worker.ts";
import type { WorkerEvent } from "../../src/worker/worker_log.ts";
import type { WorkerOptions } from "../../src/worker/worker_options.ts";
import { settle } from "../support/fake_clock.ts";
import { withMemoryQueue } from "../support/queues.ts";

class MailboxFull extends Error {
  readonly box = "ann";
}

/** What one attempt that fails says: on the standard error, to a listener, and in the log. */
async function failOnce(options: Partial<WorkerOptions>): Promise<{
  readonly lines: readonly string[];
  readonly events: readonly WorkerEvent[];
  readonly details: unknown;
  readonly thrown: Error;
}> {
  const thrown = new MailboxFull("mailbox full", { cause: new Error("452 no space") });
  const lines: string[] = [];
  const events: WorkerEvent[] = [];
  const logs = new MemoryLogStore();
  const { error } = console;
  console.error = (line: string): void => void lines.push(line);
  try {
    await withMemoryQueue({}, async (queue, clock) => {
      const handlers = new HandlerRegistry().register("email", () => {
        throw thrown;
      });
      const onEvent = (event: WorkerEvent): void => void events.push(event);
      const worker = new Worker({ queue, handlers, clock, logs, onEvent, ...options });
      worker.start();
      await queue.enqueue({ type: "email", runId: "r1", maxAttempts: 2 });
      await settle();
      await worker.stop({ graceMs: 0 });
    });
  } finally {
    console.error = error;
  }
  const [line] = (await logs.read(1, 0)).lines;
  return { lines, events, details: line?.details, thrown };
}

Deno.test("a failed attempt is a line on the standard error, unless the worker is quiet", async () => {
  assertEquals((await failOnce({})).lines, [
    "holdfast: email run r1 attempt 1 of 2 failed and is tried again: mailbox full",
  ]);
  assertEquals((await failOnce({ quiet: true })).lines, []);
});

Deno.test("a listener gets the error itself, and the log its stack and cause", async () => {
  const { events, details, thrown } = await failOnce({ quiet: true });
  const event = events.find(({ kind }) => kind === "retried");
  assert(event?.error === thrown, "another error than the handler's");
  const { stack, cause } = details as { stack: string; cause: { message: string; stack: string } };
  assert(stack.includes("mailbox full"));
  assertEquals(cause.message, "452 no space");
  assert(cause.stack.includes("452 no space"));
});

Deno.test("an error that causes itself has an image that ends", () => {
  const error = new Error("round");
  error.cause = error;
  let depth = 0;
  for (let image = imageOf(error); image.cause !== undefined; image = image.cause) depth++;
  assertEquals(depth, 5);
  assertEquals(stackOf(new Error("plain")).cause, undefined);
});
