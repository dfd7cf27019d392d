/**
 * Tasks that depend on each other, in three processes, one of which is killed while it runs one of them.
 */
import { assert, assertEquals } from "@std/assert";
import type { NewTask } from "../../src/mod.ts";
import { openQueueHere, Program, QueueFolder, waitFor } from "./support.ts";

/** One of the four hangs in its first attempt, so whoever runs it can be killed meanwhile. */
const DIAMOND: readonly NewTask[] = [
  { type: "node", runId: "bottom", dependsOn: ["left", "right"] },
  { type: "node", runId: "left", dependsOn: ["top"], payload: { hangs: true } },
  { type: "node", runId: "right", dependsOn: ["top"] },
  { type: "node", runId: "top" },
];

Deno.test("a diamond of four tasks completes in order under three processes, one of them killed", async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  const names = ["a", "b", "c"];
  const workers = new Map(names.map((name) => [name, new Program("worker", folder.path, name)]));
  const everyWorker = [...workers.values()];
  try {
    await Promise.all(everyWorker.map((worker) => worker.report("ready")));
    const enqueued = await queue.enqueueBatch(DIAMOND);
    const { id } = enqueued.find(({ task }) => task.runId === "left")!.task;
    const { lockedBy } = await waitFor(async () => {
      const task = (await queue.get(id))!;
      return task.status === "leased" ? task : undefined;
    }, "the hanging task leased");
    const doomed = workers.get(lockedBy!)!;
    await doomed.report("started", id);
    await doomed.kill();
    workers.delete(lockedBy!);
    await waitFor(
      async () => await queue.count({ status: "completed" }) === 4 || undefined,
      "every task completed",
    );
    await Promise.all([...workers.values()].map((worker) => worker.stop()));
  } finally {
    for (const worker of everyWorker) await worker[Symbol.asyncDispose]();
  }

  const tasks = await queue.list();
  const byName = new Map(tasks.map((task) => [task.runId, task]));
  const [top, left, right, bottom] = ["top", "left", "right", "bottom"].map((name) =>
    byName.get(name)!
  );
  // The killed process may have held the right one too.
  assertEquals([top, left, bottom].map((task) => task!.attempts), [1, 2, 1]);
  const ofTop = [{ runId: "top", of: [] }];
  assertEquals(bottom!.result, {
    runId: "bottom",
    of: [{ runId: "left", of: ofTop }, { runId: "right", of: ofTop }],
  });
  const starts = everyWorker.flatMap((worker) => worker.reports("started"));
  assertEquals(new Set(starts.map(({ taskId }) => taskId)).size, 4);
  for (
    const [child, parents] of [[left, [top]], [right, [top]], [bottom, [left, right]]] as const
  ) {
    for (const { atMs, taskId } of starts) {
      if (taskId !== child!.id) continue;
      for (const parent of parents) {
        assert(atMs >= parent!.finishedAt!.getTime(), `${child!.runId} began too early`);
      }
    }
  }
  assertEquals((await queue.integrityCheck()).problems, []);
});
