/**
 * Workloads that more than one part has: callers that enqueue, and claims that complete.
 */
import type { Contender } from "./contenders/contender.ts";
import type { Stopwatch } from "./measure.ts";
import { BATCH } from "./reach_work.ts";

/** `count` callers, each of which enqueues `each` tasks one after the other. */
export async function callers(
  contender: Pick<Contender, "enqueue">,
  watch: Stopwatch,
  [count, each]: readonly [count: number, each: number],
): Promise<number> {
  const call = async (): Promise<void> => {
    for (let n = 0; n < each; n++) await watch.lap(() => contender.enqueue(n));
  };
  await watch.total(async () => {
    await Promise.all(Array.from({ length: count }, call));
  });
  return count * each;
}

/** Claims up to `limit` tasks at once and completes them, until `tasks` are done. */
export async function claims(
  contender: Pick<Contender, "enqueueBatch" | "claimAndComplete">,
  watch: Stopwatch,
  [limit, tasks]: readonly [limit: number, tasks: number],
): Promise<number> {
  const claimAndComplete = contender.claimAndComplete!;
  await contender.enqueueBatch(BATCH);
  let done = 0;
  await watch.total(async () => {
    while (done < tasks) done += await watch.lap(() => claimAndComplete(limit));
  });
  return done;
}
