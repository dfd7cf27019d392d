/**
 * Finding runs by run id; a number is never taken for a task id.
 */
import type { Task, TaskQueue } from "../../src/core.ts";
import { HttpError } from "../http/errors.ts";

/** The task of a run. @throws HttpError `RUN_NOT_FOUND`. */
export async function requireRunTask(queue: TaskQueue, runId: string): Promise<Task> {
  const task = await queue.getByRunId(runId);
  if (task !== undefined) return task;
  throw runNotFound(runId);
}

/** There is no such run. */
export function runNotFound(runId: string): HttpError {
  return new HttpError("RUN_NOT_FOUND", `Cannot find run ${JSON.stringify(runId)}`);
}
