/**
 * What an embedded worker says of attempts that went wrong where nobody else does: a line on the standard error.
 */
import type { WorkerEvent } from "./worker_log.ts";

/** Writes a line for an attempt that failed or was lost, and for an error of the worker itself; nothing for what goes well. */
export function tellFailure(
  event: WorkerEvent,
  write: (line: string) => void = (line) => console.error(line),
): void {
  const line = lineOf(event);
  if (line !== undefined) write(`holdfast: ${line}`);
}

function lineOf({ kind, task, message = "" }: WorkerEvent): string | undefined {
  if (kind === "error") return task === undefined ? message : `task ${task.id}: ${message}`;
  if (task === undefined) return undefined;
  const attempt = `${task.type} run ${task.runId} attempt ${task.attempts} of ${task.maxAttempts}`;
  switch (kind) {
    case "retried":
      return `${attempt} failed and is tried again: ${message}`;
    case "failed":
      return `${attempt} failed for good: ${message}`;
    case "lost":
      return `${attempt} does not count: ${message}`;
    default:
      return undefined;
  }
}
