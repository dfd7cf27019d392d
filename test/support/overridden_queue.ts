/**
 * A queue some of whose methods a test has replaced, for faults and delays.
 */
import type { TaskQueue } from "../../src/queue/task_queue.ts";

/** `queue`, with the methods of `overrides` in place of its own. */
export function overridden(queue: TaskQueue, overrides: Partial<TaskQueue>): TaskQueue {
  return new Proxy(queue, {
    get(target, name): unknown {
      if (name in overrides) return Reflect.get(overrides, name);
      const own: unknown = Reflect.get(target, name);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
}
