/**
 * What every queue must do that can be moved: closed, it gives out and adds nothing, and what is leased can end.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { QueueError, type QueueErrorCode } from "../../src/domain/errors.ts";
import type { QueueClosure, QueueClosureState } from "../../src/queue/closure.ts";
import { type MoveEnd, moveEndOf } from "../../src/queue/move_end.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";
import { until } from "../support/until.ts";

/** The closure of a test. */
export function closure(
  state: QueueClosureState,
  fields: Partial<QueueClosure> = {},
): QueueClosure {
  const since = new Date(1_700_000_000_000);
  const known = { moveId: "m-1", other: "postgres://ann@db/app", otherId: "q-2" };
  return { state, ...known, since, cursor: "", ...fields };
}

/** Closes an open queue. */
export async function close(queue: TaskQueue, state: QueueClosureState): Promise<void> {
  assert(await endOf(queue).setClosure({ expected: null, next: closure(state) }));
}

function endOf(queue: TaskQueue): MoveEnd {
  return moveEndOf(queue)!;
}

async function assertCode(code: QueueErrorCode, act: () => Promise<unknown>): Promise<QueueError> {
  const error = await assertRejects(act, QueueError);
  assertEquals([error.code, error.message], [code, error.message]);
  return error;
}

/** Everything that a closed queue does not do. */
export function refused(queue: TaskQueue): readonly (() => Promise<unknown>)[] {
  const task = { type: "t" };
  const daily = { id: "s-2", type: "t", cron: "@daily" };
  return [
    () => queue.claim({ workerId: "w", types: ["t"] }),
    () => queue.claim({ workerId: "w", types: ["unknown"] }),
    () => queue.claim({ workerId: "w", types: [], taskId: 1 }),
    () => queue.enqueue(task),
    () => queue.enqueue({ ...task, idempotencyKey: "k" }),
    () => queue.enqueue({ ...task, dependsOn: [1] }),
    () => queue.enqueue(task, { leaseTo: { workerId: "w" } }),
    () => queue.enqueueBatch([task, task]),
    () => queue.retry(2),
    () => queue.cancel(1),
    () => queue.addSchedule(daily),
    () => queue.pauseSchedule("s", true),
    () => queue.removeSchedule("s"),
    () => queue.fireSchedules(),
    () => queue.prune({ keep: 0 }),
    () => queue.importRecords([]),
  ];
}

/** Tasks 1, which is queued, and 2, which was cancelled, and a schedule that is due. */
export async function fill(queue: TaskQueue): Promise<void> {
  await queue.enqueue({ type: "t", idempotencyKey: "k" });
  const { task } = await queue.enqueue({ type: "t" });
  await queue.cancel(task.id);
  await queue.addSchedule({ id: "s", type: "t", everyMs: 60_000 });
}

