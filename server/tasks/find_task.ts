/**
 * Finding tasks by their ids.
 */
import type { Task, TaskQueue } from "../../src/core.ts";
import { HttpError } from "../http/errors.ts";

/** The task with this id. @throws HttpError `TASK_NOT_FOUND`. */
export async function requireTask(queue: TaskQueue, id: number): Promise<Task> {
  const task = await queue.get(id);
  if (task === undefined) throw new HttpError("TASK_NOT_FOUND", `Cannot find task ${id}`);
  return task;
}
