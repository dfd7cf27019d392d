/**
 * What every TaskQueue must do with tasks that depend on others.
 */
import { maintenanceOf } from "../../src/queue/maintenance.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { PermanentError, QueueError } from "../../src/domain/errors.ts";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, untilRescued, type UseQueue } from "./suite.ts";
import { effort } from "../support/effort.ts";

/** Registers the suite for one implementation. */
export function dependenciesContract(
  name: string,
  useQueue: UseQueue,
  chain: number = effort("chainLength"),
): void {
  const behaviour = behavioursOf(name, useQueue);

  // --- waiting

  behaviour(
    "a task is claimed when all of its parents are completed, and not before",
    async (queue) => {
      await queue.enqueueBatch([{ type: "t" }, { type: "t" }]);
      const { task } = await queue.enqueue(child([1, 2]));
      assertEquals([task.status, task.waitsFor], ["queued", 2]);
      const [first, second] = await claim(queue);
      assertEquals(await claim(queue), []);
      assertEquals(await queue.claim({ workerId: "w", types: [], taskId: 3 }), []);
      await queue.complete(first!);
      assertEquals([(await queue.get(3))!.waitsFor, await claim(queue)], [1, []]);
      await queue.complete(second!);
      assertEquals((await queue.get(3))!.waitsFor, 0);
      assertEquals(ids(await claim(queue)), [3]);
      await sound(queue);
    },
  );

  behaviour(
    "a child is due from the moment its last parent ended, or from its own time if that is later",
    async (queue, clock) => {
      await queue.enqueue({ type: "t" });
      const later = new Date(clock.nowMs() + 60_000);
      await queue.enqueueBatch([child([1]), child([1], { runAfter: later })]);
      await clock.advance(5000);
      await queue.complete((await claim(queue))[0]!);
      assertEquals((await queue.get(2))!.runAfter, new Date(clock.nowMs()));
      assertEquals((await queue.get(3))!.runAfter, later);
      const [prompt] = await claim(queue);
      await queue.complete(prompt!);
      assertEquals(prompt!.id, 2);
      await clock.advance(55_000);
      assertEquals(ids(await claim(queue)), [3]);
      const told = await queue.transitions(2);
      assertEquals(told.find(({ kind }) => kind === "leased")!.durationMs, 0);
    },
  );

  behaviour(
    "tasks of a batch name each other by run id, earlier or later, and tasks that are there by either id",
    async (queue) => {
      const { task: { id } } = await queue.enqueue({ type: "t", runId: "old" });
      const results = await queue.enqueueBatch([
        child(["b", "a", id], { runId: "c" }),
        { type: "t", runId: "a" },
        child(["old"], { runId: "b" }),
      ]);
      assertEquals(results.map(({ task }) => [task.runId, task.waitsFor]), [["c", 3], ["a", 0], [
        "b",
        1,
      ]]);
      const order: string[] = [];
      for (;;) {
        const tasks = await claim(queue);
        if (tasks.length === 0) break;
        order.push(tasks.map(({ runId }) => runId).join("+"));
        for (const task of tasks) await queue.complete(task, task.runId);
      }
      assertEquals(order, ["old+a", "b", "c"]);
      assertEquals(
        (await queue.parentResults(results[0]!.task.id)).map(({ runId, status, result }) => [
          runId,
          status,
          result,
        ]),
        [["b", "completed", "b"], ["a", "completed", "a"], ["old", "completed", "old"]],
      );
      assertEquals(await queue.parentResults(id), []);
      assertEquals(
        (await assertRejects(() => queue.parentResults(99), QueueError)).code,
        "task_not_found",
      );
    },
  );

  behaviour("a parent that is named twice counts once", async (queue) => {
    await queue.enqueue({ type: "t", runId: "a" });
    const { task } = await queue.enqueue(child([1, "a", 1]));
    assertEquals(task.waitsFor, 1);
    await queue.complete((await claim(queue))[0]!);
    assertEquals(ids(await claim(queue)), [2]);
  });

  // --- refusals

  behaviour(
    "dependencies are refused before any effect when a field is out of its range",
    async (queue) => {
      await queue.enqueue({ type: "t" });
      const bad: readonly [Partial<NewTask>, typeof TypeError | typeof RangeError, string][] = [
        [{ dependsOn: 1 as never }, TypeError, "an array of task ids and run ids"],
        [{ dependsOn: [0] }, RangeError, "task id in dependsOn[0]"],
        [{ dependsOn: [1, 1.5] }, RangeError, "task id in dependsOn[1]"],
        [{ dependsOn: [" "] }, TypeError, "run id in dependsOn[0]"],
        [{ dependsOn: [null as never] }, TypeError, "task id in dependsOn[0]"],
        [{ dependsOn: Array.from({ length: 1001 }, () => 1) }, RangeError, "from 0 to 1000"],
        [{ dependsOn: [1], onParentFailure: "stop" as never }, TypeError, "fail, skip, run"],
      ];
      for (const [fields, errorClass, message] of bad) {
        await assertRejects(() => queue.enqueue({ type: "t", ...fields }), errorClass, message);
      }
      const many = Array.from({ length: 251 }, () => child(Array.from({ length: 1000 }, () => 1)));
      await assertRejects(() => queue.enqueueBatch(many), RangeError, "250000");
      assertEquals(await queue.count(), 1);
    },
  );

  behaviour("an unknown parent is refused, and with it the whole batch", async (queue) => {
    for (const [parent, name] of [[7, "task 7"], ["7", 'run "7"'], ["x", 'run "x"']] as const) {
      const error = await assertRejects(
        () => queue.enqueueBatch([{ type: "t", runId: "y" }, child(["y", parent])]),
        QueueError,
      );
      assertEquals(error.code, "unknown_parent");
      assert(error.message.includes(`depends on ${name}: there is no such task`), error.message);
    }
    assertEquals(await queue.count(), 0);
  });

  behaviour("a circle is refused, and its message names it", async (queue) => {
    const circles: readonly [readonly NewTask[], string][] = [
      [[child(["a"], { runId: "a" })], '[0] "a" → [0] "a"'],
      [
        [
          child(["c"], { runId: "a" }),
          child(["a"], { runId: "b" }),
          child(["x", "b"], { runId: "c" }),
          { type: "t", runId: "x" },
        ],
        '[0] "a" → [2] "c" → [1] "b" → [0] "a"',
      ],
    ];
    for (const [tasks, named] of circles) {
      const error = await assertRejects(() => queue.enqueueBatch(tasks), QueueError);
      assertEquals([error.code, error.message.endsWith(`circle: ${named}`)], [
        "dependency_cycle",
        true,
      ]);
    }
    const long = Array.from(
      { length: 5000 },
      (_, i) => child([`r${(i + 1) % 5000}`], { runId: `r${i}` }),
    );
    const error = await assertRejects(() => queue.enqueueBatch(long), QueueError);
    assertMatch(error.message, /\[0\] "r0" → .* → \[9\] "r9" → … \(5000 tasks\) → \[0\] "r0"$/);
    assertEquals(await queue.count(), 0);
  });

  // --- parents that fail

  behaviour(
    "a failed parent fails its children, theirs in turn, with messages that name the parent",
    async (queue) => {
      await queue.enqueueBatch([
        { type: "t", runId: "a" },
        child(["a"], { runId: "b" }),
        child(["b"]),
      ]);
      await queue.fail((await claim(queue))[0]!, new PermanentError("broken"));
      const [b, c] = [(await queue.get(2))!, (await queue.get(3))!];
      assertEquals([b.status, b.errorMessage, b.attempts, b.waitsFor], [
        "failed",
        'Parent task 1 (run "a") failed',
        0,
        0,
      ]);
      assertEquals([c.status, c.errorMessage], ["failed", 'Parent task 2 (run "b") failed']);
      assert(b.finishedAt !== null);
      assertEquals((await queue.transitions(3)).map(({ kind, error }) => [kind, error]), [
        ["enqueued", null],
        ["failed", 'Parent task 2 (run "b") failed'],
      ]);
      assertMatch((await queue.explain(2))!.summary, /before its first attempt, because: Parent/);
      await sound(queue);
    },
  );

  behaviour(
    "a child ends at once, or runs when all parents are final, as its policy says",
    async (queue) => {
      await queue.enqueueBatch([{ type: "a" }, { type: "t" }]);
      for (const onParentFailure of ["fail", "skip", "run"] as const) {
        await queue.enqueue(child([1, 2], { onParentFailure }));
      }
      await queue.cancel(1);
      const statuses = async (): Promise<string[]> =>
        (await queue.list()).reverse().slice(2).map(({ status }) => status);
      assertEquals(await statuses(), ["failed", "cancelled", "queued"]);
      assertEquals(
        (await queue.get(4))!.errorMessage,
        `Parent task 1 (run ${JSON.stringify((await queue.get(1))!.runId)}) was cancelled`,
      );
      const [second] = await claim(queue);
      assertEquals(second!.id, 2);
      await queue.complete(second!, "fine");
      const [runs] = await claim(queue);
      assertEquals(runs!.id, 5);
      assertEquals(
        (await queue.parentResults(5)).map(({ status, result, errorMessage }) => [
          status,
          result,
          errorMessage,
        ]),
        [["cancelled", null, "Cancelled by user"], ["completed", "fine", null]],
      );
      await sound(queue);
    },
  );

  behaviour(
    "a rescued last attempt ends the children, a retried one does not",
    async (queue, clock) => {
      await queue.enqueue({ type: "t", maxAttempts: 2 });
      await queue.enqueue(child([1]));
      await claim(queue);
      await clock.advance(12_000);
      await untilRescued(queue, clock, 1);
      assertEquals((await queue.get(2))!.waitsFor, 1);
      await claim(queue);
      await clock.advance(12_000);
      await untilRescued(queue, clock, 1);
      assertEquals([(await queue.get(1))!.status, (await queue.get(2))!.status], [
        "failed",
        "failed",
      ]);
    },
  );

  behaviour("parents that are final already count when the child is enqueued", async (queue) => {
    await queue.enqueueBatch([{ type: "t" }, { type: "t" }, { type: "t" }]);
    const [one, two] = await claim(queue, 2);
    await queue.complete(one!, 1);
    await queue.fail(two!, new PermanentError("broken"));
    const results = await queue.enqueueBatch([
      child([1]),
      child([1, 2]),
      child([2], { onParentFailure: "skip" }),
      child([2, 1], { onParentFailure: "run" }),
      child([2, 3], { onParentFailure: "run" }),
      child([2, 3], { runId: "ended" }),
      child(["ended"]),
    ]);
    assertEquals(results.map(({ task }) => [task.status, task.waitsFor]), [
      ["queued", 0],
      ["failed", 0],
      ["cancelled", 0],
      ["queued", 0],
      ["queued", 1],
      ["failed", 0],
      ["failed", 0],
    ]);
    for (const { task } of results) assertEquals(await queue.get(task.id), task);
    assertEquals(ids(await claim(queue)), [3, 4, 7]);
    await sound(queue);
  });

  // --- by hand

  behaviour(
    "cancelling a child leaves its parents alone, and a child that waits can be cancelled",
    async (queue) => {
      await queue.enqueueBatch([{ type: "t", runId: "a" }, child(["a"])]);
      assertEquals(await queue.cancel(2), true);
      assertEquals([(await queue.get(2))!.waitsFor, (await queue.get(1))!.status], [0, "queued"]);
      await queue.complete((await claim(queue))[0]!);
      assertEquals((await queue.get(2))!.status, "cancelled");
      await sound(queue);
    },
  );

  behaviour(
    "retry() of a failed parent queues the children that ended because of it again, behind it",
    async (queue) => {
      await queue.enqueueBatch([
        { type: "t", runId: "a" },
        child(["a"], { runId: "b" }),
        child(["b"], { onParentFailure: "skip" }),
        child(["a"], { onParentFailure: "run" }),
        child(["a"], { runId: "own" }),
      ]);
      await queue.cancel(5);
      await queue.fail((await claim(queue))[0]!, new PermanentError("broken"));
      const look = async (): Promise<unknown[]> =>
        (await queue.list()).reverse().map(({ status, waitsFor }) => `${status} ${waitsFor}`);
      assertEquals(await look(), [
        "failed 0",
        "failed 0",
        "cancelled 0",
        "queued 0",
        "cancelled 0",
      ]);
      assertEquals(await queue.retry(1), true);
      assertEquals(await look(), ["queued 0", "queued 1", "queued 1", "queued 1", "cancelled 0"]);
      assertEquals((await queue.get(2))!.errorMessage, null);
      await sound(queue);
      const order: number[] = [];
      for (let [task] = await claim(queue, 1); task; [task] = await claim(queue, 1)) {
        order.push(task.id);
        await queue.complete(task);
      }
      assertEquals(order, [1, 2, 3, 4]);
    },
  );

  behaviour(
    "a child of two failed parents comes back only when both have been retried",
    async (queue) => {
      await queue.enqueueBatch([
        { type: "t", runId: "a" },
        { type: "t", runId: "b" },
        child(["a", "b"], { runId: "c" }),
        child(["c"], { onParentFailure: "skip" }),
        child(["a", "b"], { runId: "any", onParentFailure: "run" }),
      ]);
      for (const task of await claim(queue, 2)) {
        await queue.fail(task, new PermanentError("broken"));
      }
      const look = async (id: number): Promise<unknown> => {
        const { status, waitsFor, errorMessage } = (await queue.get(id))!;
        return [status, waitsFor, errorMessage];
      };
      assertEquals(await look(3), ["failed", 0, 'Parent task 1 (run "a") failed']);
      const standing = ["failed", 0, 'Parent task 2 (run "b") failed'];
      await queue.retry(1);
      assertEquals(await look(3), standing);
      await sound(queue);
      const first = (await claim(queue, 10)).find(({ id }) => id === 1)!;
      await queue.complete(first);
      assertEquals(await look(3), standing);
      await queue.retry(2);
      assertEquals([await look(3), await look(4)], [["queued", 1, null], ["queued", 1, null]]);
      await queue.complete((await claim(queue, 1))[0]!);
      assertEquals(await look(3), ["queued", 0, null]);
      await sound(queue);
    },
  );

  behaviour(
    "retry() of a child runs it in spite of a failed parent, behind those that are not final",
    async (queue) => {
      await queue.enqueueBatch([{ type: "t" }, { type: "later" }]);
      await queue.enqueue(child([1, 2]));
      await queue.fail((await claim(queue))[0]!, new PermanentError("broken"));
      assertEquals((await queue.get(3))!.status, "failed");
      assertEquals(await queue.retry(3), true);
      assertEquals([(await queue.get(3))!.waitsFor, await claim(queue)], [1, []]);
      await sound(queue);
      const [later] = await queue.claim({ workerId: "w", types: ["later"] });
      await queue.complete(later!);
      assertEquals(ids(await claim(queue)), [3]);
    },
  );

  behaviour(
    "a child whose parent was retried while it ran waits for it before its next attempt",
    async (queue) => {
      await queue.enqueueBatch([
        { type: "a", runId: "a" },
        child(["a"], { onParentFailure: "run" }),
      ]);
      await queue.cancel(1);
      const [running] = await claim(queue);
      await queue.retry(1);
      assertEquals((await queue.get(2))!.status, "leased");
      const again = await queue.release(running!);
      assertEquals([again.status, again.waitsFor], ["queued", 1]);
      assertEquals(await claim(queue), []);
      await queue.cancel(1);
      assertEquals(ids(await claim(queue)), [2]);
      await sound(queue);
    },
  );

  // --- keys, looking, pruning

  behaviour(
    "parents and the failure policy are part of an idempotency key's content",
    async (queue) => {
      await queue.enqueueBatch([{ type: "t", runId: "a" }, { type: "t", runId: "b" }]);
      const wanted = child(["a", "b"], { idempotencyKey: "k", runId: "c" });
      const { task } = await queue.enqueue(wanted);
      for (const same of [wanted, { ...wanted, dependsOn: [2, 1] }]) {
        assertEquals(await queue.enqueue(same), { task, created: false, outcome: "existing" });
      }
      for (
        const other of [
          { ...wanted, dependsOn: ["a"] },
          { ...wanted, dependsOn: undefined },
          { ...wanted, dependsOn: ["a", "b", "nobody"] },
          { ...wanted, onParentFailure: "run" as const },
        ]
      ) {
        const error = await assertRejects(() => queue.enqueue(other), QueueError);
        assertEquals(error.code, "idempotency_conflict");
      }
      const plain = { type: "t", idempotencyKey: "plain" };
      await queue.enqueue(plain);
      for (const parent of [1, 99, "nobody"]) {
        const other = { ...plain, dependsOn: [parent] };
        await assertRejects(() => queue.enqueue(other), QueueError, "parents");
      }
      const batch = [
        child(["x"], { idempotencyKey: "ky", runId: "y" }),
        { type: "t", idempotencyKey: "kx", runId: "x" },
      ];
      const first = await queue.enqueueBatch(batch);
      const second = await queue.enqueueBatch(batch);
      assertEquals(second.map(({ created }) => created), [false, false]);
      assertEquals(second.map(({ task }) => task), first.map(({ task }) => task));
    },
  );

  behaviour("explain() and the statistics tell what waits for parents", async (queue, clock) => {
    await queue.enqueueBatch([1, 2, 3, 4, 5].map((n) => ({ type: "a", runId: `r${n}` })));
    const { task } = await queue.enqueue(
      child([1, 2, 3, 4, 5], { runAfter: new Date(clock.nowMs() + 1000) }),
    );
    await queue.cancel((await queue.enqueue(child([1]))).task.id);
    const [leased] = await queue.claim({ workerId: "w", types: ["a"] });
    await queue.complete(leased!);
    await queue.claim({ workerId: "w", types: ["a"] });
    const explanation = (await queue.explain(task.id))!;
    assertEquals([explanation.reason, explanation.summary], [
      "waiting_for_parents",
      "Task 6 waits for 4 of its 5 parents to end: tasks 2 (leased), 3 (queued), 4 (queued) and 1 more",
    ]);
    assertEquals((explanation.data.parents as unknown[])[0], {
      task_id: 2,
      run_id: "r2",
      status: "leased",
    });
    await clock.advance(5000);
    const { scheduled, waitingForParents, byStatus } = await queue.stats();
    assertEquals([scheduled, waitingForParents, byStatus.queued], [0, 1, 4]);
    const metrics = await queue.metrics();
    assertEquals([metrics.due, metrics.scheduled, metrics.waitingForParents], [3, 0, 1]);
  });

  behaviour("what waits for parents makes no backlog", async (queue, clock) => {
    await queue.enqueueBatch([{ type: "t", runId: "a" }, child(["a"])]);
    await claim(queue);
    await queue.renew({ taskId: 1, workerId: "w", leaseToken: 1 }, {
      leaseDurationMs: 24 * 3_600_000,
    });
    await clock.advance(2 * 3_600_000);
    assertEquals((await queue.metrics()).oldestDueAgeMs, null);
    assertEquals((await queue.stats()).oldestDueAt, null);
    assertEquals((await queue.health()).reasons, []);
  });

  behaviour(
    "prune() keeps a parent until its children are final, and its name after that",
    async (queue) => {
      await queue.enqueueBatch([{ type: "t", runId: "a" }, child(["a"], { idempotencyKey: "k" })]);
      await queue.complete((await claim(queue))[0]!, "kept");
      assertEquals((await queue.prune({ keep: 0 })).pruned, 0);
      const [running] = await claim(queue);
      const [parent] = await queue.parentResults(2);
      assertEquals([parent!.type, parent!.result], ["t", "kept"]);
      assertEquals((await queue.prune({ keep: 0 })).pruned, 0);
      await queue.fail(running!, new PermanentError("no"));
      assertEquals((await queue.prune({ keep: 0, statuses: ["completed"] })).pruned, 1);
      assertEquals(await queue.parentResults(2), [{
        taskId: 1,
        runId: "a",
        type: null,
        status: "pruned",
        result: null,
        errorMessage: null,
      }]);
      const again = child(["a"], { idempotencyKey: "k" });
      assertEquals((await queue.enqueue(again)).created, false);
      assertEquals(await queue.retry(2), true);
      assertEquals(ids(await claim(queue)), [2]);
      await queue.cancel(2);
      assertEquals((await queue.prune({ keep: 0 })).pruned, 1);
      await sound(queue);
    },
  );

  behaviour("children() gives who depends on a task, by pages, wherever each is", async (queue) => {
    await queue.enqueueBatch([{ type: "t", runId: "a" }, { type: "t", runId: "b" }]);
    await queue.enqueueBatch([
      child(["a"], { runId: "c" }),
      child(["b", "a"], { runId: "d", onParentFailure: "run" }),
      child(["a", "b"], { runId: "e" }),
      child(["a"], { runId: "f", onParentFailure: "run" }),
      child(["b"], { runId: "g" }),
    ]);
    const childrenOf = async (id: number): Promise<unknown[]> =>
      (await queue.children(id)).map(({ runId, status }) => `${runId} ${status}`);
    assertEquals(await childrenOf(1), ["c queued", "d queued", "e queued", "f queued"]);
    assertEquals((await queue.children(2))[0], {
      taskId: 4,
      runId: "d",
      type: "t",
      status: "queued",
    });
    const [first] = await claim(queue);
    await queue.fail(first!, new PermanentError("no"));
    assertEquals(await childrenOf(1), ["c failed", "d queued", "e failed", "f queued"]);
    assertEquals(ids(await claim(queue)), [6]);
    assertEquals(await childrenOf(1), ["c failed", "d queued", "e failed", "f leased"]);
    await queue.remove(3);
    assertEquals(await childrenOf(1), ["d queued", "e failed", "f leased"]);
    const seen: number[] = [];
    for (;;) {
      const page = await queue.children(1, { afterId: seen.at(-1), limit: 2 });
      if (page.length === 0) break;
      assert(page.length <= 2 && seen.length < 9, `${seen}`);
      seen.push(...page.map(({ taskId }) => taskId));
    }
    assertEquals(seen, [4, 5, 6]);
    assertEquals(await queue.children(7), []);
    const refusal = await assertRejects(() => queue.children(99), QueueError);
    assertEquals(refusal.code, "task_not_found");
    await sound(queue);
  });

  // --- size

  behaviour(`a chain of ${chain} ends with its head, and comes back with it`, async (queue) => {
    const results = await queue.enqueueBatch(
      Array.from(
        { length: chain },
        (_, i) => child(i === 0 ? [] : [`r${i - 1}`], { runId: `r${i}` }),
      ),
    );
    assertEquals([results[0]!.task.waitsFor, results.at(-1)!.task.waitsFor], [0, 1]);
    assertEquals((await queue.stats()).waitingForParents, chain - 1);
    await queue.cancel(1);
    assertEquals([
      await queue.count({ status: "cancelled" }),
      await queue.count({
        status: "failed",
      }),
    ], [1, chain - 1]);
    await queue.retry(1);
    assertEquals((await queue.stats()).waitingForParents, chain - 1);
    await queue.complete((await claim(queue))[0]!);
    assertEquals(ids(await claim(queue)), [2]);
    await sound(queue);
  });
}

