/**
 * What a TaskQueue must do with tags: what tasks can be found by, whatever has become of them.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { PermanentError, QueueError } from "../../src/domain/errors.ts";
import type { NewTask, Task } from "../../src/domain/task.ts";
import type { ListRequest, TaskQueue } from "../../src/queue/task_queue.ts";
import { behavioursOf, type UseQueue } from "./suite.ts";

/** Registers the suite for one implementation. */
export function tagsContract(name: string, useQueue: UseQueue): void {
  const behaviour = behavioursOf(name, useQueue);

  behaviour(
    "tags are a set: two orders, repeats and blanks around them are one value",
    async (queue) => {
      const [plain, ordered, other] = await added(queue, [
        {},
        { tags: ["b", "ä/ü 🎬", "a"] },
        { tags: [" a", "b", "b ", "ä/ü 🎬"] },
      ]);
      assertEquals(plain!.tags, []);
      assertEquals(ordered!.tags, ["a", "b", "ä/ü 🎬"]);
      assertEquals(other!.tags, ordered!.tags);
      assertEquals((await queue.get(ordered!.id))!.tags, ordered!.tags);
      const [one] = await added(queue, [{ tags: [] }]);
      assertEquals(one!.tags, []);
    },
  );

  behaviour("a tag finds its tasks, newest first, with what else is asked for", async (queue) => {
    const tasks = await added(queue, [
      { tags: ["a", "b"], group: "g" },
      { tags: ["b"], type: "u" },
      {},
      { tags: ["a"], type: "u" },
      { tags: ["a"], group: "g" },
    ]);
    const ids = tasks.map(({ id }) => id);
    const [first, second, , fourth, fifth] = ids;
    await expectFound(queue, { tag: "a" }, [fifth!, fourth!, first!]);
    await expectFound(queue, { tag: "b" }, [second!, first!]);
    await expectFound(queue, { tag: "A" }, []);
    await expectFound(queue, { tag: "a", type: "u" }, [fourth!]);
    await expectFound(queue, { tag: "a", group: "g" }, [fifth!, first!]);
    await expectFound(queue, { tag: "a", group: "g", type: "u" }, []);
    await queue.cancel(first!);
    await expectFound(queue, { tag: "a", status: "cancelled" }, [first!]);
    await expectFound(queue, { tag: "a", status: "queued" }, [fifth!, fourth!]);
    assertEquals(idsOf(await queue.list({ tag: "a", limit: 1, offset: 1 })), [fourth]);
    assertEquals(idsOf(await queue.list({ tag: "a", beforeId: fourth })), [first]);
    assertEquals(await queue.list({ tag: "" }), []);
    assertEquals(await queue.list({ tag: "x".repeat(150) }), []);
  });

  behaviour(
    "a task is found by its tags to its end and after it, and not once it is gone",
    async (queue, clock) => {
      const [task, pruned] = await added(queue, [{ tags: ["a", "b"] }, { tags: ["a"] }]);
      const held = await queue.claim({ workerId: "w", types: ["t"], limit: 2 });
      assertEquals(held.map(({ tags }) => tags), [["a", "b"], ["a"]]);
      await expectFound(queue, { tag: "a", status: "leased" }, [pruned!.id, task!.id]);
      await queue.fail(held[0]!, new PermanentError("no"));
      await queue.complete(held[1]!);
      await expectFound(queue, { tag: "a" }, [pruned!.id, task!.id]);
      assertEquals((await queue.get(task!.id))!.tags, ["a", "b"]);
      await queue.retry(task!.id);
      await expectFound(queue, { tag: "b", status: "queued" }, [task!.id]);
      await clock.advance(5);
      await queue.prune({ keep: 0, olderThanMs: 0 });
      await expectFound(queue, { tag: "a" }, [task!.id]);
      await queue.remove(task!.id);
      await expectFound(queue, { tag: "a" }, []);
      await expectFound(queue, { tag: "b" }, []);
    },
  );

  behaviour("an update gives a task other tags, all or none", async (queue) => {
    const [task] = await added(queue, [{ tags: ["a", "b"] }]);
    const updated = await queue.update(task!.id, { tags: ["c", "b", "c"] }, { by: "ops" });
    assertEquals(updated.tags, ["b", "c"]);
    await expectFound(queue, { tag: "a" }, []);
    await expectFound(queue, { tag: "b" }, [task!.id]);
    await expectFound(queue, { tag: "c" }, [task!.id]);
    const [, edited] = await queue.transitions(task!.id);
    assertEquals(edited!.changes, { tags: { from: "a, b", to: "b, c" } });
    const same = await queue.update(task!.id, { tags: ["c", "b"] });
    assertEquals(same.updatedAt, updated.updatedAt, "it is so already");
    assertEquals((await queue.update(task!.id, { priority: 1 })).tags, ["b", "c"]);
    assertEquals((await queue.update(task!.id, { tags: null })).tags, []);
    await expectFound(queue, { tag: "c" }, []);
    await queue.update(task!.id, { tags: ["d"] });
    assertEquals((await queue.update(task!.id, { tags: [] })).tags, []);
    await expectFound(queue, { tag: "d" }, []);
  });

  behaviour("a replacement carries the tags on, or has its own", async (queue) => {
    const [task] = await added(queue, [{ tags: ["a"] }]);
    const second = await queue.replace(task!.id, { payload: 2 });
    assertEquals(second.tags, ["a"]);
    await expectFound(queue, { tag: "a", status: "queued" }, [second.id]);
    const third = await queue.replace(second.id, { payload: 3, tags: ["b"] });
    assertEquals(third.tags, ["b"]);
    await expectFound(queue, { tag: "a", status: "queued" }, []);
    await expectFound(queue, { tag: "b" }, [third.id]);
    const bare = await queue.replace(third.id, { payload: 4, tags: null });
    await expectFound(queue, { tag: "b", status: "queued" }, []);
    assertEquals(bare.tags, []);
  });

  behaviour("bulk is for the tasks with a tag alone", async (queue) => {
    const tasks = await added(queue, [
      { tags: ["a", "b"] },
      { tags: ["b"] },
      { tags: ["a"], group: "g" },
      {},
      { tags: ["a"], type: "u" },
    ]);
    const [first, , third, , fifth] = tasks.map(({ id }) => id);
    const dry = { action: "cancel", filter: { tag: "a" }, dryRun: true } as const;
    assertEquals((await queue.bulk(dry)).matched, 3);
    await queue.bulk({ action: "cancel", filter: { tag: "a", group: "g" } });
    await expectFound(queue, { status: "cancelled" }, [third!]);
    await queue.bulk({ action: "cancel", filter: { tag: "a", ids: [first!, first! + 1] } });
    await expectFound(queue, { status: "cancelled" }, [third!, first!]);
    await queue.bulk({ action: "cancel", filter: { tag: "a" } });
    await expectFound(queue, { status: "cancelled" }, [fifth!, third!, first!]);
    const removed = await queue.bulk({
      action: "remove",
      filter: { tag: "a", statuses: ["cancelled"] },
    });
    assertEquals([removed.matched, removed.changed], [3, 3]);
    await expectFound(queue, { tag: "a" }, []);
    await expectFound(queue, { tag: "b" }, [first! + 1]);
  });

  behaviour("bulk goes through a tag's tasks to the end", async (queue) => {
    const tasks = Array.from({ length: 1300 }, (_, i) => ({ type: "t", tags: [`t${i % 2}`] }));
    await queue.enqueueBatch(tasks);
    const request = { action: "cancel", filter: { tag: "t1" }, budgetMs: 30_000 } as const;
    let changed = 0;
    let cursor: string | undefined;
    do {
      const report = await queue.bulk({ ...request, cursor });
      changed += report.changed;
      cursor = report.cursor ?? undefined;
    } while (cursor !== undefined);
    assertEquals(changed, 650);
    assertEquals(await queue.count({ tag: "t1", status: "cancelled" }), 650);
    assertEquals(await queue.count({ tag: "t0", status: "queued" }), 650);
  });

  behaviour("a schedule's tasks have its tags", async (queue) => {
    const time = { everyMs: 60_000 };
    await queue.addSchedule({ id: "s", type: "t", tags: ["b", "a"], ...time });
    const again = { id: "s", type: "t", tags: ["a", "b"], ...time };
    assertEquals((await queue.addSchedule(again)).schedule.tags, ["a", "b"], "it is the same");
    const other = { ...again, tags: ["a"] };
    await assertRejects(() => queue.addSchedule(other), QueueError, "another one with this id");
    await queue.fireSchedules();
    const [task] = await queue.list({ tag: "b" });
    assertEquals([task?.type, task?.tags], ["t", ["a", "b"]]);
  });

  behaviour(
    "what a completion stores has its tags, and one that joins another has none",
    async (queue) => {
      await added(queue, [{ tags: ["parent"] }]);
      const [held] = await queue.claim({ workerId: "w", types: ["t"] });
      await queue.complete(held!, null, { enqueue: [{ type: "u", tags: ["child"] }] });
      const [child] = await queue.list({ tag: "child" });
      assertEquals(child?.type, "u");
      const unique = { key: "k", mode: "queued" } as const;
      const [first, second] = await added(queue, [
        { unique, tags: ["first"] },
        { unique, tags: ["second"] },
      ]);
      assertEquals(second!.id, first!.id);
      await expectFound(queue, { tag: "first" }, [first!.id]);
      await expectFound(queue, { tag: "second" }, []);
      const keyed = { idempotencyKey: "key" };
      const [one, two] = await added(queue, [{ ...keyed, tags: ["x"] }, { ...keyed, tags: ["y"] }]);
      assertEquals([two!.id, two!.tags], [one!.id, ["x"]]);
      await expectFound(queue, { tag: "y" }, []);
    },
  );

  behaviour("tags that cannot be are refused before any effect", async (queue) => {
    const [task] = await added(queue, [{ tags: ["a"] }]);
    const eleven = Array.from({ length: 11 }, (_, i) => `t${i}`);
    const wrong: [unknown, typeof TypeError | typeof RangeError, string][] = [
      ["a", TypeError, 'Cannot use "a" as tags: an array of strings is needed'],
      [[1], TypeError, "Cannot use 1 as tag: a string is needed"],
      [[" "], TypeError, "Cannot use a blank tag"],
      [["a\nb"], TypeError, "control characters"],
      [["x".repeat(101)], TypeError, "a tag of 101 characters: at most 100"],
      [eleven, RangeError, "Cannot use 11 as number of tags"],
    ];
    for (const [tags, kind, message] of wrong) {
      const given = { tags: tags as string[] };
      await assertRejects(() => queue.enqueue({ type: "t", ...given }), kind, message);
      await assertRejects(() => queue.update(task!.id, given), kind, message);
      await assertRejects(() => queue.replace(task!.id, { payload: 1, ...given }), kind, message);
    }
    const longest = Array.from({ length: 10 }, (_, i) => `${i}`.repeat(100));
    const whole = await queue.enqueue({ type: "t", tags: longest });
    await expectFound(queue, { tag: longest[9]! }, [whole.task.id]);
    assertEquals(await queue.count(), 2);
    const blank = { action: "cancel", filter: { tag: " " } } as const;
    await assertRejects(() => queue.bulk(blank), TypeError, "Cannot use a blank tag");
  });

  behaviour("records carry tags, and those of a file may be in any order", async (queue, clock) => {
    const [task, bare] = await added(queue, [{ tags: ["b", "a"] }, {}]);
    await queue.cancel(task!.id);
    const { tasks } = await queue.exportAll();
    assertEquals(tasks.map(({ tags }) => tags), [["a", "b"], []]);
    await clock.advance(5);
    await queue.prune({ keep: 0, olderThanMs: 0 });
    await queue.remove(bare!.id);
    const records = tasks.map((record) => ({ ...record, tags: [...record.tags].reverse() }));
    const { storedIds } = await queue.importRecords(records, { renumber: true });
    assertEquals((await queue.get(storedIds[0]!))!.tags, ["a", "b"]);
    await expectFound(queue, { tag: "a" }, [storedIds[0]!]);
    await expectFound(queue, { tag: "b" }, [storedIds[0]!]);
  });
}

/** Stores tasks of type `t`, where nothing else is said, in one batch. */
async function added(queue: TaskQueue, tasks: readonly Partial<NewTask>[]): Promise<Task[]> {
  const stored = await queue.enqueueBatch(tasks.map((task) => ({ type: "t", ...task })));
  return stored.map(({ task }) => task);
}

/** A list and a count must say the same. */
async function expectFound(
  queue: TaskQueue,
  filter: Pick<ListRequest, "status" | "type" | "group" | "tag">,
  ids: readonly number[],
): Promise<void> {
  assertEquals(idsOf(await queue.list(filter)), ids);
  assertEquals(await queue.count(filter), ids.length);
}

function idsOf(tasks: readonly Task[]): number[] {
  return tasks.map(({ id }) => id);
}
