import { assertEquals, assertRejects } from "@std/assert";
import { openQueue } from "../../src/compose/open_queue.ts";
import { WaitTimeoutError } from "../../src/domain/errors.ts";
import { waitContract } from "../contract/wait_contract.ts";
import { EMBEDDED_PLACES, withMemoryQueue, withTemporaryPath } from "../support/queues.ts";

for (const [name, withPlace] of EMBEDDED_PLACES) waitContract(name, withPlace);

Deno.test("wait() that was too short says how the task is", () =>
  withMemoryQueue({}, async (queue, clock) => {
    await queue.enqueue({ type: "t", runId: "r" });
    const waiting = assertRejects(
      () => queue.wait("r", { timeoutMs: 5000 }),
      WaitTimeoutError,
      'Cannot wait longer for run "r": after 5000 ms it is still queued',
    );
    await clock.advance(5000);
    await waiting;
  }));

Deno.test("wait() in one process ends when another one completes the task", async () => {
  await withTemporaryPath(async (path) => {
    const waiter = await openQueue({ path });
    const worker = await openQueue({ path });
    try {
      const { task } = await waiter.enqueue({ type: "t" });
      const waiting = waiter.wait(task.runId, { timeoutMs: 60_000 });
      const [claimed] = await worker.claim({ workerId: "w", types: ["t"] });
      await worker.complete(claimed!, "by another");
      assertEquals((await waiting).result, "by another");
    } finally {
      await waiter.close();
      await worker.close();
    }
  });
});