/**
 * What every TaskQueue must do with more children than one transaction can tell where their parent is: so many have payloads of this
 * length.
 */
export function manyChildrenContract(
  name: string,
  useQueue: UseQueue,
  payloadLength = 200_000,
): void {
  const behaviour = behavioursOf(name, useQueue);
  const payload = "x".repeat(payloadLength);

  behaviour(
    "more children than one transaction can tell are told in the next, and start not before",
    async (queue) => {
      const CHILDREN = 24;
      await queue.enqueue({ type: "t" });
      for (const policy of ["run", "fail"] as const) {
        await queue.enqueueBatch(
          Array.from({ length: CHILDREN }, () => child([1], { payload, onParentFailure: policy })),
        );
      }
      await queue.cancel(1);
      const { waitingForParents } = await queue.stats();
      assert(
        waitingForParents > 0 && waitingForParents < 2 * CHILDREN,
        `${waitingForParents} wait`,
      );
      await sound(queue);
      for (let round = 0; (await queue.stats()).waitingForParents > 0; round++) {
        assert(round < 10, "it does not end");
        await queue.rescue();
      }
      assertEquals([
        await queue.count({ status: "failed" }),
        await queue.count({
          status: "queued",
        }),
      ], [CHILDREN, CHILDREN]);
      await queue.retry(1);
      for (let round = 0; round < 10; round++) await queue.rescue();
      assertEquals((await queue.stats()).waitingForParents, 2 * CHILDREN);
      await sound(queue);
    },
  );

  behaviour(
    "children that were not told of a retry come back when the parent has completed",
    async (queue) => {
      const total = await failWithManyChildren(queue, payload);
      await queue.enqueue({ type: "t", dependsOn: [total + 1], runId: "grandchild" });
      await queue.retry(1);
      const untold = await queue.count({ status: "failed" });
      assert(untold > 1 && untold < total, `${untold} are not told`);
      await queue.complete((await claim(queue, 1))[0]!);
      await tellAll(queue);
      assertEquals(await queue.count({ status: "failed" }), 0);
      assertEquals((await queue.stats()).waitingForParents, 1);
      assertEquals(await queue.count({ status: "queued" }), total + 1);
      await sound(queue);
    },
  );

  behaviour(
    "retry() of a child that was not told where its parent is goes by where it is",
    async (queue) => {
      await failWithManyChildren(queue, payload);
      await queue.retry(1);
      const [back] = await queue.list({ status: "failed", limit: 1 });
      await queue.retry(back!.id);
      assertEquals((await queue.get(back!.id))!.waitsFor, 1);
      await tellAll(queue);
      await queue.cancel(back!.id);
      await queue.cancel(1);
      await queue.retry(back!.id);
      assertEquals((await queue.get(back!.id))!.waitsFor, 0);
      await tellAll(queue);
      assertEquals((await queue.get(back!.id))!.status, "queued");
      await sound(queue);
    },
  );
}

