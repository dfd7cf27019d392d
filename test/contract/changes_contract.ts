/**
 * What every TaskQueue must do with changes by hand. The number is that of the case that flow control was designed by.
 */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { QueueError, type QueueErrorCode } from "../../src/domain/errors.ts";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { TaskReplacement, TaskUpdate, UpdateOptions } from "../../src/queue/changes.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import type { TaskTransition } from "../../src/queue/task_transition.ts";
import { behavioursOf, untilPassed, type UseQueue } from "./suite.ts";

const HOUR_MS = 3_600_000;

/** Registers the suite for one implementation. */
export function changesContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour("update changes what it names, and says who did it", async (queue, clock) => {
    const task = await added(queue, { priority: 500, group: "acme" });
    await clock.advance(5);
    const runAfter = new Date(clock.nowMs() + HOUR_MS);
    const changes = { priority: 7, runAfter, maxAttempts: 9, group: null };
    const updated = await queue.update(task.id, changes, { by: "ops" });
    const expected = { ...task, ...changes, updatedAt: new Date(clock.nowMs()) };
    assertEquals(updated, expected);
    assertEquals(await queue.get(task.id), expected);
    const [, edited] = await queue.transitions(task.id);
    assertEquals([edited!.kind, edited!.level, edited!.by], ["edited", "info", "ops"]);
    assertEquals(edited!.changes, {
      priority: { from: 500, to: 7 },
      max_attempts: { from: task.maxAttempts, to: 9 },
      group: { from: "acme", to: null },
      run_after: { from: task.runAfter.toISOString(), to: runAfter.toISOString() },
    });
    assertEquals(await queue.list({ group: "acme" }), []);
    await queue.update(task.id, { group: "other" });
    assertEquals((await queue.list({ group: "other" })).map(({ id }) => id), [task.id]);
    assertEquals((await queue.transitions(task.id))[2]!.by, null);
  });

  behaviour("an update decides when a task is claimed", async (queue, clock) => {
    const last = await added(queue, { priority: 3 });
    const first = await added(queue, { priority: 2 });
    const later = await added(queue, { priority: 1 });
    await queue.update(later.id, { delayMs: HOUR_MS });
    await queue.update(last.id, { priority: 1 });
    assertEquals(await claimed(queue), [last.id, first.id]);
    assertEquals(await queue.nextDueAt(), new Date(clock.nowMs() + HOUR_MS));
    await queue.update(later.id, { delayMs: 0 });
    assertEquals(await claimed(queue), [later.id], "run now");
  });

  for (const strategy of ["fifo", "lifo", "weighted_random"] as const) {
    behaviour(`an updated task is found in the order ${strategy}`, async (queue) => {
      const tasks = await queue.enqueueBatch([{ type: "t" }, { type: "t" }, { type: "t" }]);
      const ids = tasks.map(({ task }) => task.id);
      await queue.claim({ workerId: "w", types: ["t"], strategy, limit: 1 });
      const [waiting] = (await queue.list({ status: "queued" })).map(({ id }) => id);
      await queue.update(waiting!, { priority: 1, delayMs: HOUR_MS });
      await queue.update(waiting!, { delayMs: 0 });
      const rest = await queue.claim({ workerId: "w", types: ["t"], strategy, limit: 9 });
      assertEquals(rest.length, ids.length - 1);
    });
  }

  behaviour("an update that changes nothing leaves no trace", async (queue) => {
    const task = await added(queue, { priority: 5, group: "a", maxAttempts: 3 });
    const same = { priority: 5, group: "a", maxAttempts: 3, delayMs: 0 };
    assertEquals(await queue.update(task.id, same, { by: "ops" }), task);
    assertEquals(kinds(await queue.transitions(task.id)), ["enqueued"]);
  });

  behaviour("a task that waits for its parents goes on waiting", async (queue, clock) => {
    const parent = await added(queue, {});
    const child = await added(queue, { dependsOn: [parent.id], priority: 9 });
    const updated = await queue.update(child.id, { priority: 1, delayMs: 0 });
    assertEquals([updated.priority, updated.waitsFor], [1, 1]);
    await queue.update(child.id, { delayMs: 1000 });
    const [held] = await queue.claim({ workerId: "w", types: ["t"], limit: 9 });
    assertEquals(held!.id, parent.id);
    await queue.complete(held!);
    assertEquals(await claimed(queue), []);
    await clock.advance(1000);
    assertEquals(await claimed(queue), [child.id]);
  });

  behaviour("a task between attempts can be run now, with more of them", async (queue) => {
    const task = await added(queue, { maxAttempts: 2 });
    const [held] = await queue.claim({ workerId: "w", types: ["t"] });
    await queue.fail(held!, new Error("no"));
    const tooFew = () => queue.update(task.id, { maxAttempts: 1 });
    await assertRejects(tooFew, RangeError, `as maxAttempts of task ${task.id}`);
    const updated = await queue.update(task.id, { delayMs: 0, maxAttempts: 3 });
    assertEquals([updated.attempts, updated.maxAttempts, updated.errorMessage], [1, 3, "no"]);
    const [again] = await queue.claim({ workerId: "w", types: ["t"] });
    assertEquals([again!.id, again!.attempts], [task.id, 2]);
    assertEquals((await queue.fail(again!, new Error("no"))).status, "queued");
  });

  behaviour("33: update refuses a task that is held or final", async (queue) => {
    const task = await added(queue, {});
    const [held] = await queue.claim({ workerId: "w", types: ["t"] });
    await refuses(queue, task, "task_not_queued", /task \d+: it is leased, queued is needed$/);
    await queue.complete(held!);
    await refuses(queue, task, "task_not_queued", /it is completed, queued is needed$/);
    const unknown = await assertRejects(() => queue.update(999, { priority: 1 }), QueueError);
    assertEquals(unknown.code, "task_not_found");
  });

  behaviour("a stale expectation changes nothing", async (queue) => {
    const seen = await added(queue, { priority: 5 });
    const expectUpdatedAt = seen.updatedAt;
    const updated = await queue.update(seen.id, { priority: 6 }, { expectUpdatedAt });
    assertEquals(updated.updatedAt > seen.updatedAt, true, "also within one millisecond");
    const options = { expectUpdatedAt, by: "late" };
    await refuses(queue, seen, "task_changed", /it was changed at .*Z, expected is .*Z$/, options);
    const again = await queue.update(seen.id, { priority: 6 }, options);
    assertEquals(again, updated, "what is so already may be asked for again");
    const fresh = { expectUpdatedAt: updated.updatedAt.toISOString() };
    assertEquals((await queue.update(seen.id, { priority: 7 }, fresh)).priority, 7);
    assertEquals(kinds(await queue.transitions(seen.id)), ["enqueued", "edited", "edited"]);
  });

  behaviour("update refuses what is out of its range", async (queue) => {
    const { id, updatedAt } = await added(queue, {});
    const wrong: readonly (readonly [unknown, unknown, typeof TypeError | typeof RangeError])[] = [
      [{}, {}, TypeError],
      [{ payload: 1 }, {}, TypeError],
      [{ priority: 0 }, {}, RangeError],
      [{ priority: null }, {}, TypeError],
      [{ maxAttempts: 101 }, {}, RangeError],
      [{ group: "*" }, {}, TypeError],
      [{ delayMs: -1 }, {}, RangeError],
      [{ delayMs: "1" }, {}, TypeError],
      [{ runAfter: "tomorrow" }, {}, TypeError],
      [{ runAfter: new Date(), delayMs: 1 }, {}, TypeError],
      [{ priority: 1 }, { by: " " }, TypeError],
      [{ priority: 1 }, { expectUpdatedAt: "soon" }, TypeError],
      [{ priority: 1 }, { who: "me" }, TypeError],
    ];
    for (const [changes, options, error] of wrong) {
      const asked = () => queue.update(id, changes as TaskUpdate, options as UpdateOptions);
      await assertRejects(asked, error);
    }
    assertEquals((await queue.get(id))!.updatedAt, updatedAt);
  });

  behaviour("cancel and retry say who did it", async (queue) => {
    const { id } = await added(queue, {});
    assertEquals(await queue.cancel(id, { by: "ann" }), true);
    assertEquals(await queue.retry(id, { by: "bob" }), true);
    const said = (await queue.transitions(id)).map(({ kind, by }) => [kind, by]);
    assertEquals(said, [["enqueued", null], ["cancelled", "ann"], ["requeued", "bob"]]);
    await assertRejects(() => queue.cancel(id, { by: "" }), TypeError);
    await assertRejects(() => queue.retry(id, { by: "x".repeat(201) }), TypeError);
  });

  behaviour("an update sets when a task expires, and takes it back", async (queue, clock) => {
    const task = await added(queue, {});
    const expiresAt = new Date(clock.nowMs() + HOUR_MS);
    const updated = await queue.update(task.id, { expiresAt });
    assertEquals(updated.expiresAt, expiresAt);
    const { changes } = (await queue.transitions(task.id)).at(-1)!;
    assertEquals(changes, { expires_at: { from: null, to: expiresAt.toISOString() } });
    assertEquals((await queue.update(task.id, { expiresAt: null })).expiresAt, null);
    await queue.update(task.id, { expiresAt: expiresAt.toISOString() });
    const other = await queue.replace(task.id, { payload: 2 });
    assertEquals(other.expiresAt, expiresAt, "the replacement of one that waits expires, too");
    await clock.advance(HOUR_MS);
    assertEquals(await claimed(queue), []);
    await untilPassed(
      clock,
      async () => (await queue.get(other.id))!.status === "cancelled",
      "its expiry",
    );
    assertEquals((await queue.replace(other.id, { payload: 3 })).expiresAt, null, "it is wanted");
    assertEquals((await claimed(queue)).length, 1);
  });

  behaviour("33: what waits for a replaced task waits for the new one", async (queue) => {
    const parent = await added(queue, { runId: "p" });
    await queue.complete((await queue.claim({ workerId: "w", types: ["t"] }))[0]!);
    const waited = await added(queue, { type: "x", runId: "x" });
    const fields = { dependsOn: ["p", "x"], priority: 9, group: "acme", idempotencyKey: "key" };
    const old = await added(queue, { ...fields, payload: { n: 1 }, runId: "old" });
    const children = await queue.enqueueBatch(
      (["fail", "skip", "run"] as const).map((onParentFailure) => ({
        type: "child",
        dependsOn: ["old"],
        onParentFailure,
      })),
    );
    const options = { by: "ops", expectUpdatedAt: old.updatedAt };
    const replacement = { payload: { n: 2 }, runId: "new", maxAttempts: 9 };
    const stored = await queue.replace(old.id, replacement, options);
    assertEquals(stored, {
      ...old,
      id: stored.id,
      ...{ runId: "new", payload: { n: 2 }, maxAttempts: 9, idempotencyKey: null },
    });
    assertEquals([stored.waitsFor, stored.status, stored.group], [1, "queued", "acme"]);
    const ended = (await queue.get(old.id))!;
    assertEquals([ended.status, ended.errorMessage], ["cancelled", "Replaced by run new"]);
    const said = (await queue.transitions(old.id)).at(-1)!;
    assertEquals([said.kind, said.by, said.error], ["cancelled", "ops", "Replaced by run new"]);
    const [born] = await queue.transitions(stored.id);
    assertEquals([born!.kind, born!.by, born!.causedBy], ["enqueued", "ops", "old"]);
    for (const { task } of children) {
      const [outcome] = await queue.parentResults(task.id);
      assertEquals([outcome!.runId, outcome!.status], ["new", "queued"]);
      assertEquals((await queue.get(task.id))!.status, "queued");
    }
    const standings = await queue.parentResults(stored.id);
    assertEquals(standings.map(({ taskId }) => taskId), [parent.id, waited.id]);
    const again = await queue.enqueue({ type: "t", payload: { n: 1 }, ...fields });
    assertEquals([again.created, again.task.id], [false, old.id], "the key stays with the old one");
    for (const type of ["x", "t"]) {
      const [held] = await queue.claim({ workerId: "w", types: [type] });
      await queue.complete(held!);
    }
    const ready = await queue.claim({ workerId: "w", types: ["child"], limit: 9 });
    assertEquals(ready.length, 3);
  });

  behaviour("a failed task stays when another takes its place", async (queue) => {
    const old = await added(queue, { maxAttempts: 1, runId: "old" });
    const child = await added(queue, { type: "child", dependsOn: ["old"] });
    const [held] = await queue.claim({ workerId: "w", types: ["t"] });
    const failed = await queue.fail(held!, new Error("no"));
    const stored = await queue.replace(old.id, { payload: [], delayMs: HOUR_MS }, { by: "ops" });
    assertEquals([stored.status, stored.attempts, stored.errorMessage], ["queued", 0, null]);
    assertEquals(stored.runAfter.getTime() - stored.createdAt.getTime(), HOUR_MS);
    assertEquals(await queue.get(old.id), failed);
    assertEquals((await queue.get(child.id))!.status, "failed");
    const edited = (await queue.transitions(old.id)).at(-1)!;
    assertEquals(edited.changes, { replaced_by: { from: null, to: stored.runId } });
  });

  behaviour("replace refuses what is held, completed, changed or wrong", async (queue) => {
    const task = await added(queue, { runId: "taken" });
    const refusal = async (options: UpdateOptions = {}): Promise<string> => {
      const asked = () => queue.replace(task.id, { payload: 1, runId: "fresh" }, options);
      return (await assertRejects(asked, QueueError)).code;
    };
    assertEquals(await refusal({ expectUpdatedAt: new Date(0) }), "task_changed");
    const taken = () => queue.replace(task.id, { payload: 1, runId: "taken" });
    assertEquals((await assertRejects(taken, QueueError)).code, "run_id_conflict");
    for (const wrong of [{}, { payload: 1, type: "u" }, { payload: 1, runId: ".." }]) {
      const asked = () => queue.replace(task.id, wrong as TaskReplacement);
      await assertRejects(asked, TypeError);
    }
    const [held] = await queue.claim({ workerId: "w", types: ["t"] });
    assertEquals(await refusal(), "task_not_queued");
    await queue.complete(held!);
    assertEquals(await refusal(), "task_not_queued");
    assertEquals(await queue.count(), 1);
    const unknown = () => queue.replace(999, { payload: 1 });
    assertEquals((await assertRejects(unknown, QueueError)).code, "task_not_found");
  });

  behaviour(
    "remove deletes a task that has not begun, and who waits for it hears",
    async (queue) => {
      const task = await added(queue, { idempotencyKey: "key" });
      const waiting = queue.wait(task.id).then(({ status }) => status, ({ code }) => code);
      await queue.remove(task.id, { by: "ops" });
      assertEquals(["cancelled", "task_not_found"].includes(await waiting), true);
      assertEquals(await queue.get(task.id), undefined);
      assertEquals(await queue.transitions(task.id), []);
      const again = await queue.enqueue({ type: "t", idempotencyKey: "key", payload: 2 });
      assertEquals(again.created, true, "its key is free");
      assertEquals(again.task.id > task.id, true, "its id is not given again");
      const gone = await assertRejects(() => queue.remove(task.id), QueueError);
      assertEquals(gone.code, "task_not_found");
      await assertRejects(() => queue.remove(again.task.id, { by: "" }), TypeError);
    },
  );

  behaviour("remove refuses a task that is held, and one that others wait for", async (queue) => {
    const parent = await added(queue, {});
    const child = await added(queue, { type: "child", dependsOn: [parent.id] });
    const refusal = async (id: number): Promise<string> =>
      (await assertRejects(() => queue.remove(id), QueueError)).code;
    assertEquals(await refusal(parent.id), "task_has_children");
    const [held] = await queue.claim({ workerId: "w", types: ["t"] });
    assertEquals(await refusal(parent.id), "task_leased");
    await queue.complete(held!);
    assertEquals(await refusal(parent.id), "task_has_children", "it may ask for the result");
    await queue.remove(child.id);
    await queue.remove(parent.id);
    assertEquals(await queue.count(), 0);
  });
}

async function added(queue: TaskQueue, fields: Partial<NewTask>): Promise<Task> {
  return (await queue.enqueue({ type: "t", ...fields })).task;
}

async function claimed(queue: TaskQueue): Promise<number[]> {
  const tasks = await queue.claim({ workerId: "w", types: ["t"], limit: 9 });
  return tasks.map(({ id }) => id);
}

function kinds(transitions: readonly TaskTransition[]): string[] {
  return transitions.map(({ kind }) => kind);
}

/** An update is refused, and the task is as it was. */
async function refuses(
  queue: TaskQueue,
  { id }: Task,
  code: QueueErrorCode,
  message: RegExp,
  options?: UpdateOptions,
): Promise<void> {
  const before = await queue.get(id);
  const error = await assertRejects(() => queue.update(id, { priority: 1 }, options), QueueError);
  assertEquals(error.code, code);
  assertMatch(error.message, message);
  assertEquals(await queue.get(id), before);
}
