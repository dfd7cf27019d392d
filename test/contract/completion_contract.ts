/**
 * What every TaskQueue must do with the tasks that a completion stores, and with a task that is given back for a while.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { QueueError } from "../../src/domain/errors.ts";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";

/** Registers the suite for one implementation. */
export function completionContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("complete() stores the tasks that follow, and tells which", async (queue) => {
    const task = await claimed(queue);
    const done = await queue.complete(task, "sent", {
      enqueue: [{ type: "next", runId: "a", payload: { n: 1 } }, { type: "next", priority: 7 }],
    });
    assertEquals([done.status, done.result], ["completed", "sent"]);
    const [second, first] = await queue.list({ type: "next" });
    assertEquals([first?.runId, first?.payload, first?.status], ["a", { n: 1 }, "queued"]);
    assertEquals([second?.priority, second?.status], [7, "queued"]);
    const last = (await queue.transitions(task.id)).at(-1);
    assertEquals([last?.kind, last?.enqueuedCount], ["completed", 2]);
    assertEquals(last?.enqueuedRuns, ["a", second!.runId]);
    const [enqueued] = await queue.transitions(first!.id);
    assertEquals([enqueued?.kind, enqueued?.causedBy], ["enqueued", task.runId]);
  });

  behaviour("what follows may depend on each other, and on what is completed", async (queue) => {
    const task = await claimed(queue);
    await queue.complete(task, { rows: 3 }, {
      enqueue: [
        { type: "next", runId: "b", dependsOn: ["a"] },
        { type: "next", runId: "a", dependsOn: [task.runId] },
      ],
    });
    const [a] = await queue.claim({ workerId: "w1", types: ["next"], limit: 2 });
    assertEquals(a?.runId, "a");
    assertEquals((await queue.parentResults(a!.id))[0]?.result, { rows: 3 });
    assertEquals((await queue.getByRunId("b"))?.waitsFor, 1);
    await queue.complete(a!);
    assertEquals((await queue.getByRunId("b"))?.waitsFor, 0);
  });

  behaviour(
    "who waits for a task waits until it is completed, not for what follows",
    async (queue) => {
      const task = await claimed(queue);
      const { task: child } = await queue.enqueue({ type: "child", dependsOn: [task.id] });
      await queue.complete(task, null, { enqueue: [{ type: "next" }] });
      assertEquals((await queue.get(child.id))?.waitsFor, 0);
    },
  );

  behaviour("an idempotency key in what follows names the task that is there", async (queue) => {
    const { task: there } = await queue.enqueue({ type: "next", idempotencyKey: "k" });
    const task = await claimed(queue);
    await queue.complete(task, null, { enqueue: [{ type: "next", idempotencyKey: "k" }] });
    assertEquals(await queue.count({ type: "next" }), 1);
    assertEquals((await queue.transitions(task.id)).at(-1)?.enqueuedRuns, [there.runId]);
  });

  behaviour(
    "when what follows is refused, nothing is stored and the lease is held",
    async (queue) => {
      await queue.enqueue({ type: "other", runId: "taken" });
      await queue.enqueue({ type: "other", idempotencyKey: "k" });
      const task = await claimed(queue);
      const refused: readonly [NewTask, string][] = [
        [{ type: "next", runId: "taken" }, "run_id_conflict"],
        [{ type: "next", idempotencyKey: "k" }, "idempotency_conflict"],
        [{ type: "next", dependsOn: ["nobody"] }, "unknown_parent"],
      ];
      for (const [last, code] of refused) {
        const enqueue = [{ type: "next" }, last];
        const error = await assertRejects(() => queue.complete(task, 1, { enqueue }), QueueError);
        assertEquals(error.code, code);
      }
      const bad = { enqueue: [{ type: "next", priority: 0 }] };
      await assertRejects(() => queue.complete(task, 1, bad), RangeError, "priority");
      const many = { enqueue: Array.from({ length: 1001 }, () => ({ type: "next" })) };
      await assertRejects(() => queue.complete(task, 1, many), RangeError, "1001");
      assertEquals(await queue.count({ type: "next" }), 0);
      assertEquals((await queue.get(task.id))?.status, "leased");
      assertEquals((await queue.complete(task)).status, "completed");
    },
  );

  behaviour("a lease that is lost stores nothing that follows", async (queue) => {
    const task = await claimed(queue);
    await queue.cancel(task.id);
    const error = await assertRejects(
      () => queue.complete(task, null, { enqueue: [{ type: "next" }] }),
      QueueError,
    );
    assertEquals(error.code, "lease_lost");
    assertEquals(await queue.count({ type: "next" }), 0);
  });

  behaviour("release() for a while costs no attempt, however often", async (queue, clock) => {
    const { task: { id } } = await queue.enqueue({ type: "t" });
    for (let n = 0; n < 50; n++) {
      const [task] = await claim(queue);
      assertEquals([task?.id, task?.attempts], [id, 1]);
      const back = await queue.release(task!, { delayMs: 5000 });
      assertEquals([back.status, back.attempts], ["queued", 0]);
      assertEquals(back.runAfter.getTime(), clock.nowMs() + 5000);
      assertEquals(await claim(queue), []);
      await clock.advance(5000);
    }
    const [task] = await claim(queue);
    assertEquals(task?.attempts, 1);
    const [leased, released] = (await queue.transitions(id)).slice(-3, -1);
    assertEquals([leased?.kind, released?.kind], ["leased", "released"]);
    assertEquals([released?.delayMs, released?.worker], [5000, "w1"]);
  });

  behaviour("release() refuses a delay that is none", async (queue) => {
    const task = await claimed(queue);
    for (const delayMs of [-1, NaN, 366 * 24 * 3_600_000]) {
      await assertRejects(() => queue.release(task, { delayMs }), RangeError, "from 0 to");
    }
    assertEquals((await queue.get(task.id))?.status, "leased");
  });
}

async function claimed(queue: TaskQueue): Promise<Task> {
  await queue.enqueue({ type: "t" });
  return (await claim(queue))[0]!;
}

function claim(queue: TaskQueue): Promise<Task[]> {
  return queue.claim({ workerId: "w1", types: ["t"] });
}
