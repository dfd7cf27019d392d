/**
 * What every move must do, from any engine to any other.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { QueueError } from "../../src/domain/errors.ts";
import { type MovedTask, moveEndOf } from "../../src/queue/move_end.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { cancelMove } from "../../src/transfer/move_cancel.ts";
import { type MoveProgress, MoveRefusedError } from "../../src/transfer/move_report.ts";
import { moveTasks } from "../../src/transfer/move_tasks.ts";
import type { UseQueue } from "../contract/suite.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { contentsOf, fillRich, Killed, Killer, passedOn, sideOf } from "./move_world.ts";

interface World {
  readonly from: TaskQueue;
  readonly to: TaskQueue;
  /** The old queue's. */
  readonly clock: FakeClock;
  /** The new queue's. */
  readonly newClock: FakeClock;
}

const TYPES = ["a", "open", "retries", "sync", "kept", "child", "holdfast.webhook"];

async function move(
  { from, to, clock }: World,
  { waitMs = 0, killer, onProgress }: {
    readonly waitMs?: number;
    readonly killer?: Killer;
    readonly onProgress?: (progress: MoveProgress) => void;
  } = {},
): Promise<unknown> {
  const sides = [
    await sideOf(from, "/old.db", killer?.watch),
    await sideOf(to, "/new.db", killer?.watch),
  ] as const;
  return await moveTasks(...sides, { waitMs, clock, onProgress });
}

async function states(...queues: readonly TaskQueue[]): Promise<(string | null)[]> {
  const notes = await Promise.all(queues.map((queue) => moveEndOf(queue)!.notes()));
  return notes.map(({ closure }) => closure?.state ?? null);
}

async function refusal(act: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(act, MoveRefusedError)).message;
}

/** Task 2 has priority 7. */
function withOtherPriority(task: MovedTask): MovedTask {
  if (task.id !== 2) return task;
  return { ...task, values: task.values.map((value) => value === 7 ? 8 : value) };
}

