/**
 * The tasks that depend on a task.
 */
import type { TaskStatus } from "../domain/task.ts";

/** A task that depends on another. */
export interface ChildTask {
  /** Its task id. */
  readonly taskId: number;
  /** Its run id. */
  readonly runId: string;
  /** Its type. */
  readonly type: string;
  /** Where it is. */
  readonly status: TaskStatus;
}

/** Which children of a task. */
export interface ChildrenRequest {
  /** Only those with a higher id; default all. */
  readonly afterId?: number;
  /** How many at most, 1–1000; default 1000. */
  readonly limit?: number;
}
