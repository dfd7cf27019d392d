/**
 * A clock that was far ahead and is put right: nothing that it left waits until that time comes again.
 */
import { assert, assertEquals } from "@std/assert";
import { HandlerRegistry, type TaskQueue, Worker } from "../../src/mod.ts";
import { loadSqlJsEngine } from "../../src/platform/sqljs_engine.ts";
import { CLOCK_SQL } from "../../src/ledger_queue/clock_watch.ts";
import { QUEUE_SCHEMA } from "../../src/ledger_queue/rows/schema.ts";
import { AdjustableClock } from "../support/adjustable_clock.ts";
import { withQueue } from "../support/queues.ts";

const HOUR_MS = 3_600_000;

function withAdjustableClock(
  test: (queue: TaskQueue, clock: AdjustableClock) => Promise<void>,
): Promise<void> {
  const clock = new AdjustableClock();
  return withQueue({ memory: true, clock }, (queue) => test(queue, clock));
}

async function codes(queue: TaskQueue): Promise<string[]> {
  return (await queue.health()).reasons.map(({ code }) => code);
}

Deno.test("a dead worker's task is rescued after one lease, though the clock was put back by five hours", () =>
  withAdjustableClock(async (queue, clock) => {
    clock.aheadMs = 5 * HOUR_MS;
    await queue.enqueue({ type: "t" });
    await queue.claim({ workerId: "gone", types: ["t"], leaseDurationMs: 60_000 });
    await clock.seconds(20);
    clock.aheadMs = 0;
    assertEquals(await codes(queue), ["clock_put_back"]);
    const [reason] = (await queue.health()).reasons;
    assertEquals(
      reason!.message,
      "The clock was put back: a lease or a schedule was written 4 h 59 min in the future",
    );
    await clock.seconds(59);
    assertEquals((await queue.get(1))!.status, "leased");
    await clock.seconds(31);
    assertEquals((await queue.get(1))!.status, "queued");
    assertEquals(await codes(queue), []);
  }));

Deno.test("a worker that lives keeps its task when the clock is put back", () =>
  withAdjustableClock(async (queue, clock) => {
    clock.aheadMs = 5 * HOUR_MS;
    let finish: (result: string) => void = () => {};
    const handlers = new HandlerRegistry().register(
      "t",
      () => new Promise((done) => finish = done),
    );
    const worker = new Worker({ queue, handlers, clock, workerId: "w", leaseDurationMs: 10_000 });
    worker.start();
    await queue.enqueue({ type: "t" });
    await clock.seconds(30);
    clock.aheadMs = 0;
    await clock.seconds(60);
    finish("done");
    await clock.seconds(1);
    const task = await queue.get(1);
    assertEquals([task!.status, task!.attempts, task!.result], ["completed", 1, "done"]);
    const stopping = worker.stop();
    await clock.seconds(1);
    await stopping;
  }));

Deno.test("a lease is not ended while its holder renews it, also by a clock that is still ahead", () =>
  withAdjustableClock(async (queue, clock) => {
    clock.aheadMs = 5 * HOUR_MS;
    await queue.enqueue({ type: "t" });
    const [task] = await queue.claim({ workerId: "w", types: ["t"], leaseDurationMs: 30_000 });
    clock.aheadMs = 0;
    for (let renewal = 0; renewal < 5; renewal++) {
      await clock.seconds(20);
      clock.aheadMs = 5 * HOUR_MS;
      await queue.renew(task!, { leaseDurationMs: 30_000 });
      clock.aheadMs = 0;
    }
    assertEquals((await queue.get(1))!.attempts, 1);
    assertEquals((await queue.get(1))!.status, "leased");
  }));

Deno.test("reportProgress() leaves of a lease what was left of it when the clock was put back", () =>
  withAdjustableClock(async (queue, clock) => {
    clock.aheadMs = 5 * HOUR_MS;
    await queue.enqueue({ type: "t" });
    const [task] = await queue.claim({ workerId: "w", types: ["t"], leaseDurationMs: 30_000 });
    clock.aheadMs = 0;
    const { leaseUntil } = await queue.reportProgress(task!, 50);
    assertEquals(leaseUntil, new Date(clock.nowMs() + 30_000));
  }));

Deno.test("a long lease of a clock that was right is left alone", () =>
  withAdjustableClock(async (queue, clock) => {
    await queue.enqueue({ type: "t" });
    await queue.claim({ workerId: "w", types: ["t"], leaseDurationMs: 5 * HOUR_MS });
    await clock.seconds(60);
    assertEquals((await queue.get(1))!.status, "leased");
    assertEquals(await codes(queue), []);
  }));

