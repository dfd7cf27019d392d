/**
 * What must hold when processes that work on a queue die by `kill -9`, wherever the queue is.
 */
import { assert, assertEquals } from "@std/assert";
import { openQueue, type RateLimit, type TaskQueue } from "../../src/mod.ts";
import { Program, waitFor } from "./support.ts";

const STEPS = 3;

/**
 * A bulk request over as many tasks dies in the middle: it has done a part, from the lowest id on, which the same request completes.
 * `place` is an empty queue.
 */
export async function bulkIsKilled(place: string, tasks: number): Promise<void> {
  const queue = await openQueue(place);
  try {
    for (let at = 0; at < tasks; at += 10_000) {
      const count = Math.min(10_000, tasks - at);
      await queue.enqueueBatch(Array.from({ length: count }, () => ({ type: "email" })));
    }
    const reported = await killedAfterSteps(place);
    const done = await queue.count({ status: "cancelled" });
    const [last] = await queue.list({ status: "cancelled", limit: 1 });
    assertEquals(done, last!.id, "from the lowest id on, without a gap");
    assert(done >= reported && done < tasks, `${done} of ${tasks}, ${reported} were reported`);
    const rest = await completed(queue);
    assertEquals(rest, tasks - done);
    assertEquals(await queue.count({ status: "cancelled" }), tasks);
    for (const id of [1, done, done + 1, tasks]) {
      const kinds = (await queue.transitions(id)).map(({ kind }) => kind);
      assertEquals(kinds, ["enqueued", "cancelled"], `task ${id}`);
    }
  } finally {
    await queue.close();
  }
}

/** How many tasks a bulk request has reported when it is killed. */
async function killedAfterSteps(place: string): Promise<number> {
  await using bulk = new Program("bulk_steps", place);
  for (let step = 1; step <= STEPS; step++) {
    await bulk.say(String(step));
    await bulk.until(() => bulk.reports("seen")[step - 1], `step ${step}`);
  }
  const reported = bulk.reports("seen").at(-1)!.tasks;
  await bulk.say(String(STEPS + 1));
  await bulk.kill();
  return reported;
}

/** Asks anew until everything is done; how many tasks that were. */
async function completed(queue: TaskQueue): Promise<number> {
  const request = { action: "cancel", filter: { type: "email" }, budgetMs: 30_000 } as const;
  for (let changed = 0, cursor: string | undefined;;) {
    const report = await queue.bulk({ ...request, cursor });
    assertEquals(report.matched, report.changed);
    changed += report.changed;
    if (report.cursor === null) return changed;
    cursor = report.cursor;
  }
}

/** How a rate is tried. */
export interface RateTrial {
  readonly rate: RateLimit;
  /** How many starts there are to be. */
  readonly starts: number;
  /** After how many starts a process is killed and another begins. */
  readonly killEvery: number;
}

/**
 * A rate over three worker processes that are killed and restarted: no window of its period has more starts than it allows.
 * `place` is an empty queue.
 */
export async function rateHoldsOverKills(
  place: string,
  { rate, starts: wanted, killEvery }: RateTrial,
): Promise<void> {
  const queue = await openQueue(place);
  const begin = (i: number): Program => new Program("worker", place, `worker ${i}`, "1000");
  const workers: Program[] = [];
  try {
    await queue.setLimit({ type: "tick" }, { rate });
    const { cursor } = await queue.history();
    workers.push(begin(0), begin(1), begin(2));
    await Promise.all(workers.map((worker) => worker.report("ready")));
    await queue.enqueueBatch(Array.from({ length: 2 * wanted }, () => ({ type: "tick" })));
    for (let count = killEvery; count <= wanted; count += killEvery) {
      await waitFor(async () => {
        return (await startsAfter(queue, cursor)).length >= count || undefined;
      }, `${count} starts`);
      const i = (count / killEvery) % workers.length;
      await workers[i]!.kill();
      workers[i] = begin(i);
    }
    const starts = await startsAfter(queue, cursor);
    const most = mostWithin(starts, rate.periodMs);
    console.log(`${starts.length} starts, ${most} at most in ${rate.periodMs} ms`);
    assert(most <= rate.limit, `${most} starts in ${rate.periodMs} ms`);
    assert(
      most >= rate.limit / 2,
      `only ${most} starts in ${rate.periodMs} ms: that proves nothing`,
    );
  } finally {
    for (const worker of workers) await worker[Symbol.asyncDispose]();
    await queue.close();
  }
}

/** How many starts a window of the period has at most. */
function mostWithin(starts: readonly number[], periodMs: number): number {
  return Math.max(
    ...starts.map((start) => starts.filter((at) => at >= start && at < start + periodMs).length),
  );
}

/** The instants of all starts, as the queue has recorded them. */
async function startsAfter(queue: TaskQueue, after: string): Promise<number[]> {
  const starts: number[] = [];
  for (let at = after;;) {
    const { entries, cursor } = await queue.history({ after: at, limit: 1000 });
    for (const { kind, at } of entries) if (kind === "leased") starts.push(at.getTime());
    if (entries.length === 0) return starts;
    at = cursor;
  }
}
