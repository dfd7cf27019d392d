/**
 * A worker whose handler says 100 MB: what is left of it, in any store of logs.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HandlerRegistry, openLogStore, openQueue, Worker } from "../../src/mod.ts";
import type { LogStore } from "../../src/worker/log_store.ts";

const MIB = 1024 * 1024;

/** Runs one task that logs 100 MB, in a real worker; `sizeOf` says how many bytes of it are left. */
export async function logALot(
  address: string,
  sizeOf: (logs: LogStore) => Promise<number>,
): Promise<void> {
  const queue = await openQueue(address);
  const logs = openLogStore(address);
  const handlers = new HandlerRegistry();
  const text = "x".repeat(10_000);
  handlers.register("loud", async (_payload, context) => {
    for (let n = 0; n < 10_000; n++) {
      context.log("info", text);
      if (n % 100 === 0) await new Promise((resume) => setTimeout(resume));
    }
    context.log("error", "the last word");
    return null;
  });
  const worker = new Worker({ queue, handlers, logs });
  await worker.start();
  const { task } = await queue.enqueue({ type: "loud" });
  assertEquals((await queue.wait(task.id)).status, "completed");
  await worker.stop();
  const size = await sizeOf(logs);
  assert(size > 15 * MIB && size <= 17 * MIB, `${size} bytes are left`);
  const { lines } = await logs.tail(task.id, { lines: 2 });
  assertStringIncludes(lines[0]!.message, "the log is full");
  assertEquals(lines[1]!.message, "the last word");
  await logs.close();
  await queue.close();
}