/** Registers the suite for moves between two kinds of queues. */
export function moveContract(name: string, useFrom: UseQueue, useTo: UseQueue): void {
  const behaviour = (what: string, test: (world: World) => Promise<void>): void => {
    Deno.test(`${name}: ${what}`, () =>
      useFrom(
        {},
        (from, clock) => useTo({}, (to, newClock) => test({ from, to, clock, newClock })),
      ));
  };

  behaviour("tasks of an ordering key go on in their order", async (world) => {
    const { from, to } = world;
    const ordered = { type: "a", orderingKey: "k" };
    const stored = await from.enqueueBatch([ordered, ordered, ordered]);
    const [, second, third] = stored.map(({ task }) => task.id);
    const first = await from.replace(stored[0]!.task.id, { payload: "first" });
    await move(world);
    for (const id of [first.id, second, third]) {
      const [task, ...more] = await to.claim({ workerId: "w", types: ["a"], limit: 5 });
      assertEquals([task?.id, more.length], [id, 0]);
      await to.complete(task!);
    }
  });

  behaviour("tasks are found by their tags where they arrive", async (world) => {
    const { from, to } = world;
    const { task } = await from.enqueue({ type: "a", tags: ["y", "x"] });
    const ended = await from.enqueue({ type: "a", tags: ["x"] });
    await from.cancel(ended.task.id);
    await from.addSchedule({ id: "s", type: "a", cron: "@yearly", tags: ["z"] });
    await move(world);
    assertEquals((await to.list({ tag: "x" })).map(({ id }) => id), [ended.task.id, task.id]);
    assertEquals((await to.list({ tag: "y" })).map(({ tags }) => tags), [["x", "y"]]);
    assertEquals((await to.getSchedule("s"))!.tags, ["z"]);
  });

  behaviour("everything arrives as it was, and the old queue says where", async (world) => {
    const { from, to, clock } = world;
    await fillRich(from, clock);
    const before = await contentsOf(from);
    const contents = await move(world) as { readonly tasks: number; readonly checksum: string };
    assertEquals(contents.tasks, before.tasks.length);
    assertEquals(contents.checksum.length, 64);
    assertEquals(await contentsOf(to), before);
    assertEquals(await states(from, to), ["moved", null]);
    const error = await assertRejects(() => from.enqueue({ type: "a" }), QueueError);
    assertEquals(error.code, "queue_moved");
    assertStringIncludes(error.message, '"/new.db"');
    assertEquals(await move(world), null);
  });

  behaviour(
    "what arrived goes on: ids, keys, retries, children, webhooks, schedules",
    async (world) => {
      const { from, to, clock, newClock } = world;
      await fillRich(from, clock);
      await move(world);
      const used = await moveEndOf(from)!.usedUpTo();
      const { task, created } = await to.enqueue({
        type: "a",
        payload: { text: "ü 🎬\u0000", big: [1, 2.5] },
        idempotencyKey: "k-1",
      });
      assertEquals([task.id, created], [1, false]);
      assertEquals((await to.enqueue({ type: "new" })).task.id > used, true);
      await newClock.advance(10_000);
      const capabilities = { gpu: true, z: 1, a: "x" };
      const claim = { workerId: "w", types: TYPES, limit: 20, capabilities };
      const first = await to.claim(claim);
      assertEquals(first.map(({ type }) => type).sort(), [
        "a",
        "holdfast.webhook",
        "kept",
        "open",
        "retries",
        "sync",
      ]);
      for (const each of first) await to.complete(each);
      const second = await to.claim(claim);
      assertEquals(second.map(({ runId }) => runId), ["waits"]);
      await to.complete(second[0]!);
      await newClock.advance(60_000);
      await to.fireSchedules();
      const { firings, nextAt } = (await to.getSchedule("sync"))!;
      assertEquals([firings, nextAt], [2, null]);
      const { paused, firings: none } = (await to.getSchedule("nightly"))!;
      assertEquals([paused, none], [true, 0]);
      assertEquals(await to.retry((await to.getByRunId("fails"))!.id), true);
      assertEquals((await to.getByRunId("ended"))!.status, "queued");
      assertEquals((await from.list({ status: "leased" })).length, 0);
    },
  );

  behaviour(
    "killed after any change, the same move goes on; one is open at most",
    async (world) => {
      const { from, to, clock } = world;
      await fillRich(from, clock);
      const before = await contentsOf(from);
      const seen: string[] = [];
      while (seen.at(-1) !== "moved,null") {
        await assertRejects(() => move(world, { killer: new Killer(1) }), Killed);
        const closed = await states(from, to);
        assert(closed.some((state) => state !== null), "both are open");
        seen.push(closed.map(String).join());
      }
      const filling = seen.filter((each) => each === "leaving,filling").length;
      assertEquals([...new Set(seen)], [
        "leaving,null",
        "leaving,filling",
        "handing_over,filling",
        "handing_over,null",
        "moved,null",
      ]);
      assert(filling >= 5, `${filling} kills while it was filled`);
      assertEquals(await move(world), null);
      assertEquals(await contentsOf(to), before);
    },
  );

  behaviour("it waits for what is leased, and says who holds it", async (world) => {
    const { from, to } = world;
    await from.enqueueBatch([{ type: "t" }, { type: "t" }]);
    const [task] = await from.claim({ workerId: "w-9", types: ["t"] });
    const told: MoveProgress[] = [];
    const message = await refusal(() => move(world, { onProgress: (each) => told.push(each) }));
    assertStringIncludes(message, 'task 1 by "w-9"');
    assertStringIncludes(message, "--cancel");
    assertEquals(told[0], {
      phase: "wait",
      leased: 1,
      held: [{ taskId: 1, type: "t", worker: "w-9", leaseUntil: task!.leaseUntil! }],
    });
    assertEquals(await states(from, to), ["leaving", "filling"]);
    await from.complete(task!, "late");
    await move(world);
    assertEquals((await to.get(1))!.result, "late");
    assertEquals((await to.claim({ workerId: "w", types: ["t"], limit: 9 })).length, 1);
  });

  behaviour("called off, the old queue opens and the new one stays closed", async (world) => {
    const { from, to, clock } = world;
    await fillRich(from, clock);
    await from.claim({ workerId: "w", types: ["open"] });
    await refusal(() => move(world));
    const sides = [await sideOf(from, "/old.db"), await sideOf(to, "/new.db")] as const;
    assertEquals(await cancelMove(...sides), true);
    assertEquals(await states(from, to), [null, "abandoned"]);
    await from.enqueue({ type: "a" });
    assertStringIncludes(
      await refusal(() => cancelMove(...sides).then(() => move(world))),
      "another",
    );
    assertEquals(await states(from, to), [null, "abandoned"]);
  });

  behaviour(
    "a move that was handed over is called off only if the new queue has not opened",
    async (world) => {
      const { from, to, clock } = world;
      await fillRich(from, clock);
      const sides = [await sideOf(from, "/old.db"), await sideOf(to, "/new.db")] as const;
      while ((await states(from))[0] !== "handing_over") {
        await assertRejects(() => move(world, { killer: new Killer(1) }), Killed);
      }
      const away = { place: "/new.db", reason: "no server listens there" };
      assertStringIncludes(await refusal(() => cancelMove(sides[0], away)), "may be open already");
      assertEquals(await states(from, to), ["handing_over", "filling"]);
      assertEquals(await cancelMove(...sides), true);
      assertEquals(await states(from, to), [null, "abandoned"]);
      assert(clock.nowMs() > 0);
    },
  );

  behaviour("what cannot be moved is refused, and nothing is changed", async (world) => {
    const { from, to, clock } = world;
    await fillRich(from, clock);
    await to.pause({});
    assertStringIncludes(await refusal(() => move(world)), '"/new.db" is not new');
    await to.resume({});
    await to.enqueue({ type: "own" });
    assertStringIncludes(await refusal(() => move(world)), '"/new.db" is not new');
    assertStringIncludes(await refusal(() => move({ ...world, to: from })), "the same queue");
    const sides = [await sideOf(from, "/old.db"), await sideOf(to, "/new.db")] as const;
    assertStringIncludes(await refusal(() => cancelMove(...sides)), "there is none");
    assertEquals(await states(from, to), [null, null]);
  });

  behaviour("a new queue that differs is not opened", async (world) => {
    const { from, to, clock } = world;
    await fillRich(from, clock);
    const source = await sideOf(from, "/old.db");
    const target = await sideOf(to, "/new.db", (end) => ({
      ...passedOn(end),
      fill: ({ tasks = [], ...part }) => end.fill({ ...part, tasks: tasks.map(withOtherPriority) }),
    }));
    const act = (): Promise<unknown> => moveTasks(source, target, { waitMs: 0, clock });
    assertStringIncludes(await refusal(act), "task 2 differs");
    assertEquals(await states(from, to), ["leaving", "filling"]);
  });
}
