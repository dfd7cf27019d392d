/**
 * What every TaskQueue must do with tasks that expire. The numbers are those of the cases that flow control was designed by.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { ClaimRequest, TaskQueue } from "../../src/queue/task_queue.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { behavioursOf, untilPassed, untilRescued, type UseQueue } from "./suite.ts";

/** No look of the queue's own falls on it: what a claim does by itself is seen. */
const BETWEEN_MS = 300;

/** Registers the suite for one implementation. */
export function expiryContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("27: a task never starts at its expiry or after it", async (queue, clock) => {
    const gone = await expiring(queue, clock, 10_000 + BETWEEN_MS);
    const named = await expiring(queue, clock, 10_000 + BETWEEN_MS);
    const last = await expiring(queue, clock, 10_000 + BETWEEN_MS + 1);
    await clock.advance(10_000 + BETWEEN_MS);
    assertEquals(await claim(queue, { types: [], taskId: named.id }), []);
    assertEquals((await claim(queue)).map(({ id }) => id), [last.id], "a millisecond before");
    for (const { id, expiresAt } of [gone, named]) {
      await untilEnded(queue, clock, id);
      const task = (await queue.get(id))!;
      const message = `Expired: it had not started by ${expiresAt!.toISOString()}`;
      assertEquals([task.status, task.attempts], ["cancelled", 0]);
      assertEquals([task.errorMessage, task.expiresAt], [message, expiresAt]);
      assertEquals(await kindsOf(queue, id), ["enqueued", "expired"]);
      assertEquals(await claim(queue, { types: [], taskId: id }), []);
      assertMatch((await queue.explain(id))!.summary, /was cancelled at .* because: Expired: /);
    }
    assertEquals((await queue.get(last.id))!.status, "leased");
  });

  behaviour("27: the children of an expired task end by their policies", async (queue, clock) => {
    const { id } = await expiring(queue, clock, 10_000, { runId: "mother" });
    const [failed, skipped, runs] = await Promise.all(
      (["fail", "skip", "run"] as const).map((onParentFailure) =>
        queue.enqueue({ type: "other", dependsOn: ["mother"], onParentFailure })
      ),
    );
    await clock.advance(11_000);
    await untilEnded(queue, clock, id);
    const statuses = [failed!, skipped!, runs!].map(async ({ task }) =>
      (await queue.get(task.id))!.status
    );
    assertEquals(await Promise.all(statuses), ["failed", "cancelled", "queued"]);
    assertEquals(await queue.retry(id), true);
    assertEquals((await queue.get(failed!.task.id))!.waitsFor, 1, "it comes back with its parent");
  });

  behaviour("27: it expires while it is paused, or waits for parents", async (queue, clock) => {
    const parent = await queue.enqueue({ type: "other" });
    const waiting = await expiring(queue, clock, 5000, { dependsOn: [parent.task.id] });
    await queue.pause({ type: "email" });
    const paused = await expiring(queue, clock, 5000);
    const why = (await queue.explain(paused.id))!;
    assertEquals([why.reason, why.data.expires_at], ["paused", paused.expiresAt!.toISOString()]);
    assertMatch(why.summary, /; it is cancelled by itself if it has not started by .*Z$/);
    await clock.advance(5000);
    for (const { id } of [waiting, paused]) await untilEnded(queue, clock, id);
    assertEquals((await queue.get(waiting.id))!.waitsFor, 0);
    await queue.complete((await claim(queue, { types: ["other"] }))[0]!);
    assertEquals((await queue.get(waiting.id))!.status, "cancelled");
  });

  behaviour("28: what has started goes on after its expiry", async (queue, clock) => {
    const { id } = await expiring(queue, clock, 10_000);
    await clock.advance(9000);
    const [first] = await claim(queue, { leaseDurationMs: 11_000 });
    assertEquals(first!.id, id);
    await clock.advance(11_000);
    await untilRescued(queue, clock, id);
    assertEquals(await kindsOf(queue, id), ["enqueued", "leased", "rescued"]);
    assert(!(await queue.explain(id))!.summary.includes("cancelled by itself"));
    const [second] = await claim(queue);
    assertEquals(second!.attempts, 2);
    await queue.release(second!);
    await clock.advance(2000);
    const [third] = await claim(queue);
    await queue.release(third!);
    assertEquals((await claim(queue)).map((task) => task.id), [id]);
  });

  behaviour("28: a task released in its first attempt has started", async (queue, clock) => {
    const { id } = await expiring(queue, clock, 5000);
    const [task] = await claim(queue);
    assertEquals((await queue.release(task!)).attempts, 0);
    await clock.advance(7000);
    assertEquals((await claim(queue)).map((each) => each.id), [id]);
  });

  behaviour("28: an expired task that is retried by hand runs", async (queue, clock) => {
    const { id } = await expiring(queue, clock, 5000);
    await clock.advance(6000);
    await untilEnded(queue, clock, id);
    assertEquals(await queue.retry(id), true);
    assertEquals((await queue.get(id))!.expiresAt, null);
    await clock.advance(6000);
    assertEquals((await claim(queue)).map((task) => task.id), [id]);
    assertEquals((await queue.get(id))!.expiresAt, null);
  });

  behaviour("a first lease is not given to a task that has expired", async (queue, clock) => {
    const expiresAt = new Date(clock.nowMs());
    const lease = { workerId: "w", leaseDurationMs: 60_000 };
    const { task } = await queue.enqueue({ type: "email", expiresAt }, { leaseTo: lease });
    assertEquals([task.status, task.attempts], ["queued", 0]);
    assertEquals((await queue.explain(task.id))!.reason, "expired");
    await untilEnded(queue, clock, task.id);
  });

  behaviour("each task of a schedule expires so long after its firing", async (queue, clock) => {
    const { schedule } = await queue.addSchedule({
      id: "often",
      type: "email",
      everyMs: 60_000,
      expiresInMs: 5000,
    });
    assertEquals(schedule.expiresInMs, 5000);
    const fired = async (): Promise<boolean> => await queue.count({}) > 0;
    await clock.advance(60_000);
    await untilPassed(clock, fired, "the firing");
    const [task] = await queue.list();
    assertEquals(task!.expiresAt!.getTime() - task!.createdAt.getTime(), 5000);
    await clock.advance(5000);
    await untilEnded(queue, clock, task!.id);
  });

  behaviour("a task that would never run, or with no instant, is refused", async (queue, clock) => {
    const at = new Date(clock.nowMs() + 60_000);
    const never = { type: "email", runAfter: at, expiresAt: at };
    const error = await assertRejects(() => queue.enqueue(never), RangeError);
    assertMatch(error.message, /^Cannot use expiresAt .*Z with runAfter .*Z: it must be later/);
    await assertRejects(() => queue.enqueue({ type: "email", expiresAt: "soon" }), TypeError);
    await assertRejects(
      () => queue.addSchedule({ id: "s", type: "email", everyMs: 1000, expiresInMs: 0 }),
      RangeError,
      "expiresInMs",
    );
    assertEquals(await queue.count({}), 0);
  });
}

async function expiring(
  queue: TaskQueue,
  clock: FakeClock,
  inMs: number,
  fields: Partial<NewTask> = {},
): Promise<Task> {
  const expiresAt = new Date(clock.nowMs() + inMs);
  return (await queue.enqueue({ type: "email", ...fields, expiresAt })).task;
}

function claim(queue: TaskQueue, request: Partial<ClaimRequest> = {}): Promise<Task[]> {
  return queue.claim({
    workerId: "w",
    types: ["email"],
    limit: 10,
    leaseDurationMs: 60_000,
    ...request,
  });
}

async function untilEnded(queue: TaskQueue, clock: FakeClock, id: number): Promise<void> {
  const isEnded = async (): Promise<boolean> => (await queue.get(id))!.status === "cancelled";
  await untilPassed(clock, isEnded, `the expiry of task ${id}`);
}

async function kindsOf(queue: TaskQueue, id: number): Promise<string[]> {
  return (await queue.transitions(id)).map(({ kind }) => kind);
}
