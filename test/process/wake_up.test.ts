/**
 * An idle worker notices what another process enqueues.
 */
import { assertEquals, assertLessOrEqual } from "@std/assert";
import { describeTimes, openQueueHere, pause, Program, QueueFolder } from "./support.ts";

const WAKE_UPS = 20;
const STARTED_WITHIN_MS = 1000;

/** After this long without work a worker looks least often. */
const IDLE_MS = 150;

Deno.test("an idle worker starts a task of another process within 1 s", async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await using worker = new Program("worker", folder.path, "worker");
  await worker.report("ready");
  const timesMs: number[] = [];
  for (let n = 0; n < WAKE_UPS; n++) {
    await pause(IDLE_MS);
    const enqueuedAtMs = Date.now();
    const { task: { id } } = await queue.enqueue({ type: "tick" });
    timesMs.push((await worker.report("ran", id)).startedAtMs - enqueuedAtMs);
    assertEquals((await worker.report("ended", id)).end, "completed");
  }
  await worker.stop();
  console.log(`wake-up across processes: ${describeTimes(timesMs)}`);
  for (const timeMs of timesMs) assertLessOrEqual(timeMs, STARTED_WITHIN_MS);
});