/** Registers the suite for one implementation. */
export function closureContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("a closed queue refuses what adds, gives out or changes", async (queue) => {
    await fill(queue);
    await close(queue, "leaving");
    const before = await queue.exportAll();
    for (const act of refused(queue)) {
      const { message } = await assertCode("queue_moving", act);
      assertStringIncludes(message, '"postgres://ann@db/app"');
      assertStringIncludes(message, "--cancel");
    }
    assertEquals(await queue.exportAll(), before);
    assertEquals((await queue.list()).length, 2);
  });

  behaviour("each closure says what goes on, and for how long", async (queue) => {
    const cases: readonly (readonly [QueueClosureState, QueueErrorCode, string])[] = [
      ["leaving", "queue_moving", "its tasks are being moved to"],
      ["handing_over", "queue_moving", "its tasks are being moved to"],
      ["moved", "queue_moved", "its tasks were moved to"],
      ["filling", "queue_moving", "it is being filled with the tasks of"],
      ["abandoned", "queue_moved", "was called off"],
    ];
    let expected: QueueClosure | null = null;
    for (const [state, code, text] of cases) {
      const next: QueueClosure = closure(state);
      assert(await endOf(queue).setClosure({ expected, next }));
      const { message } = await assertCode(code, () => queue.enqueue({ type: "t" }));
      assertStringIncludes(message, text);
      assertStringIncludes(message, "2023-11-14T22:13:20.000Z");
      const { verdict, reasons } = await queue.health();
      assertEquals([reasons[0]!.code, verdict], [
        code,
        code === "queue_moved" ? "unhealthy" : "degraded",
      ]);
      assertStringIncludes(reasons[0]!.message, text);
      expected = next;
    }
  });

  behaviour("what is leased in a closed queue can end, in every way", async (queue, clock) => {
    await queue.enqueueBatch(Array.from({ length: 6 }, () => ({ type: "t", maxAttempts: 3 })));
    await queue.enqueue({ type: "child", dependsOn: [1] });
    const [a, b, c, d] = await queue.claim({ workerId: "w", types: ["t"], limit: 5 });
    await close(queue, "leaving");
    assertEquals(await endOf(queue).isAtRest(), false);
    await queue.renew(a!);
    await queue.reportProgress(a!, 50);
    await queue.complete(a!, "done");
    await queue.fail(b!, new Error("again"));
    await queue.release(c!);
    assertEquals(await queue.cancel(d!.id), true);
    await clock.advance(11_000);
    await queue.rescue();
    assertEquals((await queue.list()).map(({ status }) => status), [
      "queued",
      "queued",
      "queued",
      "cancelled",
      "queued",
      "queued",
      "completed",
    ]);
    assertEquals((await queue.get(7))!.waitsFor, 0);
    assertEquals(await endOf(queue).isAtRest(), true);
  });

  behaviour("explain() of a queued task says where it went", async (queue) => {
    const { task } = await queue.enqueue({ type: "t" });
    await close(queue, "moved");
    const { reason, summary, data } = (await queue.explain(task.id))!;
    assertEquals(reason, "queue_moved");
    assertStringIncludes(summary, 'does not run here: its tasks were moved to "postgres://ann@db');
    assertEquals(data.other, "postgres://ann@db/app");
  });

  behaviour("nothing fires or goes by itself while it is closed", async (queue, clock) => {
    await fill(queue);
    await close(queue, "leaving");
    await clock.advance(120_000);
    await queue.rescue();
    assertEquals((await queue.list()).length, 2);
    assert(await endOf(queue).setClosure({ expected: closure("leaving"), next: null }));
    await queue.fireSchedules(); // or the queue's own look at them, which may come first
    await until(async () => (await queue.list()).length === 3, "the schedule to fire once");
    assertEquals((await queue.claim({ workerId: "w", types: ["t"], limit: 9 })).length, 2);
  });

  behaviour("a closure changes only from what is expected, and once", async (queue) => {
    const end = endOf(queue);
    const mine = closure("leaving");
    const other = closure("leaving", { moveId: "m-2" });
    assertEquals(await end.isNew(), true);
    assertEquals(await end.setClosure({ expected: other, next: mine }), false);
    assertEquals(await end.setClosure({ expected: null, next: mine, ifNew: true }), true);
    assertEquals(await end.setClosure({ expected: null, next: mine }), true); // an answer was lost
    assertEquals(await end.setClosure({ expected: null, next: other }), false);
    assertEquals((await end.notes()).closure, mine);
    assertEquals(await end.setClosure({ expected: mine, next: null }), true);
    await queue.enqueue({ type: "t" });
    assertEquals(await end.isNew(), false);
    assertEquals(await end.setClosure({ expected: null, next: other, ifNew: true }), false);
    assertEquals((await end.notes()).closure, null);
    assertEquals(await end.queueId(), await end.queueId());
  });

  behaviour("a claim and an enqueue come before a closing, or are refused", async (queue) => {
    const end = endOf(queue);
    let refusals = 0;
    for (let round = 0; round < 10; round++) {
      await queue.enqueueBatch(Array.from({ length: 12 }, () => ({ type: "t" })));
      const settled = Promise.allSettled([
        ...Array.from({ length: 6 }, (_, i) => queue.claim({ workerId: `w-${i}`, types: ["t"] })),
        ...Array.from({ length: 6 }, () => queue.enqueue({ type: "t", dependsOn: [1] })),
        ...Array.from({ length: 6 }, () => queue.enqueue({ type: "t" })),
      ]);
      const next = closure("leaving", { moveId: `m-${round}` });
      assert(await end.setClosure({ expected: null, next }));
      const [leased, all] = [await queue.count({ status: "leased" }), await queue.count()];
      const answers = await settled;
      for (const answer of answers) {
        if (answer.status === "fulfilled") continue;
        assertEquals((answer.reason as QueueError).code, "queue_moving");
        refusals++;
      }
      assertEquals([await queue.count({ status: "leased" }), await queue.count()], [leased, all]);
      for (const task of await queue.list({ status: "leased" })) await queue.complete(task);
      assert(await end.setClosure({ expected: next, next: null }));
    }
    assert(refusals <= 180);
  });
}
