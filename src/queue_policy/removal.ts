/**
 * Which task can be removed.
 */
import { QueueError } from "../domain/errors.ts";
import type { TaskStatus } from "../domain/task.ts";

/** A task that is to be removed. */
export interface RemovableTask {
  readonly id: number;
  readonly status: TaskStatus;
  /** One of its children that are not final. */
  readonly waitingChild: number | undefined;
}

/** Refuses what must stay. @throws QueueError `task_leased`, `task_has_children`. */
export function checkRemovable({ id, status, waitingChild }: RemovableTask): void {
  if (status === "leased") {
    const reason = "a worker holds it, cancel it first";
    throw new QueueError("task_leased", `Cannot remove task ${id}: ${reason}`);
  }
  if (waitingChild === undefined) return;
  throw new QueueError(
    "task_has_children",
    `Cannot remove task ${id}: task ${waitingChild} depends on it and is not final`,
  );
}
