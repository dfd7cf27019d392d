/**
 * The task that a page or a form is about.
 */
import type { Task, TaskQueue } from "../src/core.ts";
import { HttpError } from "../server/http/errors.ts";

/** The task with this id. @throws HttpError `TASK_NOT_FOUND`. */
export async function requireTask(queue: TaskQueue, id: number): Promise<Task> {
  const task = await queue.get(id);
  if (task === undefined) throw taskNotThere(id);
  return task;
}

/** There is no task with this id. */
export function taskNotThere(id: number): HttpError {
  return new HttpError("TASK_NOT_FOUND", `Cannot find task ${id}`);
}
