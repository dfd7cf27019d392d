/**
 * The in-memory manager: what Holdfast replaces. Nothing is written, and a run begins as soon as it is started, so its
 * enqueueing includes the work.
 */
import { BackgroundTaskManager, createRun, RunRegistry } from "../../src/mod.ts";
import { type Contender, payloadOf, RESULT, TYPE } from "./contender.ts";

/** A `BackgroundTaskManager`. */
export function inMemory(): Contender {
  const manager = new BackgroundTaskManager(new RunRegistry());
  const start = (n: number): void => {
    const run = createRun({
      runId: crypto.randomUUID(),
      moduleId: TYPE,
      parameters: payloadOf(n),
    });
    manager.startTask(run, () => Promise.resolve(RESULT));
  };
  const startMany = (count: number): void => {
    for (let n = 0; n < count; n++) start(n);
  };
  return {
    name: "in-memory manager",
    survives: "nothing",
    enqueue: (n) => Promise.resolve(start(n)),
    enqueueBatch: (count) => Promise.resolve(startMany(count)),
    work: () =>
      Promise.resolve({
        live: async (count) => {
          startMany(count);
          await manager.waitAll();
        },
        stop: () => Promise.resolve(),
      }),
    syncs: () => Promise.resolve(0),
    close: () => manager.close(),
  };
}