Deno.test("schedules go on within seconds after the clock was put back", () =>
  withAdjustableClock(async (queue, clock) => {
    clock.aheadMs = 3 * HOUR_MS;
    await queue.addSchedule({ id: "cron", type: "t", cron: "* * * * * *", overlap: true });
    await queue.addSchedule({ id: "every", type: "e", everyMs: 1000 });
    await clock.seconds(3);
    for (const task of await queue.claim({ workerId: "w", types: ["e"] })) {
      await queue.complete(task);
    }
    const firings = async (id: string): Promise<number> => (await queue.getSchedule(id))!.firings;
    clock.aheadMs = 0;
    const before = [await firings("cron"), await firings("every")];
    assertEquals(await codes(queue), ["clock_put_back"]);
    await clock.seconds(20);
    assert(await firings("cron") >= before[0]! + 8);
    assertEquals(await firings("every"), before[1]! + 1);
    assertEquals(await codes(queue), []);
  }));

Deno.test("a schedule that was paused when the clock was put back goes on from now", () =>
  withAdjustableClock(async (queue, clock) => {
    clock.aheadMs = 3 * HOUR_MS;
    await queue.addSchedule({ id: "s", type: "t", cron: "* * * * *" });
    await queue.pauseSchedule("s", true);
    clock.aheadMs = 0;
    const { nextAt } = await queue.pauseSchedule("s", false);
    assertEquals(nextAt, new Date(clock.nowMs() + 60_000));
  }));

Deno.test("a schedule whose next instant is the same by both clocks keeps it", () =>
  withAdjustableClock(async (queue, clock) => {
    clock.aheadMs = 3 * HOUR_MS;
    await queue.addSchedule({ id: "s", type: "t", cron: "0 0 1 7 *" });
    clock.aheadMs = 0;
    await clock.seconds(11);
    assertEquals((await queue.getSchedule("s"))!.nextAt, new Date("2026-07-01T00:00:00Z"));
    assertEquals(await codes(queue), []);
  }));

Deno.test("a retry waits for its delay after the clock was put back, a scheduled task for its instant", () =>
  withAdjustableClock(async (queue, clock) => {
    clock.aheadMs = 5 * HOUR_MS;
    const runAfter = new Date(clock.nowMs() + HOUR_MS);
    await queue.enqueue({
      type: "t",
      retryPolicy: { initialDelayMs: 60_000, maxDelayMs: 60_000, multiplier: 1 },
    });
    await queue.enqueue({ type: "t", runAfter });
    const [task] = await queue.claim({ workerId: "w", types: ["t"] });
    const delayMs = (await queue.fail(task!, new Error("no"))).runAfter.getTime() - clock.nowMs();
    await clock.seconds(20);
    clock.aheadMs = 0;
    const beforeMs = clock.nowMs();
    await clock.seconds(11);
    const retryMs = (await queue.get(1))!.runAfter.getTime();
    assert(retryMs >= beforeMs + delayMs && retryMs <= clock.nowMs() + delayMs);
    assertEquals((await queue.get(2))!.runAfter, runAfter);
  }));

Deno.test("a retry behind thousands of scheduled tasks is found by later looks, each of which goes through some of them", () =>
  withAdjustableClock(async (queue, clock) => {
    const runAfter = new Date(clock.nowMs() + 6 * HOUR_MS);
    for (let batch = 0; batch < 5; batch++) {
      await queue.enqueueBatch(Array.from({ length: 1000 }, () => ({ type: "t", runAfter })));
    }
    clock.aheadMs = 5 * HOUR_MS;
    const delayMs = 3 * HOUR_MS;
    const retryPolicy = { initialDelayMs: delayMs, maxDelayMs: delayMs, multiplier: 1 };
    const { task: { id } } = await queue.enqueue({ type: "retried", retryPolicy });
    const [task] = await queue.claim({ workerId: "w", types: ["retried"] });
    await queue.fail(task!, new Error("no"));
    clock.aheadMs = 0;
    const isAhead = async (): Promise<boolean> => {
      return (await queue.get(id))!.runAfter.getTime() > clock.nowMs() + 6 * HOUR_MS;
    };
    await clock.seconds(11);
    assert(await isAhead(), "all was looked at in one step");
    await clock.seconds(30);
    assert(!await isAhead());
  }));

Deno.test("a worker whose last heartbeat lies hours in the future is not active", () =>
  withAdjustableClock(async (queue, clock) => {
    clock.aheadMs = 5 * HOUR_MS;
    const beat = { workerId: "w", capabilities: {}, types: ["t"], concurrency: 1 };
    await queue.heartbeat(beat);
    clock.aheadMs = 0;
    const state = async (): Promise<string> => (await queue.listWorkers())[0]!.state;
    assertEquals(await state(), "stale");
    await queue.heartbeat(beat);
    assertEquals(await state(), "active");
  }));

Deno.test("no statement about a clock that was put back sorts or reads tasks of another status", async () => {
  const database = (await loadSqlJsEngine()).open();
  database.run(QUEUE_SCHEMA.migrations.join(";"));
  for (const sql of Object.values(CLOCK_SQL)) {
    for (const row of database.all(`EXPLAIN QUERY PLAN ${sql}`)) {
      assert(String(row[3]).startsWith("SEARCH"), `${row[3]} in the plan of ${sql}`);
    }
  }
  database.close();
});
