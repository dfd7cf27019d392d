/**
 * Three worker processes share one queue: nothing is lost, run twice at the same time, or finished twice.
 */
import { assert, assertEquals } from "@std/assert";
import type { Ran } from "./programs/program.ts";
import { openQueueHere, Program, QueueFolder, waitFor } from "./support.ts";
import { effort } from "../support/effort.ts";

const TASKS = effort("sharedTasks");
const FAIR_SHARE = 0.15;

/** A process that a busy machine held up gets another chance, so many times. */
const BATCHES_MAX = 20;

Deno.test(`three processes complete ${TASKS} tasks, each once, and none starves`, async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await using a = new Program("worker", folder.path, "worker a");
  await using b = new Program("worker", folder.path, "worker b");
  await using c = new Program("worker", folder.path, "worker c");
  const workers = [a, b, c];
  await Promise.all(workers.map((worker) => worker.report("ready")));
  const startedAtMs = performance.now();
  const ids: number[] = [];
  for (let batch = 0; batch < BATCHES_MAX && (batch === 0 || isAnyStarved(workers)); batch++) {
    const enqueued = await queue.enqueueBatch(
      Array.from({ length: TASKS }, () => ({ type: "tick" })),
    );
    ids.push(...enqueued.map(({ task }) => task.id));
    await waitFor(
      async () => await queue.count({ status: "completed" }) === ids.length || undefined,
      "every task completed",
    );
  }
  const seconds = (performance.now() - startedAtMs) / 1000;
  await Promise.all(workers.map((worker) => worker.stop()));

  const completed = workers.map(completedBy);
  assertEquals(completed.flat().toSorted((x, y) => x - y), ids, "each task completed exactly once");

  const runs = workers.flatMap((worker) => worker.reports("ran"));
  assertEquals(new Set(runs.map(({ taskId }) => taskId)), new Set(ids));
  const leases = new Set(runs.map(({ taskId, leaseToken }) => `${taskId}/${leaseToken}`));
  assertEquals(leases.size, runs.length, "no lease is given twice");
  assertEquals(intrusions(runs), [], "no task runs under two live leases");

  const shares = completed.map((taskIds) => taskIds.length / ids.length);
  console.log(
    `three workers: ${ids.length} tasks in ${seconds.toFixed(1)} s, ${runs.length} runs, shares ${
      shares.map((share) => `${(share * 100).toFixed(1)} %`).join(", ")
    }`,
  );
  assert(!isAnyStarved(workers), `a process starved: ${shares}`);
});

/** The tasks that a worker has completed. */
function completedBy(worker: Program): number[] {
  return worker.reports("ended").filter(({ end }) => end === "completed")
    .map(({ taskId }) => taskId);
}

/** Whether one of the workers has not completed its part of a batch yet. */
function isAnyStarved(workers: readonly Program[]): boolean {
  return workers.some((worker) => completedBy(worker).length < TASKS * FAIR_SHARE);
}

/** Runs that began while an earlier run of the same task went on, or before its lease had ended. */
function intrusions(runs: readonly Ran[]): Ran[] {
  const ordered = runs.toSorted((x, y) => x.taskId - y.taskId || x.leaseToken - y.leaseToken);
  return ordered.filter((run, i) => {
    const before = ordered[i - 1];
    return before?.taskId === run.taskId &&
      run.startedAtMs < Math.max(before.endedAtMs, before.leaseUntilMs);
  });
}