/** Task 1 is cancelled, and has ended its children, whose number is the answer: more than one transaction can tell. */
async function failWithManyChildren(queue: TaskQueue, payload: string): Promise<number> {
  const CHILDREN = 48;
  await queue.enqueue({ type: "t" });
  await queue.enqueueBatch(Array.from({ length: CHILDREN }, () => child([1], { payload })));
  await queue.cancel(1);
  await tellAll(queue);
  assertEquals(await queue.count({ status: "failed" }), CHILDREN);
  return CHILDREN;
}

/** Goes on telling children until all know where their parents are. */
async function tellAll(queue: TaskQueue): Promise<void> {
  for (let round = 0; round < 10; round++) await queue.rescue();
}

function child(dependsOn: readonly (number | string)[], fields: Partial<NewTask> = {}): NewTask {
  return { type: "t", dependsOn, ...fields };
}

function claim(queue: TaskQueue, limit = 100): Promise<Task[]> {
  return queue.claim({ workerId: "w", types: ["t"], limit });
}

function ids(tasks: readonly Task[]): number[] {
  return tasks.map(({ id }) => id);
}

async function sound(queue: TaskQueue): Promise<void> {
  assertEquals((await maintenanceOf(queue)?.integrityCheck())?.problems ?? [], []);
}
