/**
 * What every TaskQueue must do with a task that is leased in the transaction that stores it.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { QueueError } from "../../src/domain/errors.ts";
import type { NewTask, Task } from "../../src/domain/task.ts";
import { WEBHOOK_TYPE } from "../../src/domain/webhook.ts";
import type { EnqueueOptions, TaskChange } from "../../src/queue/task_queue.ts";
import { behavioursOf, untilRescued, type UseQueue } from "./suite.ts";

const LEASE_TO = { workerId: "maker", leaseDurationMs: 1000 };

/** Registers the suite for one implementation. */
export function firstLeaseContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour(
    "enqueue() with leaseTo gives what a claim right after it would give",
    async (queue) => {
      const webhook = { url: "https://hooks.example.com/" };
      const task: NewTask = { type: "t", payload: { n: 1 }, priority: 7, webhook };
      const { task: held, created } = await queue.enqueue(task, { leaseTo: LEASE_TO });
      const { task: { id } } = await queue.enqueue({ ...task, priority: 1 });
      const [claimed] = await queue.claim({ ...LEASE_TO, types: [], taskId: id });
      assertEquals(created, true);
      assertEquals(seen(held), { ...seen(claimed!), priority: 7 });
      assertEquals([held.status, held.attempts, held.leaseToken], ["leased", 1, 1]);
      assertEquals(held.lockedBy, "maker");
    },
  );

  behaviour("enqueue() with cancelled stores a task that no worker can begin", async (queue) => {
    const webhook = { url: "https://hooks.example.com/" };
    const wanted = { type: "t", runId: "r", webhook, idempotencyKey: "k" };
    const { task } = await queue.enqueue(wanted, { cancelled: true });
    assertEquals([task.status, task.attempts, task.finishedAt !== null], ["cancelled", 0, true]);
    assertEquals(await queue.claim({ workerId: "w", types: ["t"], limit: 10 }), []);
    const kinds = (await queue.transitions(task.id)).map(({ kind }) => kind);
    assertEquals(kinds, ["enqueued", "cancelled"]);
    assertEquals((await queue.list({ type: WEBHOOK_TYPE })).length, 1);
    const child = await queue.enqueue({ type: "u", dependsOn: ["r"] });
    assertEquals(child.task.status, "failed");
    assertEquals((await queue.enqueue(wanted)).task.status, "cancelled");
    assertEquals([await queue.cancel(task.id), await queue.retry(task.id)], [false, true]);
    assertEquals((await queue.enqueue(wanted, { cancelled: true })).task.status, "queued");
    await assertRejects(
      () => queue.enqueue({ type: "t" }, { cancelled: true, leaseTo: LEASE_TO }),
      TypeError,
      "leaseTo together with cancelled",
    );
  });

  behaviour("a task that was leased at once is claimed by no other worker", async (queue) => {
    const { task } = await queue.enqueue({ type: "t" }, { leaseTo: LEASE_TO });
    assertEquals(await queue.claim({ workerId: "other", types: ["t"], limit: 10 }), []);
    assertEquals(
      await queue.claim({ workerId: "other", types: [], taskId: task.id }),
      [],
    );
    const done = await queue.complete(task, "by its maker");
    assertEquals([done.status, done.result, done.attempts], ["completed", "by its maker", 1]);
  });

  behaviour("watchers first hear of such a task when it is leased", async (queue) => {
    const changes: TaskChange[] = [];
    queue.watch((heard) => typeof heard === "string" || changes.push(...heard));
    await queue.enqueue({ type: "t" }, { leaseTo: LEASE_TO });
    await queue.flush();
    assertEquals(changes.map(({ status, lockedBy }) => [status, lockedBy]), [["leased", "maker"]]);
  });

  behaviour("its transitions are those of a task that was claimed", async (queue) => {
    const { task } = await queue.enqueue({ type: "t" }, { leaseTo: LEASE_TO });
    const told = await queue.transitions(task.id);
    assertEquals(told.map(({ kind }) => kind), ["enqueued", "leased"]);
  });

  behaviour("it is renewed, released and rescued like any other", async (queue, clock) => {
    const { task: renewed } = await queue.enqueue({ type: "t" }, { leaseTo: LEASE_TO });
    const { task: released } = await queue.enqueue({ type: "t" }, { leaseTo: LEASE_TO });
    const { task: forgotten } = await queue.enqueue({ type: "t" }, { leaseTo: LEASE_TO });
    assertEquals((await queue.release(released)).attempts, 0);
    await queue.renew(renewed, { leaseDurationMs: 5000 });
    await clock.advance(2500);
    await untilRescued(queue, clock, forgotten.id);
    const [one, two] = await queue.claim({ workerId: "heir", types: ["t"], limit: 10 });
    assertEquals([one?.id, one?.attempts, one?.leaseToken], [released.id, 1, 2]);
    assertEquals([two?.id, two?.attempts, two?.leaseToken], [forgotten.id, 2, 2]);
    const error = await assertRejects(() => queue.complete(forgotten), QueueError);
    assertEquals(error.code, "lease_lost");
  });

  behaviour("a task that its key names already is not leased", async (queue) => {
    const task = { type: "t", idempotencyKey: "k" };
    const first = await queue.enqueue(task);
    const again = await queue.enqueue(task, { leaseTo: LEASE_TO });
    assertEquals([again.created, again.task.id, again.task.status], [
      false,
      first.task.id,
      "queued",
    ]);
  });

  behaviour(
    "a lease out of its range, or of a task that has to wait, is refused before any effect",
    async (queue, clock) => {
      const wrong: [NewTask, EnqueueOptions["leaseTo"], typeof TypeError | typeof RangeError][] = [
        [{ type: "t" }, { workerId: " " }, TypeError],
        [{ type: "t" }, { workerId: "w", leaseDurationMs: 99 }, RangeError],
        [{ type: "t", runAfter: new Date(clock.nowMs() + 1000) }, LEASE_TO, TypeError],
        [{ type: "t", dependsOn: [1] }, LEASE_TO, TypeError],
      ];
      for (const [task, leaseTo, errorClass] of wrong) {
        await assertRejects(() => queue.enqueue(task, { leaseTo }), errorClass, "Cannot");
      }
      assertEquals(await queue.count(), 0);
    },
  );
}

/** All but what no two tasks have in common. */
function seen(task: Task): Partial<Task> {
  return { ...task, id: 0, runId: "" };
}
