/**
 * What every TaskQueue must do for those who wait for a task to become final.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { PermanentError, QueueError, WaitTimeoutError } from "../../src/domain/errors.ts";
import type { Task } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";

/** Registers the suite for one implementation. */
export function waitContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour(
    "wait() gives the task as soon as it is final, by its id and its run id",
    async (queue) => {
      const task = await leased(queue);
      const waiting = [queue.wait(task.id), queue.wait(task.runId, { timeoutMs: 60_000 })];
      const done = await queue.complete(task, { rows: 3 });
      for (const ended of await Promise.all(waiting)) assertEquals(ended, done);
      assertEquals(await queue.wait(task.id), done, "which is final already");
    },
  );

  behaviour(
    "wait() gives a task that fails or is cancelled, too, and none between attempts",
    async (queue, clock) => {
      const task = await leased(queue);
      const waiting = queue.wait(task.runId);
      await queue.fail(task, new Error("again"));
      await clock.advance(3_600_000);
      const [second] = await queue.claim({ workerId: "w", types: ["t"] });
      await queue.fail(second!, new PermanentError("no use"));
      const failed = await waiting;
      assertEquals([failed.status, failed.attempts, failed.errorMessage], ["failed", 2, "no use"]);
      const { task: other } = await queue.enqueue({ type: "t" });
      const cancelled = queue.wait(other.id);
      await queue.cancel(other.id);
      assertEquals((await cancelled).status, "cancelled");
    },
  );

  behaviour("wait() ends in time, and the task goes on", async (queue, clock) => {
    const task = await leased(queue);
    const waiting = assertRejects(
      () => queue.wait(task.runId, { timeoutMs: 100 }),
      WaitTimeoutError,
      `Cannot wait longer for run "${task.runId}": after 100 ms it is `,
    );
    await settled(queue);
    await clock.advance(100);
    await waiting;
    assertEquals((await queue.complete(task)).status, "completed");
  });

  behaviour("wait() for no time says how the task is now", async (queue, clock) => {
    const waitNow = async (reference: number | string): Promise<unknown> => {
      const waiting = queue.wait(reference, { timeoutMs: 0 }).catch((error: unknown) => error);
      await clock.advance(1);
      return await waiting;
    };
    const task = await leased(queue);
    const late = await waitNow(task.id);
    assertEquals(
      String(late),
      `WaitTimeoutError: Cannot wait longer for task ${task.id}: after 0 ms it is still leased`,
    );
    assertEquals((await waitNow("nobody") as QueueError).code, "task_not_found");
    const done = await queue.complete(task);
    for (let time = 0; time < 5; time++) assertEquals(await waitNow(task.id), done);
  });

  behaviour("wait() ends by its signal", async (queue) => {
    const task = await leased(queue);
    const controller = new AbortController();
    const waiting = assertRejects(
      () => queue.wait(task.id, { signal: controller.signal }),
      RangeError,
      "enough",
    );
    controller.abort(new RangeError("enough"));
    await waiting;
    await assertRejects(() => queue.wait(task.id, { signal: controller.signal }), RangeError);
  });

  behaviour("wait() refuses what is not there, and what is no task", async (queue) => {
    for (const reference of [77, "nobody"]) {
      const error = await assertRejects(() => queue.wait(reference), QueueError, "no such task");
      assertEquals(error.code, "task_not_found");
    }
    await assertRejects(() => queue.wait(1.5), RangeError);
    await assertRejects(() => queue.wait(1, { timeoutMs: -1 }), RangeError, "timeoutMs");
  });

  behaviour("wait() ends when the queue is closed", async (queue) => {
    const task = await leased(queue);
    const waiting = assertRejects(() => queue.wait(task.id), QueueError);
    await settled(queue);
    await queue.close();
    assertEquals((await waiting).code, "queue_closed");
  });
}

/** What was asked for before has been answered. */
async function settled(queue: TaskQueue): Promise<void> {
  for (let n = 0; n < 3; n++) await queue.stats();
}

async function leased(queue: TaskQueue): Promise<Task> {
  await queue.enqueue({ type: "t" });
  return (await queue.claim({ workerId: "w", types: ["t"] }))[0]!;
}
