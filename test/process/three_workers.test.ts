/**
 * Three worker processes share one queue: nothing is lost, run twice at the same time, or finished twice.
 */
import { assert, assertEquals } from "@std/assert";
import type { Ran } from "./programs/program.ts";
import { openQueueHere, Program, QueueFolder, waitFor } from "./support.ts";

const TASKS = 3000;
const FAIR_SHARE = 0.15;

Deno.test("three processes complete 3,000 tasks, each once, and none starves", async () => {
  await using folder = new QueueFolder();
  await using queue = await openQueueHere({ path: folder.path });
  await using a = new Program("worker", folder.path, "worker a");
  await using b = new Program("worker", folder.path, "worker b");
  await using c = new Program("worker", folder.path, "worker c");
  const workers = [a, b, c];
  await Promise.all(workers.map((worker) => worker.report("ready")));
  const startedAtMs = performance.now();
  const enqueued = await queue.enqueueBatch(
    Array.from({ length: TASKS }, () => ({ type: "tick" })),
  );
  await waitFor(
    async () => await queue.count({ status: "completed" }) === TASKS || undefined,
    "every task completed",
  );
  const seconds = (performance.now() - startedAtMs) / 1000;
  await Promise.all(workers.map((worker) => worker.stop()));

  const ids = enqueued.map(({ task }) => task.id);
  const completed = workers.map((worker) =>
    worker.reports("ended").filter(({ end }) => end === "completed").map(({ taskId }) => taskId)
  );
  assertEquals(completed.flat().toSorted((x, y) => x - y), ids, "each task completed exactly once");

  const runs = workers.flatMap((worker) => worker.reports("ran"));
  assertEquals(new Set(runs.map(({ taskId }) => taskId)), new Set(ids));
  const leases = new Set(runs.map(({ taskId, leaseToken }) => `${taskId}/${leaseToken}`));
  assertEquals(leases.size, runs.length, "no lease is given twice");
  assertEquals(intrusions(runs), [], "no task runs under two live leases");

  const shares = completed.map((taskIds) => taskIds.length / TASKS);
  console.log(
    `three workers: ${TASKS} tasks in ${seconds.toFixed(1)} s, ${runs.length} runs, shares ${
      shares.map((share) => `${(share * 100).toFixed(1)} %`).join(", ")
    }`,
  );
  assert(shares.every((share) => share >= FAIR_SHARE), `a process starved: ${shares}`);
});

/** Runs that began while an earlier run of the same task went on, or before its lease had ended. */
function intrusions(runs: readonly Ran[]): Ran[] {
  const ordered = runs.toSorted((x, y) => x.taskId - y.taskId || x.leaseToken - y.leaseToken);
  return ordered.filter((run, i) => {
    const before = ordered[i - 1];
    return before?.taskId === run.taskId &&
      run.startedAtMs < Math.max(before.endedAtMs, before.leaseUntilMs);
  });
}
