/**
 * Finding runs by run id; a number is never taken for a task id.
 */
import {
  type HandlerRegistry,
  type Run,
  runOfTask,
  type Task,
  type TaskQueue,
} from "../src/mod.ts";
import { HttpError } from "./errors.ts";

/** The task of a run. @throws HttpError `RUN_NOT_FOUND`. */
export async function requireRunTask(queue: TaskQueue, runId: string): Promise<Task> {
  const task = await queue.getByRunId(runId);
  if (task !== undefined) return task;
  throw runNotFound(runId);
}

/** The run that shows `task`, with its module's name where the module is known here. */
export function runOf(task: Task, handlers: HandlerRegistry): Run {
  return runOfTask(task, handlers.get(task.type)?.name);
}

/** There is no such run. */
export function runNotFound(runId: string): HttpError {
  return new HttpError("RUN_NOT_FOUND", `Cannot find run ${JSON.stringify(runId)}`);
}
