/**
 * What every TaskQueue must do with one change for many tasks. The number is that of the case that flow control was designed by.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { PermanentError, QueueError } from "../../src/domain/errors.ts";
import type { BulkReport, BulkRequest } from "../../src/queue/bulk.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";

/** Registers the suite for one implementation. */
export function bulkContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("bulk cancel ends what is queued and leased, and says who did it", async (queue) => {
    await enqueue(queue, "email", 5);
    await enqueue(queue, "sms", 2);
    const [held] = await queue.claim({ workerId: "w", types: ["email"] });
    const request: BulkRequest = { action: "cancel", filter: { type: "email" }, by: "ops" };
    const dry = await queue.bulk({ ...request, dryRun: true });
    assertEquals(dry, { matched: 5, changed: 0, doneUpToId: 7, upToId: 7, cursor: null });
    assertEquals(await queue.count({ status: "cancelled" }), 0);
    const done = await queue.bulk(request);
    assertEquals(done, { matched: 5, changed: 5, doneUpToId: 7, upToId: 7, cursor: null });
    assertEquals((await queue.transitions(held!.id)).at(-1)!.by, "ops");
    const lost = await assertRejects(() => queue.complete(held!), QueueError);
    assertEquals(lost.code, "lease_lost");
    assertEquals((await queue.bulk(request)).matched, 0);
    assertEquals(await queue.count({ status: "queued", type: "sms" }), 2);
  });

  behaviour(
    "32: a bulk request goes on by its cursor, meets each once, and spares what comes later",
    async (queue) => {
      await enqueue(queue, "email", 600);
      const request: BulkRequest = {
        action: "set_priority",
        priority: 7,
        filter: { type: "email" },
      };
      const reports: BulkReport[] = [];
      for (
        let cursor: string | null | undefined;
        cursor !== null;
        cursor = reports.at(-1)!.cursor
      ) {
        reports.push(await queue.bulk({ ...request, budgetMs: 0, cursor }));
        await enqueue(queue, "email", 1);
      }
      assert(reports.length > 1, `${reports.length} steps`);
      assert(reports.every(({ changed }) => changed <= 500), "at most 500 in a transaction");
      assertEquals(reports.reduce((sum, { changed }) => sum + changed, 0), 600);
      assertEquals(new Set(reports.map(({ upToId }) => upToId)), new Set([600]));
      const positions = reports.map(({ doneUpToId }) => doneUpToId);
      assertEquals(positions, positions.toSorted((a, b) => a - b));
      const late = await queue.list({ limit: reports.length });
      assertEquals(new Set(late.map(({ priority }) => priority)), new Set([100]));
      const again = await queue.bulk({ ...request, filter: { ids: [1, 2, 600, 10_000] } });
      assertEquals([again.matched, again.changed], [3, 0], "they are so already");
    },
  );

  behaviour("bulk retry queues what failed, behind parents that it queues too", async (queue) => {
    await enqueue(queue, "email", 3);
    await queue.enqueue({ type: "child", dependsOn: [1], group: "acme" });
    for (const task of await queue.claim({ workerId: "w", types: ["email"], limit: 2 })) {
      await queue.fail(task, new PermanentError(`No answer from host ${task.id}`));
    }
    const filter = { errorContains: "no ANSWER from host 1" };
    assertEquals(await matched(queue, { action: "retry", filter }), 1);
    const done = await queue.bulk({ action: "retry", filter: { statuses: ["failed"] }, by: "ann" });
    assertEquals([done.matched >= 2, done.cursor], [true, null]);
    const child = (await queue.get(4))!;
    assertEquals([child.status, child.waitsFor], ["queued", 1]);
    assertEquals(await queue.count({ status: "queued" }), 4);
    const said = (await queue.transitions(2)).at(-1)!;
    assertEquals([said.kind, said.by], ["requeued", "ann"]);
  });

  behaviour("bulk remove deletes what is final, but for parents of what is not", async (queue) => {
    await enqueue(queue, "email", 3);
    await queue.enqueue({ type: "child", dependsOn: [2] });
    for (const task of await queue.claim({ workerId: "w", types: ["email"], limit: 2 })) {
      await queue.complete(task);
    }
    const request: BulkRequest = { action: "remove", filter: {}, all: true };
    assertEquals(await matched(queue, request), 2);
    const done = await queue.bulk(request);
    assertEquals([done.matched, done.changed], [2, 1]);
    assertEquals((await queue.list()).map(({ id }) => id), [4, 3, 2]);
    assertEquals(await queue.transitions(1), []);
  });

  behaviour("bulk reschedule makes due later, and now", async (queue, clock) => {
    await enqueue(queue, "email", 3);
    const filter = { type: "email" };
    const later = await queue.bulk({ action: "reschedule", delayMs: 1000, filter });
    assertEquals(later.changed, 3);
    assertEquals(await queue.claim({ workerId: "w", types: ["email"], limit: 9 }), []);
    assertEquals(await queue.nextDueAt(), new Date(clock.nowMs() + 1000));
    await queue.bulk({ action: "reschedule", delayMs: 0, filter: { ids: [2] } });
    const due = await queue.claim({ workerId: "w", types: ["email"], limit: 9 });
    assertEquals(due.map(({ id }) => id), [2]);
    const kinds = (await queue.transitions(3)).map(({ kind }) => kind);
    assertEquals(kinds, ["enqueued", "edited"]);
  });

  behaviour("a filter is all that it says at once", async (queue, clock) => {
    await queue.enqueueBatch([{ type: "a", group: "acme" }, { type: "b", group: "acme" }, {
      type: "a",
    }]);
    await clock.advance(1000);
    const createdBefore = new Date(clock.nowMs());
    await queue.enqueue({ type: "a", group: "acme" });
    const [held] = await queue.claim({ workerId: "w", types: ["b"] });
    await queue.release(held!);
    const cases: readonly (readonly [BulkRequest["filter"], number])[] = [
      [{ type: "a" }, 3],
      [{ group: "acme" }, 3],
      [{ group: "acme", type: "a" }, 2],
      [{ group: "acme", type: "a", createdBefore }, 1],
      [{ createdBefore: createdBefore.toISOString() }, 3],
      [{ ids: [1, 4, 4, 99] }, 2],
      [{ ids: [] }, 0],
      [{ upToId: 2 }, 2],
      [{ upToId: 99, type: "b" }, 1],
      [{ ids: [2, 3], type: "a" }, 1],
      [{ statuses: ["leased"] }, 0],
      [{ finishedBefore: createdBefore }, 0],
      [{ errorContains: "x" }, 0],
      [{ attemptsMin: 1 }, 0],
      [{ type: "nobody's" }, 0],
    ];
    for (const [filter, count] of cases) {
      const found = await matched(queue, { action: "cancel", filter });
      assertEquals(found, count, JSON.stringify(filter));
    }
    await queue.bulk({ action: "cancel", filter: { group: "acme" } });
    await clock.advance(1000);
    const finishedBefore = new Date(clock.nowMs());
    assertEquals(await matched(queue, { action: "retry", filter: { finishedBefore } }), 3);
  });

  behaviour("a bulk request that is wrong changes nothing", async (queue) => {
    await enqueue(queue, "email", 2);
    const filter = { type: "email" };
    const wrong: readonly (readonly [unknown, typeof TypeError | typeof RangeError])[] = [
      [{ action: "cancel", filter: {} }, TypeError],
      [{ action: "cancel", filter: { type: undefined } }, TypeError],
      [{ action: "cancel" }, TypeError],
      [{ action: "delete", filter }, TypeError],
      [{ action: "cancel", filter: { status: "queued" } }, TypeError],
      [{ action: "cancel", filter: { statuses: [] } }, TypeError],
      [{ action: "cancel", filter: { statuses: ["completed"] } }, TypeError],
      [{ action: "remove", filter: { statuses: ["queued"] } }, TypeError],
      [{ action: "cancel", filter, priority: 1 }, TypeError],
      [{ action: "set_priority", filter }, TypeError],
      [{ action: "set_priority", filter, priority: 0 }, RangeError],
      [{ action: "reschedule", filter }, TypeError],
      [{ action: "cancel", filter, cursor: "soon" }, RangeError],
      [{ action: "cancel", filter, budgetMs: 30_001 }, RangeError],
      [{ action: "cancel", filter, dryRun: "yes" }, TypeError],
      [{ action: "cancel", filter, by: " " }, TypeError],
      [{ action: "cancel", filter: { ids: ["1"] } }, TypeError],
      [{ action: "cancel", filter: { attemptsMin: -1 } }, RangeError],
    ];
    for (const [request, error] of wrong) {
      const asked = () => queue.bulk(request as BulkRequest);
      await assertRejects(asked, error);
    }
    assertEquals(await queue.count({ status: "queued" }), 2);
  });

  behaviour("bulk on an empty queue has nothing to do", async (queue) => {
    const report = await queue.bulk({ action: "cancel", filter: {}, all: true });
    assertEquals(report, { matched: 0, changed: 0, doneUpToId: 0, upToId: 0, cursor: null });
  });
}

async function enqueue(queue: TaskQueue, type: string, count: number): Promise<void> {
  await queue.enqueueBatch(Array.from({ length: count }, () => ({ type })));
}

async function matched(queue: TaskQueue, request: BulkRequest): Promise<number> {
  return (await queue.bulk({ ...request, dryRun: true })).matched;
}
