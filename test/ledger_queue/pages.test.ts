/**
 * Lists whose rows may be many or large: a page is bounded, and those who go on until one is empty have seen all.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { SCHEDULE_LIMITS, type TaskQueue } from "../../src/mod.ts";
import { withQueue } from "../support/queues.ts";
import { thoroughTest } from "../support/thorough.ts";

const MIB = 1024 * 1024;

thoroughTest(
  "parentResults() gives no more than 16 Mi characters at once, and one at least",
  () =>
    withQueue({ memory: true }, async (queue) => {
      const runIds = Array.from({ length: 20 }, (_, n) => `parent-${n}`);
      await queue.enqueueBatch(runIds.map((runId) => ({ type: "t", runId })));
      for (const task of await queue.claim({ workerId: "w", types: ["t"], limit: 20 })) {
        await queue.complete(task, "x".repeat(MIB - 10));
      }
      const { task } = await queue.enqueue({ type: "u", dependsOn: runIds.toReversed() });
      const sizes: number[] = [];
      const seen: string[] = [];
      for (;;) {
        const page = await queue.parentResults(task.id, { offset: seen.length });
        if (page.length === 0) break;
        sizes.push(page.length);
        seen.push(...page.map(({ runId }) => runId));
      }
      assertEquals([sizes, seen], [[15, 5], runIds.toReversed()]);
      const last = await queue.parentResults(task.id, { offset: -2, limit: 1 });
      assertEquals(last.map(({ runId }) => runId), ["parent-1"]);
    }),
);

thoroughTest(
  "listSchedules() gives no more than 16 Mi characters at once, by ids",
  () =>
    withQueue({ memory: true }, async (queue) => {
      const ids = Array.from({ length: 70 }, (_, n) => `s${String(n).padStart(2, "0")}`);
      const payload = "x".repeat(256 * 1024 - 10);
      for (const id of ids.toReversed()) {
        await queue.addSchedule({ id, type: "t", everyMs: SCHEDULE_LIMITS.everyMaxMs, payload });
      }
      const first = (await queue.listSchedules()).map(({ id }) => id);
      assert(first.length < 65 && first.length > 60, `${first.length} at once`);
      const rest = (await queue.listSchedules({ afterId: first.at(-1) })).map(({ id }) => id);
      assertEquals([...first, ...rest], ids);
      assertEquals((await queue.listSchedules({ limit: 2 })).map(({ id }) => id), ["s00", "s01"]);
      assertEquals(await queue.listSchedules({ afterId: "s69" }), []);
    }),
);

Deno.test("transitions() gives parts of a long life", () =>
  withQueue({ memory: true }, async (queue) => {
    await queue.enqueue({ type: "t" });
    for (let n = 0; n < 501; n++) {
      const [task] = await queue.claim({ workerId: "w", types: ["t"] });
      await queue.release(task!);
    }
    const kinds = async (part: Parameters<TaskQueue["transitions"]>[1]): Promise<string[]> =>
      (await queue.transitions(1, part)).map(({ kind }) => kind);
    assertEquals((await kinds({})).length, 1000);
    assertEquals(await kinds({ offset: 1000 }), ["released", "leased", "released"].slice(0, 3));
    assertEquals(await kinds({ limit: 2 }), ["enqueued", "leased"]);
    assertEquals(await kinds({ offset: -2 }), ["leased", "released"]);
    assertEquals((await kinds({ offset: -5000 })).length, 1000);
    assertEquals(await kinds({ offset: 1003 }), []);
  }));

Deno.test("listWorkers() gives the 1000 that were heard of last, metrics() counts all", () =>
  withQueue({ memory: true }, async (queue) => {
    const worker = { types: ["t"], capabilities: {}, concurrency: 1 };
    await Promise.all(
      Array.from({ length: 1003 }, (_, n) => queue.heartbeat({ ...worker, workerId: `w${n}` })),
    );
    assertEquals((await queue.listWorkers()).length, 1000);
    assertEquals((await queue.metrics()).workers.active, 1003);
  }));

thoroughTest(
  "listWorkers() gives no more than 16 Mi characters at once",
  () =>
    withQueue({ memory: true }, async (queue) => {
      const types = Array.from({ length: 1000 }, (_, n) => `${n}`.padEnd(200, "x"));
      for (let n = 0; n < 90; n++) {
        await queue.heartbeat({ types, capabilities: {}, concurrency: 1, workerId: `w${n}` });
      }
      const { length } = await queue.listWorkers();
      assert(length < 84 && length > 75, `${length} at once`);
    }),
);

Deno.test("a part is refused that cannot be", () =>
  withQueue({ memory: true }, async (queue) => {
    for (const limit of [0, 1001, 1.5]) {
      for (
        const ask of [
          () => queue.transitions(1, { limit }),
          () => queue.parentResults(1, { limit }),
          () => queue.listSchedules({ limit }),
        ]
      ) await assertRejects(ask, RangeError, "as limit: an integer from 1 to 1000 is needed");
    }
    await assertRejects(() => queue.listSchedules({ afterId: "" }), TypeError, "schedule id");
    await assertRejects(() => queue.transitions(1, { offset: 0.5 }), RangeError, "as offset");
  }));
