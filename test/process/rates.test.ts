/**
 * A rate over three worker processes that are killed and restarted: no window of its period has more starts than it allows.
 */
import { assert } from "@std/assert";
import type { EmbeddedQueue } from "../../src/mod.ts";
import { openQueueHere, Program, QueueFolder, waitFor } from "./support.ts";

const RATE = { limit: 8, periodMs: 500, burst: 4 };

/** How many starts there are to be. */
const STARTS = 40;

/** After how many starts a process is killed and another begins. */
const KILL_EVERY = 10;

Deno.test("a rate holds over three processes that are killed and restarted", async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await queue.setLimit({ type: "tick" }, { rate: RATE });
  const { cursor } = await queue.history();
  const begin = (i: number): Program => new Program("worker", folder.path, `worker ${i}`, "1000");
  const workers = [begin(0), begin(1), begin(2)];
  try {
    await Promise.all(workers.map((worker) => worker.report("ready")));
    await queue.enqueueBatch(Array.from({ length: 2 * STARTS }, () => ({ type: "tick" })));
    for (let count = KILL_EVERY; count <= STARTS; count += KILL_EVERY) {
      await waitFor(async () => {
        return (await startsAfter(queue, cursor)).length >= count || undefined;
      }, `${count} starts`);
      const i = (count / KILL_EVERY) % workers.length;
      await workers[i]!.kill();
      workers[i] = begin(i);
    }
  } finally {
    for (const worker of workers) await worker[Symbol.asyncDispose]();
  }
  const starts = await startsAfter(queue, cursor);
  const counts = starts.map((start) =>
    starts.filter((at) => at >= start && at < start + RATE.periodMs).length
  );
  const most = Math.max(...counts);
  console.log(`${starts.length} starts, ${most} at most in ${RATE.periodMs} ms`);
  assert(most <= RATE.limit, `${most} starts in ${RATE.periodMs} ms`);
  assert(most >= RATE.limit / 2, `only ${most} starts in ${RATE.periodMs} ms: that proves nothing`);
});

/** The instants of all starts, as the queue has recorded them. */
async function startsAfter(queue: EmbeddedQueue, after: string): Promise<number[]> {
  const { entries } = await queue.history({ after, limit: 1000 });
  return entries.filter(({ kind }) => kind === "leased").map(({ at }) => at.getTime());
}
