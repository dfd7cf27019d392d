/**
 * What a task costs does not depend on how many there are: counted in calls to the queue, not in time.
 */
import { assert, assertEquals } from "@std/assert";
import { createRun } from "../../src/domain/run.ts";
import { QueuedTaskManager } from "../../src/manager/queued_task_manager.ts";
import { RunRegistry } from "../../src/manager/run_registry.ts";
import { openQueue } from "../../src/mod.ts";
import type { TaskQueue } from "../../src/queue/task_queue.ts";
import { MemoryHistoryFile } from "../support/memory_history_file.ts";
import { overridden } from "../support/overridden_queue.ts";

const SLICE = 250;
const SLICES = 8;

/** `queue`, with every task that it is asked to read or claim counted. */
function counting(queue: TaskQueue): { readonly queue: TaskQueue; touched: number } {
  const counter = { queue, touched: 0 };
  const count = <T>(result: T, touched = 1): T => {
    counter.touched += touched;
    return result;
  };
  counter.queue = overridden(queue, {
    get: (id) => count(queue.get(id)),
    getByRunId: (runId) => count(queue.getByRunId(runId)),
    enqueue: (task) => count(queue.enqueue(task)),
    claim: (request) => count(queue.claim(request)),
    list: async (request) => {
      const tasks = await queue.list(request);
      return count(tasks, Math.max(1, tasks.length));
    },
  });
  return counter;
}

for (const kind of ["that wait", "with work"] as const) {
  Deno.test(`startTask() asks the queue as often for the last of 2,000 tasks ${kind} as for the first`, async () => {
    const counter = counting(await openQueue({ memory: true }));
    const history = new MemoryHistoryFile();
    const registry = await RunRegistry.open({ history, historyDelayMs: 60_000 });
    const manager = await QueuedTaskManager.open(counter.queue, registry);
    const work = kind === "with work" ? (): Promise<void> => Promise.resolve() : undefined;
    const touched: number[] = [];
    for (let slice = 0; slice < SLICES; slice++) {
      const before = counter.touched;
      for (let n = 0; n < SLICE; n++) {
        manager.startTask(createRun({ runId: `${slice}-${n}`, moduleId: "m" }), work);
      }
      await (work === undefined ? manager.flush() : manager.waitAll());
      touched.push(counter.touched - before);
    }
    const [first, last] = [touched[0]!, touched.at(-1)!];
    assert(first >= SLICE, `${first} tasks were touched in the first slice`);
    assert(last <= 1.5 * first, `${touched} tasks were touched in each slice`);
    assertEquals(history.replaced, 0);
    await manager.close({ graceMs: 0 });
    assertEquals(history.replaced, 1);
  });
}
