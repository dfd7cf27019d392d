/**
 * Cancelling a task that runs in another process.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { describeTimes, openQueueHere, Program, QueueFolder } from "./support.ts";
import { effort } from "../support/effort.ts";

const CANCELS = effort("wakeUps");

/** Renewing the lease would tell of the cancel too, but too late for any patience. */
const LEASE_MS = "3600000";

Deno.test("cancel() fires the signal of a handler in another process", async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await using worker = new Program("worker", folder.path, "worker", LEASE_MS);
  await worker.report("ready");
  const timesMs: number[] = [];
  for (let n = 0; n < CANCELS; n++) {
    const { task: { id } } = await queue.enqueue({ type: "cancellable" });
    await worker.report("started", id);
    const cancelledAtMs = Date.now();
    assertEquals(await queue.cancel(id), true);
    const { atMs, reason } = await worker.report("aborted", id);
    timesMs.push(atMs - cancelledAtMs);
    assertStringIncludes(reason, "Cancelled by user");
    assertEquals((await worker.report("refused", id)).code, "lease_lost");
    assertEquals((await worker.report("ended", id)).end, "cancelled");
    const task = await queue.get(id);
    assertEquals(
      [task?.status, task?.errorMessage, task?.result],
      ["cancelled", "Cancelled by user", null],
    );
    assertEquals(await queue.cancel(id), false);
  }
  await worker.stop();
  console.log(`cancel across processes: ${describeTimes(timesMs)}`);
});
