/**
 * An idle worker notices what another process enqueues.
 */
import { assert, assertEquals } from "@std/assert";
import { describeTimes, openQueueHere, pause, Program, QueueFolder } from "./support.ts";
import { effort } from "../support/effort.ts";

const WAKE_UPS = effort("wakeUps");

/** It asks for work so rarely unless something wakes it. */
const POLL_INTERVAL_MS = "60000";
const LEASE_MS = "10000";

/** After this long without work a worker looks least often. */
const IDLE_MS = 150;

Deno.test("an idle worker starts a task of another process long before it would ask by itself", async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await using worker = new Program("worker", folder.path, "worker", LEASE_MS, POLL_INTERVAL_MS);
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
  assert(Math.min(...timesMs) < Number(POLL_INTERVAL_MS) / 4, "nothing but its polling wakes it");
});
